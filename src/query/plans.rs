//! Emergency plans that govern a place: by their division or their area, the kind of event, and the time.

use time::UtcDateTime;

use super::cancel::{CancelToken, Cancelled};
use crate::geodesy::edge_index::EdgeIndex;
use crate::model::division::division_prefix;
use crate::model::{Shape, ValueRef};
use crate::snapshot::{Layer, Row, Snapshot};

/// A place and an event that plans are looked up for.
#[derive(Clone, Copy, Debug)]
pub struct PlanQuery<'a> {
    /// The place.
    pub area: &'a EdgeIndex,
    /// Codes of the divisions that the place lies in or contains.
    pub divisions: &'a [&'a str],
    /// The kind of event; without it only plans for all kinds.
    pub kind: Option<&'a str>,
    /// The instant at which the plans are in force.
    pub at: UtcDateTime,
}

/// The plans in force, those of the largest divisions first, then by id. A plan with an area governs that area, another
/// one its division.
///
/// # Errors
/// When it is cancelled.
pub fn plans_in_force<'a>(
    snapshot: &'a Snapshot,
    query: &PlanQuery<'_>,
    cancel: &CancelToken,
) -> Result<Vec<(&'a Layer, Row<'a>)>, Cancelled> {
    let mut found = Vec::new();
    for layer in snapshot.layers() {
        let Some(role) = &layer.schema().roles.plan else { continue };
        for row in layer.rows_after(None) {
            cancel.check()?;
            let is_in_force = layer.resources().is_current(&row, query.at);
            if is_in_force && is_for_kind(layer, &row, &role.kinds, query.kind) && governs(layer, &row, query) {
                found.push((&**layer, row));
            }
        }
    }
    let size =
        |(layer, row): &(&Layer, Row<'_>)| layer.text(row, "region_code").and_then(division_prefix).map(str::len);
    found.sort_by(|a, b| size(a).cmp(&size(b)).then_with(|| a.1.id().cmp(b.1.id())));
    Ok(found)
}

/// A plan without kinds is for all.
fn is_for_kind(layer: &Layer, row: &Row<'_>, field: &str, kind: Option<&str>) -> bool {
    match layer.schema().position(field).map(|at| row.cell(at)) {
        Some(ValueRef::TextList(kinds)) if !kinds.is_empty() => {
            kind.is_some_and(|kind| kinds.iter().any(|own| &**own == kind))
        }
        _ => true,
    }
}

fn governs(layer: &Layer, row: &Row<'_>, query: &PlanQuery<'_>) -> bool {
    use geo::Geometry::{MultiPolygon, Polygon};
    if let Some(area @ (Polygon(_) | MultiPolygon(_))) = row.shape().map(Shape::geometry) {
        return query.area.intersects(area);
    }
    let own = layer.text(row, "region_code").and_then(division_prefix);
    own.is_some_and(|own| query.divisions.iter().any(|code| code.starts_with(own)))
}
