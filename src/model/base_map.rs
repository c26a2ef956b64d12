//! A base map: raster or vector tiles of somebody else below the layers.

use serde::Deserialize;

/// Placeholders that a template must have.
const PLACEHOLDERS: [&str; 3] = ["{z}", "{x}", "{y}"];

/// Datum of a base map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BaseMapDatum {
    /// WGS 84, or CGCS2000, which is the same to a metre.
    #[default]
    Wgs84,
    /// GCJ-02, as commercial Chinese maps have it.
    Gcj02,
}

/// The schema of vector tiles, by which they are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VectorSchema {
    /// OpenMapTiles 3.
    OpenMapTiles,
    /// Protomaps basemap 4.
    Protomaps,
    /// Shortbread 1.
    Shortbread,
}

impl VectorSchema {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenMapTiles => "openmaptiles",
            Self::Protomaps => "protomaps",
            Self::Shortbread => "shortbread",
        }
    }

    /// Zoom of the most detailed tiles of its usual archives.
    #[must_use]
    pub const fn max_zoom(self) -> u8 {
        match self {
            Self::OpenMapTiles | Self::Shortbread => 14,
            Self::Protomaps => 15,
        }
    }
}

/// A base map in Web Mercator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseMap {
    /// Templates of tile URLs with `{z}`, `{x}` and `{y}`: absolute, or paths on this server. Each is drawn over the
    /// one before, such as names over imagery.
    pub tiles: Vec<TileTemplate>,
    /// The source, as its owner wants it named.
    pub attribution: Option<String>,
    /// Zoom of the most detailed tiles.
    pub max_zoom: u8,
    /// Side of a raster tile, pixels.
    pub tile_px: u16,
    /// The schema of vector tiles, which have one template; `None` for raster tiles.
    pub schema: Option<VectorSchema>,
    /// Its datum.
    pub datum: BaseMapDatum,
}

/// A checked template of tile URLs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TileTemplate {
    text: String,
    /// Length of the origin; 0 for a path on this server.
    origin: usize,
}

impl TileTemplate {
    /// Checks a template.
    ///
    /// # Errors
    /// What is wrong with it, and what is accepted.
    pub fn parse(text: &str) -> Result<Self, String> {
        const ACCEPTED: &str = "a URL such as https://tiles.example/{z}/{x}/{y}.png, or a path on this server such as \
                                /packs/base.pmtiles/{z}/{x}/{y}";
        let refused = |reason: &str| Err(format!("{text:?} {reason}; accepted: {ACCEPTED}"));
        if let Some(missing) = PLACEHOLDERS.into_iter().find(|own| !text.contains(own)) {
            return refused(&format!("has no {missing}"));
        }
        if text.chars().any(|own| own.is_whitespace() || own.is_control()) {
            return refused("contains blanks");
        }
        if text.starts_with('/') && !text.starts_with("//") {
            return Ok(Self { text: text.to_owned(), origin: 0 });
        }
        let Some(rest) = ["https://", "http://"].iter().find_map(|scheme| text.strip_prefix(scheme)) else {
            return refused("is neither http nor https");
        };
        let host = rest.split('/').next().unwrap_or_default();
        // The origin becomes part of a header.
        let is_plain = |own: char| own.is_ascii_alphanumeric() || ".-:[]".contains(own);
        if host.is_empty() || !host.chars().all(is_plain) {
            return refused("has no plain host name");
        }
        let origin = text.len() - rest.len() + host.len();
        Ok(Self { text: text.to_owned(), origin })
    }

    /// The origin, such as `https://tiles.example`; `None` for this server.
    #[must_use]
    pub fn origin(&self) -> Option<&str> {
        self.text.get(..self.origin).filter(|origin| !origin.is_empty())
    }

    /// The template as an absolute URL, with the base URL of this server.
    #[must_use]
    pub fn url(&self, base: &str) -> String {
        if self.origin == 0 { format!("{base}{}", self.text) } else { self.text.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_urls_with_placeholders_or_paths() {
        let origin = |text: &str| TileTemplate::parse(text).map(|own| own.origin().map(str::to_owned));
        let tianditu = "https://t0.tianditu.gov.cn/vec_w/wmts?LAYER=vec&TILEMATRIX={z}&TILEROW={y}&TILECOL={x}&tk=k";
        assert_eq!(origin(tianditu), Ok(Some("https://t0.tianditu.gov.cn".to_owned())));
        assert_eq!(origin("http://10.1.2.3:8000/{z}/{x}/{y}"), Ok(Some("http://10.1.2.3:8000".to_owned())));
        assert_eq!(origin("/packs/base.pmtiles/{z}/{x}/{y}"), Ok(None));
        for wrong in [
            "https://tiles.example/{z}/{x}.png",
            "tiles.example/{z}/{x}/{y}",
            "//tiles.example/{z}/{x}/{y}",
            "ftp://tiles.example/{z}/{x}/{y}",
            "https:///{z}/{x}/{y}",
            "https://a;script-src *.example/{z}/{x}/{y}",
            "https://a' b/{z}/{x}/{y}",
            "https://user@host/{z}/{x}/{y}",
        ] {
            assert!(origin(wrong).is_err_and(|reason| reason.contains("accepted")), "{wrong}");
        }
    }
}
