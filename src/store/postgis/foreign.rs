//! Tables and views of other programs as layers: what is in them, how it is read, how a change is noticed.

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection};

use super::source::{Source, Watch};
use super::tables::{identifier, literal};
use crate::model::schema::Label;
use crate::model::{Field, FieldType, GeometryKind, LayerSchema, Roles};
use crate::store::{StoreError, TableLayer};

/// A column as the database describes it.
struct TableColumn {
    name: String,
    /// Name of its type, without modifiers.
    kind: String,
}

/// Looks at a table and tells how it becomes a layer. What is left out is told in the log.
pub(super) async fn discover(connection: &mut PgConnection, table: &TableLayer) -> Result<Source, StoreError> {
    let unusable = |reason: String| StoreError::UnusableTable { table: table.table.clone(), reason };
    let failed = |source: sqlx::Error| unusable(source.to_string());
    let relation = quoted(&table.table);
    let present: bool = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
        .bind(&relation)
        .fetch_one(&mut *connection)
        .await
        .map_err(failed)?;
    if !present {
        return Err(unusable("there is no such table or view".to_owned()));
    }
    let columns = columns(connection, &relation).await.map_err(failed)?;
    let key = match &table.key {
        Some(key) => key.clone(),
        None => primary_key(connection, &relation)
            .await
            .map_err(failed)?
            .ok_or_else(|| unusable("it has no primary key of one column; name one with key = \"…\"".to_owned()))?,
    };
    for named in
        [Some(&key), table.name.as_ref(), table.geometry.as_ref()].into_iter().flatten().chain(&table.sensitive)
    {
        if !columns.iter().any(|column| column.name == *named) {
            return Err(unusable(format!("it has no column {named}")));
        }
    }
    let (geometry_column, kind, expression) = geometry(connection, table, &relation).await?;
    let (fields, expressions) = fields(table, &columns, &key, &geometry_column);
    let id = table.id.clone().unwrap_or_else(|| table.table.rsplit('.').next().unwrap_or_default().to_owned());
    let title = table.title.clone().unwrap_or_else(|| Label { zh: id.clone(), en: id.clone() });
    let schema = LayerSchema {
        id,
        title,
        group: table.group.clone(),
        geometry: kind,
        min_zoom: 0,
        fields,
        roles: Roles::default(),
    };
    let watch = watch(connection, table, &relation, &schema.id, &key).await.map_err(failed)?;
    tracing::info!(
        table = table.table,
        layer = schema.id,
        key,
        geometry = geometry_column,
        fields = schema.fields.len(),
        noticed_by = watch.describe(),
        "a table stands on the map"
    );
    Ok(Source {
        schema,
        relation,
        key: format!("{}::text", identifier(&key)),
        geometry: expression,
        expressions,
        watch,
    })
}

async fn columns(connection: &mut PgConnection, relation: &str) -> Result<Vec<TableColumn>, sqlx::Error> {
    let rows: Vec<(String, String)> = sqlx::query_as(
        "SELECT attname::text, CASE WHEN typtype = 'e' THEN 'text' ELSE typname::text END \
         FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid \
         WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
    )
    .bind(relation)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|(name, kind)| TableColumn { name, kind }).collect())
}

async fn primary_key(connection: &mut PgConnection, relation: &str) -> Result<Option<String>, sqlx::Error> {
    let columns: Vec<String> = sqlx::query_scalar(
        "SELECT attname::text FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY(indkey) \
         WHERE indrelid = $1::regclass AND indisprimary",
    )
    .bind(relation)
    .fetch_all(connection)
    .await?;
    Ok(<[String; 1]>::try_from(columns).ok().map(|[key]| key))
}

/// The geometry column, what it holds, and the expression that reads it as EWKB in WGS 84.
async fn geometry(
    connection: &mut PgConnection,
    table: &TableLayer,
    relation: &str,
) -> Result<(String, GeometryKind, String), StoreError> {
    let unusable = |reason: String| StoreError::UnusableTable { table: table.table.clone(), reason };
    let found: Vec<(String, String, i32)> = sqlx::query_as(
        "SELECT f_geometry_column::text, type::text, srid FROM geometry_columns \
         WHERE format('%I.%I', f_table_schema, f_table_name)::regclass = $1::regclass \
         UNION ALL SELECT f_geography_column::text, type::text, srid FROM geography_columns \
         WHERE format('%I.%I', f_table_schema, f_table_name)::regclass = $1::regclass",
    )
    .bind(relation)
    .fetch_all(connection)
    .await
    .map_err(|error| unusable(error.to_string()))?;
    let mut wanted =
        found.into_iter().filter(|(column, ..)| table.geometry.as_ref().is_none_or(|named| named == column));
    let Some((column, kind, srid)) = wanted.next() else {
        return Err(unusable("it has no geometry column".to_owned()));
    };
    if let Some((other, ..)) = wanted.next() {
        return Err(unusable(format!(
            "it has two geometry columns, {column} and {other}; name one with geometry = \"…\""
        )));
    }
    let srid = table.srid.unwrap_or(srid);
    if srid == 0 {
        return Err(unusable(format!("column {column} does not say its SRID; give it with srid = …")));
    }
    let kind = match kind.to_ascii_uppercase().trim_end_matches(['Z', 'M']) {
        "POINT" => GeometryKind::Point,
        "LINESTRING" | "MULTILINESTRING" => GeometryKind::Line,
        "POLYGON" | "MULTIPOLYGON" => GeometryKind::Polygon,
        _ => GeometryKind::Any,
    };
    let plain = format!("ST_SetSRID(ST_Force2D({}::geometry), {srid})", identifier(&column));
    Ok((column, kind, format!("ST_AsEWKB(ST_CurveToLine(ST_Transform({plain}, 4326)))")))
}

