//! Vector tiles by column and row, TileJSON, OGC tile sets, and archives of tiles.

pub(crate) mod packs;
pub(crate) mod pages;
pub(crate) mod requested;
pub(crate) mod tile_catalog;
pub(crate) mod tilesets;
pub(crate) mod xyz;
