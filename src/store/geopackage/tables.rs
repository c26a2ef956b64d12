//! The SQL of a layer's table, written from its schema.

use std::fmt::Write;

use crate::model::catalog::CodeValue;
use crate::model::{Catalog, Field, FieldType, GeometryKind, LayerSchema};
use crate::store::quoting::{identifier, literal};

/// Statements that create a layer's table, its triggers and its entries in the GeoPackage's own tables.
pub(super) fn create(layer: &LayerSchema, catalog: &Catalog) -> String {
    let table = identifier(&layer.id);
    let mut sql = format!(
        "CREATE TABLE {table} (fid INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, geom {geometry}, id TEXT UNIQUE",
        geometry = geometry_type(layer.geometry)
    );
    for field in &layer.fields {
        let _ = write!(sql, ", {} {}", identifier(&field.name), column_type(field.field_type));
    }
    let _ = write!(
        sql,
        ");\nINSERT INTO gpkg_contents (table_name, data_type, identifier, description, srs_id) \
         VALUES ({name}, 'features', {title}, {about}, 4326);\n\
         INSERT INTO gpkg_geometry_columns VALUES ({name}, 'geom', '{geometry}', 4326, 0, 0);\n",
        name = literal(&layer.id),
        title = literal(&layer.title.zh),
        about = literal(&layer.title.en),
        geometry = geometry_type(layer.geometry)
    );
    describe_columns(&mut sql, layer);
    describe_codes(&mut sql, layer, catalog);
    sql + &triggers(layer)
}

/// Statements that add and describe columns of the catalog that the table lacks.
pub(super) fn add_columns(layer: &LayerSchema, present: &[String], catalog: &Catalog) -> String {
    let is_present = |field: &Field| present.iter().any(|column| column.eq_ignore_ascii_case(&field.name));
    let missing: Vec<Field> = layer.fields.iter().filter(|field| !is_present(field)).cloned().collect();
    let mut sql = String::new();
    if missing.is_empty() {
        return sql;
    }
    let table = identifier(&layer.id);
    for field in &missing {
        let (column, kind) = (identifier(&field.name), column_type(field.field_type));
        let _ = writeln!(sql, "ALTER TABLE {table} ADD COLUMN {column} {kind};");
    }
    let added = LayerSchema { fields: missing, ..layer.clone() };
    describe_columns(&mut sql, &added);
    describe_codes(&mut sql, &added, catalog);
    sql
}

/// Triggers that write the change log and assign an id to a feature inserted without one.
pub(super) fn triggers(layer: &LayerSchema) -> String {
    let (table, name) = (identifier(&layer.id), literal(&layer.id));
    let trigger = |event: &str| identifier(&format!("onemap_{}_{event}", layer.id));
    format!(
        "CREATE TRIGGER IF NOT EXISTS {named} AFTER INSERT ON {table} WHEN NEW.id IS NULL BEGIN \
           UPDATE {table} SET id = {name} || '-' || NEW.fid WHERE fid = NEW.fid; END;\n\
         CREATE TRIGGER IF NOT EXISTS {inserted} AFTER INSERT ON {table} WHEN NEW.id IS NOT NULL BEGIN \
           INSERT INTO onemap_changes (layer, id) VALUES ({name}, NEW.id); END;\n\
         CREATE TRIGGER IF NOT EXISTS {updated} AFTER UPDATE ON {table} WHEN NEW.id IS NOT NULL BEGIN \
           INSERT INTO onemap_changes (layer, id) VALUES ({name}, NEW.id); END;\n\
         CREATE TRIGGER IF NOT EXISTS {renamed} AFTER UPDATE OF id ON {table} \
           WHEN OLD.id IS NOT NULL AND OLD.id IS NOT NEW.id BEGIN \
           INSERT INTO onemap_changes (layer, id) VALUES ({name}, OLD.id); END;\n\
         CREATE TRIGGER IF NOT EXISTS {deleted} AFTER DELETE ON {table} WHEN OLD.id IS NOT NULL BEGIN \
           INSERT INTO onemap_changes (layer, id) VALUES ({name}, OLD.id); END;\n",
        named = trigger("named"),
        inserted = trigger("inserted"),
        updated = trigger("updated"),
        renamed = trigger("renamed"),
        deleted = trigger("deleted"),
    )
}

/// Chinese titles, units and code lists, so that desktop programs show labels instead of codes (schema extension).
fn describe_columns(sql: &mut String, layer: &LayerSchema) {
    for field in &layer.fields {
        let title = match &field.unit {
            Some(unit) => format!("{} ({unit})", field.title.zh),
            None => field.title.zh.clone(),
        };
        let mime_type = match field.field_type {
            FieldType::TextList | FieldType::Json => "'application/json'",
            _ => "NULL",
        };
        let constraint = field.codes.as_deref().filter(|_| field.field_type != FieldType::TextList);
        let _ = writeln!(
            sql,
            "INSERT OR IGNORE INTO gpkg_data_columns VALUES ({}, {}, {}, {}, {}, {mime_type}, {});",
            literal(&layer.id),
            literal(&field.name),
            literal(&title),
            literal(&field.title.zh),
            literal(&field.title.en),
            constraint.map_or_else(|| "NULL".to_owned(), literal),
        );
    }
}

fn describe_codes(sql: &mut String, layer: &LayerSchema, catalog: &Catalog) {
    let lists = layer.fields.iter().filter_map(|field| field.codes.as_deref());
    for (list, codes) in lists.filter_map(|list| catalog.codes.get_key_value(list)) {
        for code in codes {
            let value = match &code.code {
                CodeValue::Integer(number) => number.to_string(),
                CodeValue::Text(text) => text.clone(),
            };
            let _ = writeln!(
                sql,
                "INSERT OR IGNORE INTO gpkg_data_column_constraints (constraint_name, constraint_type, value, description) \
                 VALUES ({}, 'enum', {}, {});",
                literal(list),
                literal(&value),
                literal(&code.label.zh)
            );
        }
    }
}

fn geometry_type(kind: GeometryKind) -> &'static str {
    match kind {
        GeometryKind::Point => "POINT",
        // A layer contains single-part and multi-part lines and areas.
        GeometryKind::Line | GeometryKind::Polygon | GeometryKind::Any => "GEOMETRY",
    }
}

fn column_type(field_type: FieldType) -> &'static str {
    match field_type {
        FieldType::Boolean => "BOOLEAN",
        FieldType::Integer => "INTEGER",
        FieldType::Real => "DOUBLE",
        FieldType::Text | FieldType::TextList | FieldType::Json => "TEXT",
        FieldType::Date => "DATE",
        FieldType::DateTime => "DATETIME",
    }
}
