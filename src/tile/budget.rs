//! Enforces the size budget of a tile: omits the least important features and counts them.

use std::cmp::Reverse;

use super::select::TileLayer;
use crate::geodesy::Envelope;
use crate::model::LayerSchema;
use crate::model::cluster::ClusterConfig;
use crate::snapshot::Row;

/// Omits slightly more than the mean feature size suggests, because values shared with other features save nothing.
const OMISSION_FACTOR: f64 = 1.02;

/// Layers that fit the budget.
pub(super) struct Fitted {
    /// The bytes of each layer; empty if all its features are omitted.
    pub(super) parts: Vec<Vec<u8>>,
    /// The layers with omitted features, and their number.
    pub(super) omitted: Vec<(String, usize)>,
}

/// Encodes layers. While they exceed the budget together, omits features of the least important layer: less severe
/// first, then smaller, then later by id, clusters last.
pub(super) fn fit(
    layers: &mut [TileLayer<'_>],
    budget_bytes: usize,
    encode: impl Fn(&TileLayer<'_>) -> Vec<u8>,
) -> Fitted {
    let mut parts: Vec<Vec<u8>> = layers.iter().map(&encode).collect();
    let before: Vec<usize> = layers.iter().map(|layer| layer.features.len()).collect();
    loop {
        let total: usize = parts.iter().map(Vec::len).sum();
        let Some(excess) = total.checked_sub(budget_bytes).filter(|excess| *excess > 0) else { break };
        let candidates = layers.iter_mut().zip(&mut parts).filter(|(layer, _)| !layer.features.is_empty());
        let Some((layer, part)) = candidates.max_by_key(|(layer, _)| layer.importance) else { break };
        #[expect(clippy::cast_precision_loss, reason = "a tile has fewer bytes and features than 2^52")]
        let share = (excess as f64 / part.len() as f64 * OMISSION_FACTOR).min(1.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a share of the number of features"
        )]
        let count = (layer.features.len() as f64 * share).ceil() as usize;
        omit(layer, count);
        *part = if layer.features.is_empty() { Vec::new() } else { encode(layer) };
    }
    let omitted = layers.iter().zip(before).map(|(layer, before)| (layer.name, before - layer.features.len()));
    let omitted = omitted.filter(|(_, count)| *count > 0).map(|(name, count)| (name.to_owned(), count)).collect();
    Fitted { parts, omitted }
}

/// Removes a number of features, the least important first.
fn omit(layer: &mut TileLayer<'_>, count: usize) {
    let severity = layer.schema.and_then(severity_of);
    let mut order: Vec<usize> = (0..layer.features.len()).collect();
    order.sort_by_cached_key(|&at| {
        let row = layer.features[at].row.as_ref();
        let rank = row.map_or(0, |row| 1 + severity.as_ref().map_or(0, |severity| severity(row)));
        (rank, Reverse(row.map_or(u64::MAX, extent)), at)
    });
    let mut stays = vec![true; order.len()];
    for at in order.into_iter().rev().take(count) {
        stays[at] = false;
    }
    let mut stays = stays.into_iter();
    layer.features.retain(|_| stays.next() == Some(true));
}

/// Reads the severity of a feature: 0 is the worst.
fn severity_of(schema: &LayerSchema) -> Option<impl Fn(&Row<'_>) -> usize> {
    let severity = schema.clusters.as_ref()?.severity.as_ref()?;
    let at = schema.position(&severity.field)?;
    Some(move |row: &Row<'_>| {
        let own = row.cell(at);
        severity.codes.iter().position(|code| code.is(own)).unwrap_or(ClusterConfig::MAX_SEVERITIES)
    })
}

/// The longer side of a feature's envelope, in billionths of a degree.
fn extent(row: &Row<'_>) -> u64 {
    let around = row.shape().and_then(|shape| Envelope::around(shape.geometry()));
    let side = around.map_or(0.0, |own| (own.east() - own.west()).max(own.north() - own.south()));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 360 degrees")]
    let side = (side * 1e9) as u64;
    side
}
