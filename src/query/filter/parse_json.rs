//! Parses CQL2 JSON (OGC 21-065r2, annex A) into the syntax tree. The JSON parser bounds the nesting.

use geo::{Coord, Geometry, GeometryCollection, LineString, MultiLineString, MultiPoint, MultiPolygon, Point};
use serde_json::{Map, Value as Json};

use super::ast::{Expr, MAX_DEPTH, Op, apply};
use super::geometry::{WktKind, bbox, polygon_of};
use super::number::Number;
use super::temporal::{interval_bound, parse_date, parse_timestamp};
use super::{FilterError, check_operands};

/// Parses a document.
pub(super) fn parse(text: &str) -> Result<Expr, FilterError> {
    let json: Json = serde_json::from_str(text).map_err(|error| match error.classify() {
        // The JSON parser allows 128 levels; each of ours takes two.
        serde_json::error::Category::Syntax if error.to_string().starts_with("recursion limit") => {
            FilterError::TooDeep { max: MAX_DEPTH }
        }
        _ => FilterError::NotJson { reason: error.to_string() },
    })?;
    expr(&json, MAX_DEPTH)
}

fn unexpected(json: &Json, expected: &'static str) -> FilterError {
    FilterError::JsonShape { found: json.to_string().chars().take(80).collect(), expected }
}

/// An expression of at most this many levels.
fn expr(json: &Json, levels: usize) -> Result<Expr, FilterError> {
    let levels = levels.checked_sub(1).ok_or(FilterError::TooDeep { max: MAX_DEPTH })?;
    match json {
        Json::Bool(yes) => Ok(Expr::Boolean(*yes)),
        Json::Number(_) => number(json).map(Expr::Number),
        Json::String(text) => Ok(Expr::Text(text.clone())),
        Json::Array(items) => items.iter().map(|item| expr(item, levels)).collect::<Result<_, _>>().map(Expr::List),
        Json::Object(members) => object(json, members, levels),
        Json::Null => Err(unexpected(json, "an expression; use isNull to test for unknown values")),
    }
}

fn object(json: &Json, members: &Map<String, Json>, levels: usize) -> Result<Expr, FilterError> {
    if let Some(op) = members.get("op") {
        let name = op.as_str().ok_or_else(|| unexpected(op, "the name of an operator"))?;
        let args = members.get("args").and_then(Json::as_array);
        let args = args.ok_or_else(|| unexpected(json, "an operator with args, a list"))?;
        return application(name, args, levels);
    }
    let text = |own: &Json| own.as_str().map(str::to_owned).ok_or_else(|| unexpected(own, "a text"));
    if let Some(name) = members.get("property") {
        return text(name).map(Expr::Property);
    }
    if let Some(date) = members.get("date") {
        return parse_date(&text(date)?).map(Expr::Date);
    }
    if let Some(instant) = members.get("timestamp") {
        return parse_timestamp(&text(instant)?).map(Expr::Timestamp);
    }
    if let Some(bounds) = members.get("interval") {
        return match bounds.as_array().map(Vec::as_slice) {
            Some([start, end]) => Ok(Expr::Interval(Box::new([bound(start)?, bound(end)?]))),
            _ => Err(unexpected(bounds, "two bounds of an interval")),
        };
    }
    if let Some(sides) = members.get("bbox").filter(|_| !members.contains_key("type")) {
        let numbers = sides.as_array().map(|sides| sides.iter().map(coordinate).collect::<Result<Vec<_>, _>>());
        let numbers = numbers.transpose()?.and_then(|numbers| bbox(&numbers));
        return numbers.map(Expr::Bbox).ok_or_else(|| unexpected(sides, "four or six numbers"));
    }
    if members.contains_key("type") {
        return geometry(json, true).map(Expr::Geometry);
    }
    Err(unexpected(json, "an object with op, property, date, timestamp, interval, bbox or type"))
}

fn application(name: &str, args: &[Json], levels: usize) -> Result<Expr, FilterError> {
    let operands: Vec<Expr> = args.iter().map(|arg| expr(arg, levels)).collect::<Result<_, _>>()?;
    let Some(op) = Op::named(name) else { return Ok(Expr::Call(name.to_owned(), operands)) };
    check_operands(op, operands.len())?;
    if op == Op::In && !matches!(&operands[1], Expr::List(items) if !items.is_empty()) {
        return Err(unexpected(&args[1], "a list of at least one value"));
    }
    Ok(apply(op, operands))
}

fn number(json: &Json) -> Result<Number, FilterError> {
    let number = json.as_i64().filter(|number| *number != i64::MIN).map(Number::Integer);
    number.or_else(|| json.as_f64().map(Number::of)).ok_or_else(|| unexpected(json, "a number"))
}

fn bound(json: &Json) -> Result<Expr, FilterError> {
    match json {
        Json::String(text) => interval_bound(text),
        Json::Object(members) => match members.get("property").and_then(Json::as_str) {
            Some(name) => Ok(Expr::Property(name.to_owned())),
            None => Err(unexpected(json, "an instant, \"..\" or a property")),
        },
        _ => Err(unexpected(json, "an instant, \"..\" or a property")),
    }
}

fn coordinate(json: &Json) -> Result<f64, FilterError> {
    // Not -0.
    json.as_f64().map(|number| number + 0.0).ok_or_else(|| unexpected(json, "a number"))
}

fn geometry(json: &Json, collections: bool) -> Result<Geometry, FilterError> {
    let kind = json["type"].as_str().and_then(WktKind::of).filter(|kind| collections || *kind != WktKind::Collection);
    let kind = kind.ok_or_else(|| unexpected(json, "a GeoJSON geometry"))?;
    let coordinates = &json["coordinates"];
    Ok(match kind {
        WktKind::Point => Point(position(coordinates)?).into(),
        WktKind::LineString => LineString(many(coordinates, position)?).into(),
        WktKind::Polygon => polygon_of(many(coordinates, line)?).into(),
        WktKind::MultiPoint => MultiPoint(many(coordinates, |own| position(own).map(Point))?).into(),
        WktKind::MultiLineString => MultiLineString(many(coordinates, line)?).into(),
        WktKind::MultiPolygon => MultiPolygon(many(coordinates, |own| many(own, line).map(polygon_of))?).into(),
        WktKind::Collection => {
            let parts = many(&json["geometries"], |own| geometry(own, false))?;
            Geometry::GeometryCollection(GeometryCollection(parts))
        }
    })
}

fn many<T>(json: &Json, part: impl Fn(&Json) -> Result<T, FilterError>) -> Result<Vec<T>, FilterError> {
    match json.as_array() {
        Some(parts) if !parts.is_empty() => parts.iter().map(part).collect(),
        _ => Err(unexpected(json, "a list of coordinates")),
    }
}

fn line(json: &Json) -> Result<LineString, FilterError> {
    many(json, position).map(LineString)
}

fn position(json: &Json) -> Result<Coord, FilterError> {
    match json.as_array().map(Vec::as_slice) {
        Some([x, y] | [x, y, _] | [x, y, _, _]) => Ok(Coord { x: coordinate(x)?, y: coordinate(y)? }),
        _ => Err(unexpected(json, "a position: longitude, latitude")),
    }
}
