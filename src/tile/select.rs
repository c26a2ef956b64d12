//! Selects the content of a tile layer: clusters, and features with the properties that the catalog includes in tiles.

use std::borrow::Cow;

use super::attribute::Attribute;
use super::clip::{self, TileGeometry};
use super::{LABELS, TileAddress, visible_envelope};
use crate::model::cluster::ClusterConfig;
use crate::model::{FeatureId, GeometryKind, LayerSchema, View};
use crate::snapshot::vertex_zooms::FULL_DETAIL_ZOOM;
use crate::snapshot::{CellAddress, ClusterStats, Layer, Row, RowFilter, TileWindow};

/// A layer of a tile.
pub(super) struct TileLayer<'a> {
    /// Its name.
    pub(super) name: &'a str,
    /// 1 is the most important.
    pub(super) importance: u8,
    /// The schema of its features; `None` for labels.
    pub(super) schema: Option<&'a LayerSchema>,
    /// Clusters in the order of their cells, then features in the order of their ids.
    pub(super) features: Vec<TileFeature<'a>>,
}

/// A feature or a cluster of a tile.
pub(super) struct TileFeature<'a> {
    /// The feature id in the tile.
    pub(super) id: u64,
    /// In tile units.
    pub(super) geometry: TileGeometry,
    /// Properties, without unknown values.
    pub(super) properties: Vec<(Cow<'a, str>, Attribute<'a>)>,
    /// The feature; `None` for a cluster.
    pub(super) row: Option<Row<'a>>,
}

impl<'a> TileLayer<'a> {
    pub(super) fn select(layer: &'a Layer, address: TileAddress, filter: Option<RowFilter<'_>>) -> Self {
        let schema = layer.schema();
        let content = layer.tile_content(&window(address), filter);
        let mut rows = content.rows;
        rows.sort_unstable_by_key(Row::id);
        let view = View::public(schema);
        let fields: Vec<(usize, &'a str)> =
            view.fields().filter(|(_, field)| field.in_tiles).map(|(at, field)| (at, field.name.as_str())).collect();
        let mut features = Vec::with_capacity(content.clusters.len() + rows.len());
        if let Some(config) = &schema.clusters {
            let draw = |(cell, stats): &(CellAddress, ClusterStats)| cluster(config, *cell, stats, address);
            features.extend(content.clusters.iter().filter_map(draw));
        }
        let is_simplified = address.mercator_zoom() < FULL_DETAIL_ZOOM;
        for row in rows {
            let Some(stored) = row.shape() else { continue };
            let vertex_zooms = if is_simplified { layer.vertex_zooms(&row) } else { None };
            let Some(geometry) = clip::project(stored.geometry(), vertex_zooms, address) else { continue };
            let id = (Cow::Borrowed("id"), Attribute::Text(row.id().as_str().into()));
            let values = fields.iter().filter_map(|(at, name)| Some(((*name).into(), Attribute::of(row.cell(*at))?)));
            let properties = std::iter::once(id).chain(values).collect();
            features.push(TileFeature { id: stable_number(row.id()), geometry, properties, row: Some(row) });
        }
        Self { name: &schema.id, importance: schema.importance, schema: Some(schema), features }
    }

    /// A layer for names of lines and areas. A tile over its size budget omits them first.
    pub(super) fn labels() -> Self {
        Self { name: LABELS, importance: u8::MAX, schema: None, features: Vec::new() }
    }

    /// Adds the names of the lines and areas of a layer that are drawn one by one, each in the one tile that contains
    /// its label point.
    pub(super) fn add_labels(&mut self, layer: &'a Layer, address: TileAddress, filter: Option<RowFilter<'_>>) {
        if layer.schema().geometry == GeometryKind::Point {
            return;
        }
        let mut rows = layer.tile_content(&window(address), filter).rows;
        rows.sort_unstable_by_key(Row::id);
        let text = |text: &'a str| Attribute::Text(text.into());
        for row in rows {
            let Some(name) = layer.text(&row, "name").filter(|name| !name.is_empty()) else { continue };
            let Some(at) = row.label_point() else { continue };
            let Some(geometry) = clip::project_grid_point(address.plane().grid_point(at.x, at.y), address) else {
                continue;
            };
            let properties = [("id", row.id().as_str()), ("layer", &layer.schema().id), ("name", name)]
                .map(|(key, own)| (key.into(), text(own)));
            self.features.push(TileFeature {
                id: stable_number(row.id()),
                geometry,
                properties: properties.into(),
                row: Some(row),
            });
        }
    }
}

pub(super) fn window(address: TileAddress) -> TileWindow {
    let (x, y) = address.column_and_row();
    TileWindow { plane: address.plane(), zoom: address.zoom(), x, y, envelope: visible_envelope(address) }
}

fn cluster<'a>(
    config: &'a ClusterConfig,
    cell: CellAddress,
    stats: &ClusterStats,
    address: TileAddress,
) -> Option<TileFeature<'a>> {
    let geometry = clip::project_grid_point(stats.center(), address)?;
    let bounds = stats.bounds().to_array().map(|degrees| format!("{degrees:.6}")).join(",");
    let properties = stats.properties(config).into_iter();
    let properties = properties.filter_map(|(name, value)| Some((name, Attribute::of(value)?)));
    let properties = properties.chain([("bbox".into(), Attribute::Text(bounds.into()))]).collect();
    Some(TileFeature { id: cell.id(), geometry, properties, row: None })
}

/// A stable numeric id from a feature id: FNV-1a, truncated to 52 bits. JavaScript represents those exactly, and so it
/// does twice the difference of two of them, which MapLibre Tiles encode.
fn stable_number(id: &FeatureId) -> u64 {
    let hash = id
        .as_str()
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    hash >> 12
}
