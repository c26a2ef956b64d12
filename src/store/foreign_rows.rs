//! Rows of a table that is no layer: of another GeoPackage file, or of a PostGIS database. They are only read.

use std::path::Path;

use futures_util::TryStreamExt;
use geo::Geometry;
use serde_json::{Map, Value as Json};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Column, ConnectOptions, Connection, PgConnection, Row, TypeInfo, ValueRef};

use super::StoreError;
use super::geopackage::check_header;
use super::quoting::identifier;
use super::wkb_geometry::{read_ewkb, read_geopackage as geometry_of_blob};

/// What is known of a table before its rows are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedTable {
    /// Its reference system, such as `EPSG:4549`.
    pub crs: Option<String>,
    /// Number of rows, if it is known.
    pub rows: Option<usize>,
}

/// A row.
#[derive(Debug)]
pub struct ForeignRow {
    /// Its geometry, or why it cannot be read.
    pub geometry: Result<Option<Geometry>, String>,
    /// The other columns.
    pub properties: Map<String, Json>,
}

/// Takes rows until it returns false.
pub type RowReader<'a> = &'a mut (dyn FnMut(ForeignRow) -> bool + Send);

/// Reads a table of a GeoPackage: the one of a name, otherwise the one named as the layer, otherwise the only one.
///
/// # Errors
/// When the file is no GeoPackage, or several tables are possible.
pub async fn read_geopackage(
    path: &Path,
    table: Option<&str>,
    layer: &str,
    describe: &mut (dyn FnMut(DescribedTable) + Send),
    take: RowReader<'_>,
) -> Result<(), StoreError> {
    check_header(path)?;
    let location = path.display().to_string();
    let failed = |error| StoreError::Database { location: location.clone(), error };
    // Functions in views of a foreign file must not run with side effects.
    let options = SqliteConnectOptions::new().filename(path).read_only(true).pragma("trusted_schema", "OFF");
    let mut connection = options.connect().await.map_err(failed)?;
    let tables = "SELECT columns.table_name, column_name, coalesce(organization, ''), \
         coalesce(organization_coordsys_id, 0) FROM gpkg_geometry_columns AS columns \
         LEFT JOIN gpkg_spatial_ref_sys USING (srs_id) ORDER BY 1";
    let tables: Vec<(String, String, String, i64)> =
        sqlx::query_as(tables).fetch_all(&mut connection).await.map_err(failed)?;
    let names: Vec<&str> = tables.iter().map(|(name, ..)| name.as_str()).collect();
    let (name, geometry, organization, code) = match chosen(&names, table, layer) {
        Ok(at) => &tables[at],
        Err(reason) => return Err(StoreError::NoTable { location, reason }),
    };
    // -1 and 0 are undefined systems.
    let crs = (*code > 0).then(|| format!("{organization}:{code}"));
    let count = format!("SELECT count(*) FROM {}", identifier(name));
    let count: i64 = sqlx::query_scalar(AssertSqlSafe(count)).fetch_one(&mut connection).await.map_err(failed)?;
    describe(DescribedTable { crs, rows: usize::try_from(count).ok() });
    let booleans = boolean_columns(&mut connection, name).await.map_err(failed)?;
    let sql = format!("SELECT * FROM {}", identifier(name));
    let mut rows = sqlx::query(AssertSqlSafe(sql)).fetch(&mut connection);
    while let Some(row) = rows.try_next().await.map_err(failed)? {
        if !take(row_of_geopackage(&row, geometry, &booleans)) {
            return Ok(());
        }
    }
    drop(rows);
    // It was only read.
    let _ = connection.close().await;
    Ok(())
}

/// The index of a table among others.
fn chosen(names: &[&str], table: Option<&str>, layer: &str) -> Result<usize, String> {
    let at = |wanted: &str| names.iter().position(|name| *name == wanted);
    let listed = || names.join(", ");
    match (table, names.len()) {
        (Some(table), _) => at(table).ok_or_else(|| format!("it has no table {table:?}; its tables: {}", listed())),
        (None, 0) => Err("it has no table with geometries".to_owned()),
        (None, 1) => Ok(0),
        (None, _) => at(layer).ok_or_else(|| format!("it has several tables; name one of: {}", listed())),
    }
}

