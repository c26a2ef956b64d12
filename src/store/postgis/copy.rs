//! Rows in the binary form of COPY (PostgreSQL documentation, "COPY", file formats).

use sqlx::postgres::PgConnection;
use time::macros::{date, utc_datetime};

use crate::model::{Feature, Value};
use crate::store::ewkb;

/// The bytes before the first row.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// The bytes after the last row.
const TRAILER: [u8; 2] = (-1_i16).to_be_bytes();
/// Object id of the type `text`.
const TEXT_OID: u32 = 25;
/// COPY sends its rows in buffers of about this many bytes.
const PIECE_BYTES: usize = 256 * 1024;

/// Inserts rows into a table by COPY.
pub(super) async fn copy_in(
    connection: &mut PgConnection,
    table: &str,
    columns: &str,
    features: &mut (dyn Iterator<Item = Feature> + Send),
) -> Result<usize, sqlx::Error> {
    let statement = format!("COPY {table} ({columns}) FROM STDIN (FORMAT BINARY)");
    let mut copy = connection.copy_in_raw(&statement).await?;
    let mut piece = HEADER.to_vec();
    let mut count = 0;
    for feature in features {
        write_row(&mut piece, &feature).map_err(sqlx::Error::Protocol)?;
        count += 1;
        if piece.len() >= PIECE_BYTES {
            copy.send(std::mem::take(&mut piece)).await?;
        }
    }
    piece.extend_from_slice(&TRAILER);
    copy.send(piece).await?;
    copy.finish().await?;
    Ok(count)
}

/// Appends one row: id, geometry, values.
///
/// # Errors
/// When a part is larger than the format can hold.
fn write_row(out: &mut Vec<u8>, feature: &Feature) -> Result<(), String> {
    let columns = i16::try_from(feature.values.len() + 2).map_err(|_| "too many columns".to_owned())?;
    out.extend_from_slice(&columns.to_be_bytes());
    sized(out, |out| {
        out.extend_from_slice(feature.id.as_str().as_bytes());
        Ok(())
    })?;
    match &feature.geometry {
        Some(shape) => sized(out, |out| ewkb::write(out, shape).map_err(|error| error.to_string()))?,
        None => null(out),
    }
    for value in &feature.values {
        match value {
            Value::Unknown => null(out),
            known => sized(out, |out| write_value(out, known))?,
        }
    }
    Ok(())
}

fn null(out: &mut Vec<u8>) {
    out.extend_from_slice(&(-1_i32).to_be_bytes());
}

/// Writes a part with its length before it.
fn sized(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> Result<(), String>) -> Result<(), String> {
    let start = out.len();
    null(out);
    write(out)?;
    let length = i32::try_from(out.len() - start - 4).map_err(|_| "a value is larger than 2 GB".to_owned())?;
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
    Ok(())
}

fn write_value(out: &mut Vec<u8>, value: &Value) -> Result<(), String> {
    match value {
        Value::Unknown => {}
        Value::Boolean(yes) => out.push(u8::from(*yes)),
        Value::Integer(number) => out.extend_from_slice(&number.to_be_bytes()),
        Value::Real(number) => out.extend_from_slice(&number.to_be_bytes()),
        Value::Text(text) => out.extend_from_slice(text.as_bytes()),
        Value::Date(day) => {
            let days = day.to_julian_day() - date!(2000 - 01 - 01).to_julian_day();
            out.extend_from_slice(&days.to_be_bytes());
        }
        Value::DateTime(instant) => {
            let microseconds = (*instant - utc_datetime!(2000-01-01 00:00)).whole_microseconds();
            let microseconds = i64::try_from(microseconds).map_err(|error| error.to_string())?;
            out.extend_from_slice(&microseconds.to_be_bytes());
        }
        Value::TextList(list) => write_list(out, list)?,
        Value::Json(document) => {
            // jsonb, version 1.
            out.push(1);
            out.extend_from_slice(document.as_bytes());
        }
    }
    Ok(())
}

/// A one-dimensional array without nulls, counted from 1.
fn write_list(out: &mut Vec<u8>, list: &[String]) -> Result<(), String> {
    let dimensions = i32::from(!list.is_empty());
    out.extend_from_slice(&dimensions.to_be_bytes());
    out.extend_from_slice(&0_i32.to_be_bytes());
    out.extend_from_slice(&TEXT_OID.to_be_bytes());
    if list.is_empty() {
        return Ok(());
    }
    let length = i32::try_from(list.len()).map_err(|error| error.to_string())?;
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&1_i32.to_be_bytes());
    for text in list {
        sized(out, |out| {
            out.extend_from_slice(text.as_bytes());
            Ok(())
        })?;
    }
    Ok(())
}
