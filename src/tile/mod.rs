//! Vector tiles: layers and a tile address in, tile bytes out. Pure functions of a snapshot.

mod attribute;
mod budget;
pub mod cache;
mod clip;
mod compress;
mod mbtiles;
mod mlt;
mod mvt;
pub mod pack;
pub mod pack_reader;
pub mod risk_grid;
mod select;
pub mod tile_matrix_set;
mod validity;
pub mod vector_layer;

use crate::geodesy::Envelope;
use crate::snapshot::{Layer, Row, RowFilter};
use budget::Fitted;
use select::TileLayer;

pub use compress::ContentEncoding;
pub use tile_matrix_set::{InvalidAddress, TileAddress, TileMatrixSet};

/// An encoding of vector tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TileFormat {
    /// Mapbox Vector Tile 2.1.
    Mvt,
    /// MapLibre Tile.
    Mlt,
}

impl TileFormat {
    /// All formats; the first one is the default.
    pub const ALL: [Self; 2] = [Self::Mvt, Self::Mlt];

    /// Its name, also the extension of file names.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mvt => "mvt",
            Self::Mlt => "mlt",
        }
    }

    /// Its media type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Mvt => "application/vnd.mapbox-vector-tile",
            Self::Mlt => "application/vnd.maplibre-tile",
        }
    }
}

/// A tile cannot be expressed in its format.
#[derive(Debug, thiserror::Error)]
#[error("the tile cannot be encoded")]
pub struct EncodeError(#[from] mlt_core::MltError);

/// A filter on features. It depends only on the values of each feature, so changes elsewhere do not affect the result.
#[derive(Clone, Copy)]
pub struct FeatureFilter<'a> {
    /// A name, equal for equal filters.
    pub name: &'a str,
    /// Whether a feature of a layer, by its index in the list of layers, matches.
    pub holds: &'a (dyn Fn(usize, &Row<'_>) -> bool + Sync),
}

/// A rendered tile and the omitted features.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EncodedTile {
    /// The bytes; empty for an empty tile.
    pub bytes: Vec<u8>,
    /// The layers with features over the size budget, and how many were omitted.
    pub omitted: Vec<(String, usize)>,
}

/// Name of the tile layer with the names of lines and areas.
pub const LABELS: &str = "labels";

/// The names of lines and areas in a tile, as a layer after the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Labels {
    /// No such layer.
    #[default]
    None,
    /// Names of the first so many layers.
    OfFirst(usize),
    /// Names of all layers, which are not drawn themselves.
    Only,
}

/// What a tile draws of its layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Drawing {
    /// Their features, and labels.
    Features(Labels),
    /// The risk surface that they make.
    RiskGrid,
}

/// Encodes layers as one tile, each as a tile layer of the same name, in the order given, then their labels. The same features give the
/// same bytes: clusters are in the order of their cells, then features in the order of their ids. `budget_bytes` bounds
/// the size as MVT, so that both formats have the same features.
///
/// # Errors
/// When a layer cannot be expressed in the format.
pub fn render(
    layers: &[&Layer],
    drawing: Drawing,
    address: TileAddress,
    format: TileFormat,
    filter: Option<FeatureFilter<'_>>,
    budget_bytes: usize,
) -> Result<EncodedTile, EncodeError> {
    let mut selected = match drawing {
        Drawing::Features(labels) => select_features(layers, labels, address, filter),
        Drawing::RiskGrid => vec![risk_grid::select(layers, address, filter)],
    };
    selected.retain(|layer| !layer.features.is_empty());
    let Fitted { parts, omitted } = budget::fit(&mut selected, budget_bytes, mvt::encode);
    let bytes = match format {
        TileFormat::Mvt => parts.concat(),
        TileFormat::Mlt => {
            let drawn = selected.iter().filter(|layer| !layer.features.is_empty());
            drawn.map(mlt::encode).collect::<Result<Vec<_>, _>>()?.concat()
        }
    };
    Ok(EncodedTile { bytes, omitted })
}

/// The tile layers of map layers, and their labels.
fn select_features<'a>(
    layers: &[&'a Layer],
    labels: Labels,
    address: TileAddress,
    filter: Option<FeatureFilter<'_>>,
) -> Vec<TileLayer<'a>> {
    let visible = layers.iter().copied().enumerate();
    let visible: Vec<(usize, &'a Layer)> =
        visible.filter(|(_, layer)| address.mercator_zoom() >= layer.schema().min_zoom).collect();
    let mut selected: Vec<TileLayer<'a>> = Vec::with_capacity(visible.len() + 1);
    let mut named = TileLayer::labels();
    for (at, layer) in visible {
        let holds = filter.map(|filter| move |row: &Row<'_>| (filter.holds)(at, row));
        let holds = holds.as_ref().map(|holds| holds as RowFilter<'_>);
        if labels != Labels::Only {
            selected.push(TileLayer::select(layer, address, holds));
        }
        let is_named = match labels {
            Labels::None => false,
            Labels::OfFirst(count) => at < count,
            Labels::Only => true,
        };
        if is_named {
            named.add_labels(layer, address, holds);
        }
    }
    selected.push(named);
    selected
}

/// The envelope of a tile with its buffer: a feature whose envelope does not intersect it is not drawn.
fn visible_envelope(address: TileAddress) -> Envelope {
    address.buffered_envelope(clip::BUFFER_UNITS / clip::EXTENT)
}
