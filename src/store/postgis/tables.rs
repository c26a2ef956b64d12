//! The SQL of a layer's table, written from its schema.

use std::fmt::Write;

use crate::model::{Field, FieldType, GeometryKind, LayerSchema};
use crate::store::quoting::{identifier, literal};

/// Statements that create a layer's table, its index, its comments and its triggers; `gis` is the quoted schema of
/// PostGIS.
pub(super) fn create(layer: &LayerSchema, gis: &str) -> String {
    let table = name(layer);
    let mut sql = format!(
        "CREATE TABLE {table} (id text PRIMARY KEY CHECK (id <> '' AND length(id) <= 200), geom {gis}.geometry({}, 4326)",
        geometry_type(layer.geometry)
    );
    for field in &layer.fields {
        let _ = write!(sql, ", {} {}{}", identifier(&field.name), column_type(field.field_type), range(field));
    }
    let _ = write!(
        sql,
        ");\nCREATE INDEX ON {table} USING gist (geom);\nCOMMENT ON TABLE {table} IS {};\n",
        literal(&format!("{} {}", layer.title.zh, layer.title.en))
    );
    for field in &layer.fields {
        sql.push_str(&comment(&table, field));
    }
    for (event, rows) in [
        ("inserted", "AFTER INSERT ON {} REFERENCING NEW TABLE AS now_rows FOR EACH STATEMENT"),
        ("updated", "AFTER UPDATE ON {} REFERENCING NEW TABLE AS now_rows OLD TABLE AS old_rows FOR EACH STATEMENT"),
        ("deleted", "AFTER DELETE ON {} REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT"),
        ("truncated", "AFTER TRUNCATE ON {} FOR EACH STATEMENT"),
    ] {
        let _ = writeln!(
            sql,
            "CREATE TRIGGER onemap_{event} {} EXECUTE FUNCTION onemap.note_{event}();",
            rows.replace("{}", &table)
        );
    }
    sql
}

/// Statements that add columns of the catalog that the table lacks.
pub(super) fn add_columns(layer: &LayerSchema, present: &[&str]) -> String {
    let missing = layer.fields.iter().filter(|field| !present.contains(&field.name.as_str()));
    let table = name(layer);
    let add = |field: &Field| {
        let (column, kind) = (identifier(&field.name), column_type(field.field_type));
        format!("ALTER TABLE {table} ADD COLUMN {column} {kind}{};\n{}", range(field), comment(&table, field))
    };
    missing.map(add).collect()
}

/// The quoted name of a layer's table.
pub(super) fn name(layer: &LayerSchema) -> String {
    format!("onemap.{}", identifier(&layer.id))
}

/// `id`, geometry and fields, in the order in which rows are written and read.
pub(super) fn columns(layer: &LayerSchema) -> String {
    let fields = layer.fields.iter().map(|field| identifier(&field.name));
    ["id".to_owned(), "geom".to_owned()].into_iter().chain(fields).collect::<Vec<_>>().join(", ")
}

fn comment(table: &str, field: &Field) -> String {
    let unit = field.unit.as_ref().map(|unit| format!(" ({unit})")).unwrap_or_default();
    let about = format!("{} {}{unit}", field.title.zh, field.title.en);
    format!("COMMENT ON COLUMN {table}.{} IS {};\n", identifier(&field.name), literal(&about))
}

fn range(field: &Field) -> String {
    let column = identifier(&field.name);
    let bounds = [(">=", field.min), ("<=", field.max)];
    bounds.iter().filter_map(|(sign, bound)| Some(format!(" CHECK ({column} {sign} {})", (*bound)?))).collect()
}

fn geometry_type(kind: GeometryKind) -> &'static str {
    match kind {
        GeometryKind::Point => "Point",
        GeometryKind::Line | GeometryKind::Polygon | GeometryKind::Any => "Geometry",
    }
}

fn column_type(field_type: FieldType) -> &'static str {
    match field_type {
        FieldType::Boolean => "boolean",
        FieldType::Integer => "bigint",
        FieldType::Real => "double precision",
        FieldType::Text => "text",
        FieldType::Date => "date",
        FieldType::DateTime => "timestamptz",
        FieldType::TextList => "text[]",
        FieldType::Json => "jsonb",
    }
}
