//! The OGC API: Features (parts 1 to 5 and sorting) and Tiles, for QGIS, GDAL, ArcGIS, OpenLayers and the like.

pub(crate) mod collections;
pub(crate) mod conformance;
pub(crate) mod edit_target;
pub(crate) mod edits;
pub(crate) mod items;
pub(crate) mod items_file;
pub(crate) mod items_html;
pub(crate) mod items_links;
pub(crate) mod items_params;
pub(crate) mod json_fg;
pub(crate) mod landing;
pub(crate) mod pages;
pub(crate) mod schemas;
pub(crate) mod styles;