async fn boolean_columns(connection: &mut SqliteConnection, table: &str) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar("SELECT name FROM pragma_table_info(?) WHERE upper(type) = 'BOOLEAN'")
        .bind(table)
        .fetch_all(connection)
        .await
}

fn row_of_geopackage(row: &SqliteRow, geometry_column: &str, booleans: &[String]) -> ForeignRow {
    let mut found = ForeignRow { geometry: Ok(None), properties: Map::new() };
    for (at, column) in row.columns().iter().enumerate() {
        if column.name() == geometry_column {
            let blob = row.try_get_unchecked::<Option<Vec<u8>>, _>(at).map_err(|error| error.to_string());
            found.geometry = blob.and_then(|blob| blob.map_or(Ok(None), |blob| geometry_of_blob(&blob)));
            continue;
        }
        let Ok(raw) = row.try_get_raw(at) else { continue };
        let stored = if raw.is_null() { "NULL".to_owned() } else { raw.type_info().name().to_owned() };
        let value = match stored.as_str() {
            "NULL" | "BLOB" => Json::Null,
            "REAL" => row.try_get_unchecked::<f64, _>(at).map_or(Json::Null, Json::from),
            "INTEGER" | "INT4" | "BOOLEAN" => match row.try_get_unchecked::<i64, _>(at) {
                Ok(number) if booleans.iter().any(|own| own == column.name()) => Json::from(number != 0),
                Ok(number) => Json::from(number),
                Err(_) => Json::Null,
            },
            _ => row.try_get_unchecked::<String, _>(at).map_or(Json::Null, Json::from),
        };
        found.properties.insert(column.name().to_owned(), value);
    }
    found
}

/// Reads a table or view of a PostGIS database, `SCHEMA.TABLE`.
///
/// # Errors
/// When the database cannot be reached, or has no such table with one geometry column.
pub async fn read_postgis(
    url: &str,
    table: Option<&str>,
    layer: &str,
    describe: &mut (dyn FnMut(DescribedTable) + Send),
    take: RowReader<'_>,
) -> Result<(), StoreError> {
    let location = super::PostGis::location_of(url)?;
    let failed = |error| StoreError::Database { location: location.clone(), error };
    let mut connection = PgConnection::connect(url).await.map_err(failed)?;
    let table = table.unwrap_or(layer);
    let (schema, name) = table.split_once('.').unwrap_or(("public", table));
    let columns = "SELECT f_geometry_column::text, srid FROM geometry_columns \
         WHERE f_table_schema = $1 AND f_table_name = $2 ORDER BY 1";
    let columns: Vec<(String, i32)> = sqlx::query_as(columns)
        .persistent(false)
        .bind(schema)
        .bind(name)
        .fetch_all(&mut connection)
        .await
        .map_err(failed)?;
    let [(geometry, srid)] = &columns[..] else {
        let count = columns.len();
        let reason = format!("{schema}.{name} has {count} geometry columns, or does not exist; accepted: exactly one");
        return Err(StoreError::NoTable { location, reason });
    };
    describe(DescribedTable { crs: (*srid > 0).then(|| format!("EPSG:{srid}")), rows: None });
    let sql = format!(
        "SELECT ST_AsEWKB(ST_CurveToLine(ST_Force2D({0}))), (to_jsonb(own) - $1)::text FROM {1}.{2} AS own",
        identifier(geometry),
        identifier(schema),
        identifier(name)
    );
    let mut rows = sqlx::query(AssertSqlSafe(sql)).persistent(false).bind(geometry).fetch(&mut connection);
    while let Some(row) = rows.try_next().await.map_err(failed)? {
        let geometry = row.try_get::<Option<Vec<u8>>, _>(0).map_err(|error| error.to_string());
        let geometry = geometry.and_then(|bytes| bytes.map_or(Ok(None), |bytes| read_ewkb(&bytes)));
        let properties = row.try_get::<String, _>(1).ok().and_then(|text| serde_json::from_str(&text).ok());
        if !take(ForeignRow { geometry, properties: properties.unwrap_or_default() }) {
            return Ok(());
        }
    }
    drop(rows);
    // It was only read.
    let _ = connection.close().await;
    Ok(())
}
