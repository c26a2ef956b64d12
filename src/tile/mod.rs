//! Answers as snapshots: layers and a tile address in, vector tile bytes out. Plain functions on a snapshot.

mod attribute;
mod budget;
pub mod cache;
mod clip;
mod mvt;
mod select;
pub mod tile_matrix_set;
mod validity;

use crate::geodesy::Envelope;
use crate::snapshot::{Layer, Row, RowFilter};
use budget::Fitted;
use select::TileLayer;

pub use tile_matrix_set::{InvalidAddress, TileAddress, TileMatrixSet};

/// Media type of the tiles.
pub const MEDIA_TYPE: &str = "application/vnd.mapbox-vector-tile";

/// Some of the features: by what each of them says, and by nothing else, so that a change elsewhere changes nothing.
#[derive(Clone, Copy)]
pub struct FeatureFilter<'a> {
    /// The same for the same choice.
    pub name: &'a str,
    /// Whether a feature of a layer, by its place in the list of layers, is one of them.
    pub holds: &'a (dyn Fn(usize, &Row<'_>) -> bool + Sync),
}

/// The bytes of a tile, and what was omitted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EncodedTile {
    /// The bytes; empty when the tile is empty.
    pub bytes: Vec<u8>,
    /// The layers with features over the size budget, and how many were omitted.
    pub omitted: Vec<(String, usize)>,
}

/// Encodes layers as one Mapbox Vector Tile 2.1 of at most `budget_bytes`, each as a tile layer of the same name, in the
/// order given. The same features give the same bytes: clusters are in the order of their cells, then features in the
/// order of their ids.
#[must_use]
pub fn render(
    layers: &[&Layer],
    address: TileAddress,
    choice: Option<FeatureFilter<'_>>,
    budget_bytes: usize,
) -> EncodedTile {
    let is_visible = |(_, layer): &(usize, &&Layer)| address.mercator_zoom() >= layer.schema().min_zoom;
    let selected = layers.iter().enumerate().filter(is_visible).map(|(at, layer)| {
        let holds = choice.map(|choice| move |row: &Row<'_>| (choice.holds)(at, row));
        TileLayer::select(layer, address, holds.as_ref().map(|holds| holds as RowFilter<'_>))
    });
    let mut selected: Vec<TileLayer<'_>> = selected.filter(|layer| !layer.features.is_empty()).collect();
    let Fitted { parts, omitted } = budget::fit(&mut selected, budget_bytes, mvt::encode);
    EncodedTile { bytes: parts.concat(), omitted }
}

/// The box that decides what a tile shows: a feature whose own box does not share a point with it is not drawn.
fn reach(address: TileAddress) -> Envelope {
    address.buffered_envelope(clip::BUFFER_UNITS / clip::EXTENT)
}