/// Fields, and the expressions that read them in the types of the model.
fn fields(table: &TableLayer, columns: &[TableColumn], key: &str, geometry: &str) -> (Vec<Field>, Vec<String>) {
    let mut fields = Vec::new();
    let mut expressions = Vec::new();
    let mut left_out = Vec::new();
    for column in columns.iter().filter(|column| column.name != key && column.name != geometry) {
        let Some((field_type, cast)) = type_of(&column.kind) else {
            left_out.push(format!("{} ({})", column.name, column.kind));
            continue;
        };
        let is_name = table.name.as_ref() == Some(&column.name);
        let name = if is_name { "name".to_owned() } else { column.name.clone() };
        fields.push(Field {
            in_tiles: name == "name" || table.tile.contains(&column.name),
            title: Label { zh: column.name.clone(), en: column.name.clone() },
            sensitive: table.sensitive.contains(&column.name),
            name,
            field_type,
            unit: None,
            codes: None,
            min: None,
            max: None,
        });
        expressions.push(format!("{}{cast}", identifier(&column.name)));
    }
    if !left_out.is_empty() {
        tracing::warn!(
            table = table.table,
            columns = left_out.join(", "),
            "columns of types without a counterpart are left out"
        );
    }
    (fields, expressions)
}

/// The model's type for one of the database's, and the cast that leads to it.
fn type_of(kind: &str) -> Option<(FieldType, &'static str)> {
    Some(match kind {
        "bool" => (FieldType::Boolean, ""),
        "int2" | "int4" | "int8" => (FieldType::Integer, "::bigint"),
        "float4" | "float8" | "numeric" => (FieldType::Real, "::double precision"),
        "text" | "varchar" | "bpchar" | "uuid" | "citext" | "name" => (FieldType::Text, "::text"),
        "date" => (FieldType::Date, ""),
        "timestamptz" => (FieldType::DateTime, ""),
        // Chinese sources mean Beijing time where they give no zone.
        "timestamp" => (FieldType::DateTime, " AT TIME ZONE 'Asia/Shanghai'"),
        "_text" | "_varchar" => (FieldType::TextList, "::text[]"),
        "json" | "jsonb" => (FieldType::Json, "::jsonb"),
        _ => return None,
    })
}

/// Puts triggers on a table if that is possible; a view, or a table of somebody who does not let us, is compared
/// with its last reading from time to time.
async fn watch(
    connection: &mut PgConnection,
    table: &TableLayer,
    relation: &str,
    layer: &str,
    key: &str,
) -> Result<Watch, sqlx::Error> {
    let present: bool = sqlx::query_scalar(
        "SELECT count(*) = 4 FROM pg_trigger WHERE tgrelid = $1::regclass AND tgname LIKE 'onemap\\_noted\\_%' \
         AND encode(tgargs, 'escape') LIKE $2 || '\\000%'",
    )
    .bind(relation)
    .bind(layer)
    .fetch_one(&mut *connection)
    .await?;
    if present {
        return Ok(Watch::Log);
    }
    let arguments = format!("{}, {}", literal(layer), literal(key));
    let trigger = |(event, when, rows): (&str, &str, &str)| {
        format!(
            "DROP TRIGGER IF EXISTS onemap_noted_{event} ON {relation};\n\
             CREATE TRIGGER onemap_noted_{event} {when} ON {relation} {rows} FOR EACH STATEMENT \
             EXECUTE FUNCTION onemap.note_foreign({arguments});\n"
        )
    };
    let triggers = [
        trigger(("inserted", "AFTER INSERT", "REFERENCING NEW TABLE AS now_rows")),
        trigger(("updated", "AFTER UPDATE", "REFERENCING NEW TABLE AS now_rows OLD TABLE AS old_rows")),
        trigger(("deleted", "AFTER DELETE", "REFERENCING OLD TABLE AS old_rows")),
        trigger(("truncated", "AFTER TRUNCATE", "")),
    ]
    .concat();
    let mut attempt = connection.begin().await?;
    match sqlx::raw_sql(AssertSqlSafe(triggers)).execute(&mut *attempt).await {
        Ok(_) => {
            attempt.commit().await?;
            Ok(Watch::Log)
        }
        Err(error) => {
            attempt.rollback().await?;
            tracing::warn!(
                table = table.table, %error, refresh_s = table.refresh.as_secs(),
                "no triggers could be put on it; it is read again from time to time"
            );
            Ok(Watch::compared(table.refresh))
        }
    }
}

/// `schema.table` with each part quoted.
fn quoted(table: &str) -> String {
    table.split('.').map(identifier).collect::<Vec<_>>().join(".")
}
