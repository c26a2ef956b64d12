//! The situation reports of an incident.

use std::cmp::Reverse;

use crate::model::ValueRef;
use crate::snapshot::{Layer, Row, Snapshot};

/// The reports of an incident, the latest first; those without a time last.
#[must_use]
pub fn reports_of<'a>(snapshot: &'a Snapshot, incident: &str) -> Vec<(&'a Layer, Row<'a>)> {
    let mut found = Vec::new();
    for layer in snapshot.layers() {
        let schema = layer.schema();
        let Some(role) = &schema.roles.situation_report else { continue };
        let Some(field) = schema.position(&role.incident) else { continue };
        let time = schema.roles.time.as_ref().and_then(|time| schema.position(&time.start));
        for row in layer.rows_after(None) {
            if matches!(row.cell(field), ValueRef::Text(own) if own == incident) {
                let at = time.and_then(|field| match row.cell(field) {
                    ValueRef::DateTime(instant) => Some(instant),
                    _ => None,
                });
                found.push((at, &**layer, row));
            }
        }
    }
    found.sort_by(|a, b| Reverse(a.0).cmp(&Reverse(b.0)).then_with(|| a.2.id().cmp(b.2.id())));
    found.into_iter().map(|(_, layer, row)| (layer, row)).collect()
}
