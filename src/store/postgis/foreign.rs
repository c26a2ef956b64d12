//! Tables and views of other programs as layers: their columns, how they are read, how changes are detected.

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use super::reading::is_of_statement;
use super::source::{ForeignTable, GeometryExpression, Source};
use super::sql::{query_as, query_scalar};
use super::triggers::Watchable;
use crate::model::cluster::ClusterConfig;
use crate::model::schema::Label;
use crate::model::{Field, FieldType, GeometryKind, LayerSchema, Roles};
use crate::store::quoting::identifier;
use crate::store::{StoreError, TableLayer, reason};

/// Ids of layers that the server computes.
const RESERVED: [&str; 1] = ["coverage"];
/// Fields that every layer has beside its columns: as parameters, in filters and in tables of replies.
const OWN_FIELDS: [&str; 2] = ["id", "geometry"];
/// Last clustered zoom of a configured table.
const CLUSTERS_TO_ZOOM: u8 = 11;
/// Importance of a configured table: below the rescue layers, above the base map.
const IMPORTANCE: u8 = 5;

/// A column in the database's catalog; a domain is resolved to its base type.
struct TableColumn {
    name: String,
    /// Name of its type, without modifiers.
    kind: String,
    /// The type modifier, which holds the geometry type and SRID of a geometry column.
    modifier: i32,
}

/// Why a configured table is not a layer.
#[derive(Debug)]
pub(super) enum DiscoverError {
    /// The table or view is missing or its columns cannot be used; its owner may change that at any time.
    Unusable(String),
    /// The configuration is contradictory.
    Config(StoreError),
    /// The connection failed.
    Connection(sqlx::Error),
}

impl From<sqlx::Error> for DiscoverError {
    /// An error of the database for one table, such as a missing privilege, affects only that table.
    fn from(error: sqlx::Error) -> Self {
        if is_of_statement(&error) { Self::Unusable(reason(&error)) } else { Self::Connection(error) }
    }
}

/// The id of a table's layer: the configured one, or the table's name without its schema.
///
/// # Errors
/// [`StoreError::UnusableTable`] when the id is reserved.
pub(super) fn layer_id(table: &TableLayer) -> Result<String, StoreError> {
    let id = table.id.clone().unwrap_or_else(|| table.table.rsplit('.').next().unwrap_or_default().to_owned());
    if RESERVED.contains(&id.as_str()) {
        let reason = format!("{id:?} is reserved for a layer of the server; set another one with id = \"…\"");
        return Err(table.unusable(reason));
    }
    Ok(id)
}

/// The layer of a table that cannot be used yet: without fields and features.
pub(super) fn placeholder(table: &TableLayer, id: String) -> Source {
    let foreign = ForeignTable { table: table.table.clone(), key: String::new(), refresh: table.refresh };
    Source::placeholder(schema(table, id, GeometryKind::Any, Vec::new()), quoted(&table.table), foreign, table.clone())
}

fn schema(table: &TableLayer, id: String, geometry: GeometryKind, fields: Vec<Field>) -> LayerSchema {
    LayerSchema {
        title: table.title.clone().unwrap_or_else(|| Label { zh: id.clone(), en: id.clone() }),
        id,
        group: table.group.clone(),
        geometry,
        min_zoom: 0,
        clusters: Some(ClusterConfig { to_zoom: CLUSTERS_TO_ZOOM, severity: None, sums: Vec::new() }),
        importance: IMPORTANCE,
        tessellation: false,
        fields,
        roles: Roles::default(),
    }
}

/// Reads the description of a table and derives its layer with this id; `gis` is the quoted schema of PostGIS. Skipped
/// columns are logged.
///
/// # Errors
/// [`DiscoverError`]; the transaction of the connection must be rolled back after it.
pub(super) async fn discover(
    connection: &mut PgConnection,
    table: &TableLayer,
    id: String,
    gis: &str,
) -> Result<Source, DiscoverError> {
    let unusable = DiscoverError::Unusable;
    let relation = quoted(&table.table);
    let present: bool =
        query_scalar("SELECT to_regclass($1) IS NOT NULL").bind(&relation).fetch_one(&mut *connection).await?;
    if !present {
        return Err(unusable("the table or view does not exist".to_owned()));
    }
    let columns = columns(connection, &relation).await?;
    let key = match &table.key {
        Some(key) => key.clone(),
        None => primary_key(connection, &relation)
            .await?
            .ok_or_else(|| unusable("it has no primary key of one column; set key = \"…\"".to_owned()))?,
    };
    for named in
        [Some(&key), table.name.as_ref(), table.geometry.as_ref()].into_iter().flatten().chain(&table.sensitive)
    {
        if !columns.iter().any(|column| column.name == *named) {
            return Err(unusable(format!("column {named} does not exist")));
        }
    }
    if table.sensitive.contains(&key) {
        return Err(DiscoverError::Config(table.unusable(format!(
            "sensitive = [\"{key}\"] names the key, which is public as the id of each feature; set another \
             key, or another table"
        ))));
    }
    let (geometry_column, kind, geometry) = geometry(connection, table, &columns, gis).await?;
    let (fields, expressions) = fields(table, &columns, &key, &geometry_column);
    let schema = schema(table, id, kind, fields);
    let watchable = Watchable { table: &table.table, relation: &relation, layer: &schema.id, key: &key };
    let watch = watchable.ensure(connection).await?;
    tracing::info!(
        table = table.table,
        layer = schema.id,
        key,
        geometry = geometry_column,
        fields = schema.fields.len(),
        noticed_by = watch.describe(),
        refresh_s = table.refresh.as_secs(),
        "table registered as a layer"
    );
    let foreign = ForeignTable { table: table.table.clone(), key, refresh: table.refresh };
    Ok(Source::foreign(schema, relation, geometry, expressions, foreign, watch))
}

