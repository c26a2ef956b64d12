//! Answers as snapshots: layers and a tile address in, vector tile bytes out. Plain functions on a snapshot.

pub mod cache;
mod clip;
mod mvt;
pub mod tile_matrix_set;

use crate::geodesy::Envelope;
use crate::model::View;
use crate::snapshot::{Layer, Row};

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

/// Draws layers into one Mapbox Vector Tile 2.1, each as a tile layer of the same name, in the order
/// given. The same features give the same bytes: rows stand in order of id. Empty when nothing is there.
#[must_use]
pub fn render(layers: &[&Layer], address: TileAddress, choice: Option<FeatureFilter<'_>>) -> Vec<u8> {
    let mut tile = mvt::Tile::default();
    let reach = reach(address);
    let drawn_here = |(_, layer): &(usize, &&Layer)| address.mercator_zoom() >= layer.schema().min_zoom;
    for (at, layer) in layers.iter().enumerate().filter(drawn_here) {
        let view = View::public(layer.schema());
        let is_chosen = |row: &Row<'_>| choice.is_none_or(|choice| (choice.holds)(at, row));
        let mut rows: Vec<Row<'_>> = layer.rows_in(&reach).filter(is_chosen).collect();
        rows.sort_unstable_by_key(Row::id);
        let mut drawn = mvt::LayerWriter::new(&layer.schema().id);
        for row in rows {
            let Some(stored) = row.shape() else { continue };
            if let Some(geometry) = clip::project(stored.geometry(), address) {
                drawn.feature(row.id(), &geometry, properties(&row, &view));
            }
        }
        tile.add(drawn);
    }
    tile.into_bytes()
}

/// The box that decides what a tile shows: a feature whose own box does not share a point with it is not drawn.
fn reach(address: TileAddress) -> Envelope {
    address.buffered_envelope(clip::BUFFER_UNITS / clip::EXTENT)
}

/// The id and every public field that the catalog carries in tiles.
fn properties<'a>(row: &Row<'a>, view: &View<'a>) -> Vec<(&'a str, mvt::Attribute)> {
    let id = ("id", mvt::Attribute::Text(row.id().as_str().to_owned()));
    let fields = view.fields().filter(|(_, field)| field.in_tiles);
    let values = fields.filter_map(|(at, field)| Some((field.name.as_str(), mvt::Attribute::of(row.value(at))?)));
    std::iter::once(id).chain(values).collect()
}
