//! Vector tiles by column and row, TileJSON, and OGC tile sets.

pub(crate) mod pages;
pub(crate) mod tilesets;
pub(crate) mod xyz;