async fn columns(connection: &mut PgConnection, relation: &str) -> Result<Vec<TableColumn>, sqlx::Error> {
    const COLUMNS: &str = "\
        WITH RECURSIVE typed AS ( \
          SELECT attnum, attname::text AS name, atttypid AS type, atttypmod AS modifier FROM pg_attribute \
          WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped \
          UNION ALL \
          SELECT attnum, name, typbasetype, CASE WHEN modifier = -1 THEN typtypmod ELSE modifier END \
          FROM typed JOIN pg_type ON pg_type.oid = type WHERE typtype = 'd') \
        SELECT name, CASE WHEN typtype = 'e' THEN 'text' ELSE typname::text END AS kind, modifier \
        FROM typed JOIN pg_type ON pg_type.oid = type WHERE typtype <> 'd' ORDER BY attnum";
    let rows: Vec<(String, String, i32)> = query_as(COLUMNS).bind(relation).fetch_all(connection).await?;
    Ok(rows.into_iter().map(|(name, kind, modifier)| TableColumn { name, kind, modifier }).collect())
}

async fn primary_key(connection: &mut PgConnection, relation: &str) -> Result<Option<String>, sqlx::Error> {
    let columns: Vec<String> = query_scalar(
        "SELECT attname::text FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY(indkey) \
         WHERE indrelid = $1::regclass AND indisprimary",
    )
    .bind(relation)
    .fetch_all(connection)
    .await?;
    Ok(<[String; 1]>::try_from(columns).ok().map(|[key]| key))
}

/// The geometry column, its geometry type, and the expressions that read it as EWKB in WGS 84.
async fn geometry(
    connection: &mut PgConnection,
    table: &TableLayer,
    columns: &[TableColumn],
    gis: &str,
) -> Result<(String, GeometryKind, GeometryExpression), DiscoverError> {
    let unusable = DiscoverError::Unusable;
    let mut candidates = columns.iter().filter(|column| {
        matches!(column.kind.as_str(), "geometry" | "geography")
            && table.geometry.as_ref().is_none_or(|named| *named == column.name)
    });
    let Some(column) = candidates.next() else {
        return Err(unusable("it has no geometry column".to_owned()));
    };
    if let Some(other) = candidates.next() {
        return Err(unusable(format!(
            "it has two geometry columns, {} and {}; choose one with geometry = \"…\"",
            column.name, other.name
        )));
    }
    let (kind, srid) = described(connection, table, column, gis).await?;
    let srid = table.srid.unwrap_or(srid);
    if srid == 0 {
        return Err(unusable(format!("column {} does not declare its SRID; set srid = …", column.name)));
    }
    let kind = match kind.to_ascii_uppercase().trim_end_matches(['Z', 'M']) {
        "POINT" => GeometryKind::Point,
        "LINESTRING" | "MULTILINESTRING" => GeometryKind::Line,
        "POLYGON" | "MULTIPOLYGON" => GeometryKind::Polygon,
        _ => GeometryKind::Any,
    };
    let stored = format!("{}::{gis}.geometry", identifier(&column.name));
    let fast = format!(
        "{gis}.ST_AsEWKB({gis}.ST_CurveToLine({gis}.ST_Transform(\
         {gis}.ST_SetSRID({gis}.ST_Force2D({stored}), {srid}), 4326)))"
    );
    let tolerant = format!("onemap.in_wgs84({gis}.ST_AsEWKB({stored}), {srid})");
    Ok((column.name.clone(), kind, GeometryExpression::new(fast, Some(tolerant))))
}

