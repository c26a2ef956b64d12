//! PMTiles archives: the tiles of some layers, zooms and an area in one file, for machines without a network.

use std::io::{Seek, Write};
use std::ops::RangeInclusive;

use pmtiles::{Compression, PmTilesWriter, PmtError, TileCoord, TileId, TileType};
use rayon::prelude::*;

use super::compress::{ContentEncoding, compress};
use super::{
    Drawing, EncodeError, EncodedTile, Labels, TileAddress, TileFormat, TileMatrixSet, render, visible_envelope,
};
use crate::geodesy::Envelope;
use crate::snapshot::Layer;

/// Member of the metadata: the role whose view the archive contains.
pub const ROLE_KEY: &str = "onemap:role";
/// Tiles rendered on all cores before they are written.
const BATCH: usize = 256;

/// The content of an archive.
#[derive(Clone)]
pub struct Pack<'a> {
    /// Layers of one snapshot, in drawing order.
    pub layers: Vec<&'a Layer>,
    /// The area; tiles that intersect it are included.
    pub envelope: Envelope,
    /// Zooms of WebMercatorQuad.
    pub zooms: RangeInclusive<u8>,
    /// Format of the tiles.
    pub format: TileFormat,
    /// Maximum size of a tile before compression, bytes.
    pub budget_bytes: usize,
    /// Metadata: a JSON object with `vector_layers` as in TileJSON 3.0.
    pub metadata: String,
}

/// What an archive contains.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PackSummary {
    /// Number of tiles with content.
    pub tiles: u64,
    /// Number of tiles that omit features over the size budget.
    pub over_budget: u64,
}

/// Why an archive was not written.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// The file cannot be written.
    #[error(transparent)]
    File(#[from] PmtError),
    /// A tile cannot be compressed.
    #[error("a tile cannot be compressed: {0}")]
    Compression(std::io::Error),
    /// A tile cannot be encoded.
    #[error(transparent)]
    Encoding(#[from] EncodeError),
    /// The caller stopped it.
    #[error("interrupted")]
    Interrupted,
}

impl Pack<'_> {
    /// Addresses of the tiles that can have content, in the order of the archive.
    #[must_use]
    pub fn addresses(&self) -> Vec<TileAddress> {
        let mut all: Vec<(u64, TileAddress)> = Vec::new();
        let mut level: Vec<TileAddress> = self.parts(0, (0, 0), 1);
        for zoom in 0..=*self.zooms.end() {
            if zoom > 0 {
                level = level
                    .par_iter()
                    .flat_map_iter(|parent| {
                        let (x, y) = parent.column_and_row();
                        self.parts(zoom, (2 * x, 2 * y), 2)
                    })
                    .collect();
            }
            if self.zooms.contains(&zoom) {
                let numbered = |address: &TileAddress| Some((TileId::from(coord(*address)?).value(), *address));
                all.extend(level.iter().filter_map(numbered));
            }
        }
        all.sort_unstable_by_key(|(id, _)| *id);
        all.into_iter().map(|(_, address)| address).collect()
    }

    /// The tiles of a square of columns and rows that can have content.
    fn parts(&self, zoom: u8, (x, y): (u32, u32), side: u32) -> Vec<TileAddress> {
        let addresses = (0..side).flat_map(|row| (0..side).map(move |column| (x + column, y + row)));
        let addresses =
            addresses.filter_map(|(x, y)| TileAddress::new(TileMatrixSet::WebMercatorQuad, zoom, x, y).ok());
        addresses.filter(|address| self.can_have_content(*address)).collect()
    }

    fn can_have_content(&self, address: TileAddress) -> bool {
        let around = visible_envelope(address);
        address.buffered_envelope(0.0).intersects(&self.envelope)
            && self.layers.iter().any(|layer| layer.rows_in(&around).next().is_some())
    }

    /// Writes the archive; equal features give equal bytes. `progress` receives the number of finished addresses and
    /// returns whether to go on.
    ///
    /// # Errors
    /// When the file cannot be written, or `progress` ends it.
    pub fn write(
        &self,
        out: impl Write + Seek,
        addresses: &[TileAddress],
        progress: &mut dyn FnMut(usize) -> bool,
    ) -> Result<PackSummary, PackError> {
        let tile_type = match self.format {
            TileFormat::Mvt => TileType::Mvt,
            TileFormat::Mlt => TileType::Mlt,
        };
        let own = &self.envelope;
        let (lon, lat) = (f64::midpoint(own.west(), own.east()), f64::midpoint(own.south(), own.north()));
        let mut archive = PmTilesWriter::new(tile_type)
            .precompressed(Compression::Gzip)
            .min_zoom(*self.zooms.start())
            .max_zoom(*self.zooms.end())
            .bounds(own.west(), own.south(), own.east(), own.north())
            .center(lon, lat)
            .center_zoom(*self.zooms.start())
            .metadata(self.metadata.as_str())
            .create(out)?;
        let mut summary = PackSummary::default();
        let mut finished = 0;
        for batch in addresses.chunks(BATCH) {
            let tiles: Vec<(EncodedTile, Vec<u8>)> =
                batch.par_iter().map(|address| self.tile(*address)).collect::<Result<_, PackError>>()?;
            for (address, (tile, compressed)) in batch.iter().zip(tiles) {
                if tile.bytes.is_empty() {
                    continue;
                }
                let Some(coord) = coord(*address) else { continue };
                archive.add_tile(coord, &compressed)?;
                summary.tiles += 1;
                summary.over_budget += u64::from(!tile.omitted.is_empty());
            }
            finished += batch.len();
            if !progress(finished) {
                return Err(PackError::Interrupted);
            }
        }
        archive.finalize()?;
        Ok(summary)
    }

    fn tile(&self, address: TileAddress) -> Result<(EncodedTile, Vec<u8>), PackError> {
        let tile = render(
            &self.layers,
            Drawing::Features(Labels::OfFirst(self.layers.len())),
            address,
            self.format,
            None,
            self.budget_bytes,
        )?;
        let compressed = compress(&tile.bytes, ContentEncoding::Gzip).map_err(PackError::Compression)?;
        Ok((tile, compressed))
    }
}

/// The address in the archive's terms.
fn coord(address: TileAddress) -> Option<TileCoord> {
    let (x, y) = address.column_and_row();
    TileCoord::new(address.zoom(), x, y).ok()
}