/// Kind and SRID of a geometry column: from its type, or from the constraints of the table.
async fn described(
    connection: &mut PgConnection,
    table: &TableLayer,
    column: &TableColumn,
    gis: &str,
) -> Result<(String, i32), sqlx::Error> {
    let by_type = format!("SELECT {gis}.postgis_typmod_type($1), {gis}.postgis_typmod_srid($1)");
    let (kind, srid): (String, i32) =
        query_as(AssertSqlSafe(by_type)).bind(column.modifier).fetch_one(&mut *connection).await?;
    if srid != 0 {
        return Ok((kind, srid));
    }
    if column.kind == "geography" {
        return Ok((kind, 4326));
    }
    let by_constraint = format!(
        "SELECT type::text, srid FROM {gis}.geometry_columns \
         WHERE f_table_schema = $1 AND f_table_name = $2 AND f_geometry_column = $3"
    );
    let (schema, name) = table.table.split_once('.').unwrap_or(("", &table.table));
    let found = query_as(AssertSqlSafe(by_constraint)).bind(schema).bind(name).bind(&column.name);
    Ok(found.fetch_optional(connection).await?.unwrap_or((kind, srid)))
}

/// Fields, and the expressions that read them in the types of the model.
fn fields(table: &TableLayer, columns: &[TableColumn], key: &str, geometry: &str) -> (Vec<Field>, Vec<String>) {
    let mut fields: Vec<Field> = Vec::new();
    let mut expressions = Vec::new();
    let mut left_out = Vec::new();
    for column in columns.iter().filter(|column| column.name != key && column.name != geometry) {
        let Some((field_type, expression)) = read_as(&column.kind, &identifier(&column.name)) else {
            left_out.push(format!("{} ({})", column.name, column.kind));
            continue;
        };
        let name = field_name(table, columns, column);
        fields.push(Field {
            in_tiles: name == "name" || table.tile.contains(&column.name),
            title: Label { zh: column.name.clone(), en: column.name.clone() },
            sensitive: table.sensitive.contains(&column.name),
            is_reserved: false,
            name,
            field_type,
            unit: None,
            codes: None,
            min: None,
            max: None,
        });
        expressions.push(expression);
    }
    if !left_out.is_empty() {
        tracing::warn!(table = table.table, columns = left_out.join(", "), "columns of unsupported types are skipped");
    }
    (fields, expressions)
}

/// The column configured as `name` becomes the field `name`. Another column with that name, or with the name of an own
/// field, gets a numbered name.
fn field_name(table: &TableLayer, columns: &[TableColumn], column: &TableColumn) -> String {
    match &table.name {
        Some(named) if *named == column.name => "name".to_owned(),
        named if OWN_FIELDS.contains(&column.name.as_str()) || (named.is_some() && column.name == "name") => {
            let numbered = (2..).map(|number| format!("{}_{number}", column.name));
            let is_free = |name: &String| columns.iter().all(|column| column.name != *name);
            let name = numbered.into_iter().find(is_free).unwrap_or_default();
            tracing::warn!(
                table = table.table,
                column = column.name,
                field = name,
                "the column has a numbered field name, because its name is taken"
            );
            name
        }
        _ => column.name.clone(),
    }
}

/// The model's type for a database type, and the expression that reads a column as that type. No expression fails for a
/// single value: numeric and json are read as text, and a time without a zone is bounded first.
fn read_as(kind: &str, column: &str) -> Option<(FieldType, String)> {
    Some(match kind {
        "bool" => (FieldType::Boolean, format!("{column}::boolean")),
        "int2" | "int4" | "int8" => (FieldType::Integer, format!("{column}::bigint")),
        "float4" | "float8" => (FieldType::Real, format!("{column}::double precision")),
        "numeric" => (FieldType::Real, format!("{column}::text")),
        "text" | "varchar" | "bpchar" | "uuid" | "citext" | "name" => (FieldType::Text, format!("{column}::text")),
        "date" => (FieldType::Date, format!("{column}::date")),
        "timestamptz" => (FieldType::DateTime, format!("{column}::timestamptz")),
        // Times without a zone are Beijing time in Chinese data.
        "timestamp" => (
            FieldType::DateTime,
            format!(
                "CASE WHEN {column} IS NULL THEN NULL WHEN {column} BETWEEN '4000-01-01 BC' AND '12000-01-01' \
                 THEN {column} AT TIME ZONE 'Asia/Shanghai' ELSE 'infinity'::timestamptz END"
            ),
        ),
        "_text" | "_varchar" => (FieldType::TextList, format!("{column}::text[]")),
        "json" => (FieldType::Json, format!("{column}::text")),
        "jsonb" => (FieldType::Json, format!("{column}::jsonb")),
        _ => return None,
    })
}

/// `schema.table` with each part quoted.
fn quoted(table: &str) -> String {
    table.split('.').map(identifier).collect::<Vec<_>>().join(".")
}
