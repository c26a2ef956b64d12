//! The map of the printed page as SVG: metres around a centre, north up.

use std::fmt::Write;

use geo::{CoordsIter, Geometry, LineString};
use maud::{Markup, html};

use crate::geodesy::{Envelope, LonLat};
use crate::http::reply::page_language::PageLanguage;
use crate::model::catalog::CodeValue;
use crate::model::{Catalog, Shape};
use crate::query::surroundings::{Area, Surroundings};
use crate::snapshot::{Layer, Row, Snapshot};

/// Size of the map, pixels.
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 440.0;
/// Maximum number of features drawn for one layer.
const MAX_DRAWN: usize = 4_000;
/// Maximum number of secondary hazards that get a number.
const MAX_NUMBERED: usize = 9;
/// The code list of risk levels, and the field that holds them.
pub(crate) const LEVELS: &str = "risk_level";
const METRES_PER_DEGREE: f64 = 111_195.0;

/// Draws the area, the features around it, and numbers for the first secondary hazards.
pub(crate) fn map(
    (catalog, language): (&Catalog, PageLanguage),
    snapshot: &Snapshot,
    area: &Area,
    found: &Surroundings<'_>,
) -> Markup {
    let (centre, half_width_m, half_height_m) = match area {
        Area::Rings(at, radii) => (*at, radii.last().copied().unwrap_or(1.0), radii.last().copied().unwrap_or(1.0)),
        Area::Around(shape, radii) => {
            let (centre, width_m, height_m) = bounds_of(shape);
            let farthest_m = radii.last().copied().unwrap_or_default();
            (centre, width_m + farthest_m, height_m + farthest_m)
        }
        Area::Inside(shape) => bounds_of(shape),
    };
    let pixels_per_m = (WIDTH / 2.0 / half_width_m).min(HEIGHT / 2.0 / half_height_m) * 0.94;
    let map = MapSvg { centre, pixels_per_m, language };
    let shown = Envelope::from(centre).padded((WIDTH.hypot(HEIGHT) / 2.0 / pixels_per_m).min(5_000_000.0));
    html! {
        svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label=(language.say("位置图", "Map")) {
            @for layer in snapshot.layers() {
                @for row in layer.rows_in(&shown).take(MAX_DRAWN) { (map.feature(catalog, layer, &row)) }
            }
            @match area {
                Area::Rings(_, radii) => (map.rings(radii)),
                Area::Around(shape, _) | Area::Inside(shape) => (map.shape(shape, "fill:none;stroke:#b3261e;stroke-width:2.5")),
            }
            @for (index, hazard) in found.secondary_hazards.iter().take(MAX_NUMBERED).enumerate() {
                @if let Some(at) = hazard.row.shape().and_then(Shape::as_point) { (map.number(at, index + 1)) }
            }
            (map.scale_bar())
            (north_arrow(language))
        }
    }
}

/// Centre of a shape, and half of its width and height with a margin, metres.
fn bounds_of(shape: &Shape) -> (LonLat, f64, f64) {
    let bounds = Envelope::around(shape.geometry()).unwrap_or(Envelope::WORLD);
    let (lon, lat) = (f64::midpoint(bounds.west(), bounds.east()), f64::midpoint(bounds.south(), bounds.north()));
    // The centre of valid bounds is a valid position.
    let centre = LonLat::try_from(geo::Coord { x: lon, y: lat }).unwrap_or(LonLat::ORIGIN);
    let height_m = (bounds.north() - bounds.south()) * METRES_PER_DEGREE / 2.0;
    let width_m = (bounds.east() - bounds.west()) * METRES_PER_DEGREE * lat.to_radians().cos() / 2.0;
    (centre, width_m.max(50.0) * 1.1, height_m.max(50.0) * 1.1)
}

/// Converts positions to pixels of the map.
struct MapSvg {
    centre: LonLat,
    pixels_per_m: f64,
    language: PageLanguage,
}

impl MapSvg {
    fn pixel(&self, lon: f64, lat: f64) -> (f64, f64) {
        let east_m = (lon - self.centre.lon()) * METRES_PER_DEGREE * self.centre.lat().to_radians().cos();
        let north_m = (lat - self.centre.lat()) * METRES_PER_DEGREE;
        (WIDTH / 2.0 + east_m * self.pixels_per_m, HEIGHT / 2.0 - north_m * self.pixels_per_m)
    }

    fn feature(&self, catalog: &Catalog, layer: &Layer, row: &Row<'_>) -> Markup {
        let level = layer.integer(row, LEVELS).map(CodeValue::Integer);
        let by_level = level.and_then(|level| catalog.color(LEVELS, &level)).unwrap_or("#8b94a0");
        let schema = layer.schema();
        let is_line = row.shape().is_some_and(|shape| is_line(shape.geometry()));
        let style = match (schema.group.as_str(), schema.id.as_str()) {
            (_, "rivers") => format!("fill:none;stroke:#9dc4dd;stroke-width:{}", self.river_width(layer, row)),
            (_, "county") => return Markup::default(),
            (_, "townships") => "fill:#fbfaf6;stroke:#b9c0c9;stroke-dasharray:5 3".to_owned(),
            (_, "risk_zones") => format!("fill:{by_level};fill-opacity:.22;stroke:{by_level};stroke-width:.8"),
            (_, "roads") => "fill:none;stroke:#c9b98f;stroke-width:1.4".to_owned(),
            (_, "pipelines") => "fill:none;stroke:#7a6fd0;stroke-width:.9;stroke-dasharray:4 2".to_owned(),
            (_, "shelters") => "fill:#1b8a5a;stroke:#fff;stroke-width:.8".to_owned(),
            ("rescue", _) => "fill:#6a3fb5;stroke:#fff;stroke-width:.8".to_owned(),
            ("event", _) => "fill:#b3261e;fill-opacity:.05;stroke:#b3261e;stroke-dasharray:8 3".to_owned(),
            ("risk", _) if is_line => format!("fill:none;stroke:{by_level};stroke-width:1.6"),
            ("base", _) if is_line => "fill:none;stroke:#5b6673;stroke-width:.8".to_owned(),
            ("risk", _) => format!("fill:{by_level};stroke:#fff;stroke-width:.5"),
            ("base", _) => "fill:#5b6673;stroke:#fff;stroke-width:.5".to_owned(),
            _ => return Markup::default(),
        };
        row.shape().map_or_else(Markup::default, |shape| self.shape(shape, &style))
    }

    /// The true width of a river in pixels, at least that of a line that is seen.
    fn river_width(&self, layer: &Layer, row: &Row<'_>) -> String {
        let width_m = layer.schema().position("width_m").and_then(|at| row.real(at)).unwrap_or_default();
        format!("{:.1}", (width_m * self.pixels_per_m).clamp(1.0, WIDTH))
    }

    fn shape(&self, shape: &Shape, style: &str) -> Markup {
        let geometry = shape.geometry();
        if !matches!(geometry, Geometry::Point(_) | Geometry::MultiPoint(_)) {
            return html! { path d=(self.path(geometry)) style={ (style) ";fill-rule:evenodd" } {} };
        }
        html! {
            @for coord in geometry.coords_iter() {
                @let (x, y) = self.pixel(coord.x, coord.y);
                circle cx=(tenths(x)) cy=(tenths(y)) r="3" style=(style) {}
            }
        }
    }

    /// The path data of lines and rings.
    fn path(&self, geometry: &Geometry) -> String {
        let mut path = String::new();
        let mut line = |line: &LineString, is_closed: bool| {
            for (index, coord) in line.coords().enumerate() {
                let (x, y) = self.pixel(coord.x, coord.y);
                let _ = write!(path, "{}{x:.1} {y:.1}", if index == 0 { 'M' } else { 'L' });
            }
            if is_closed {
                path.push('Z');
            }
        };
        let mut polygon = |polygon: &geo::Polygon| {
            line(polygon.exterior(), true);
            polygon.interiors().iter().for_each(|ring| line(ring, true));
        };
        match geometry {
            Geometry::Polygon(own) => polygon(own),
            Geometry::MultiPolygon(own) => own.iter().for_each(polygon),
            Geometry::LineString(own) => line(own, false),
            Geometry::MultiLineString(own) => own.iter().for_each(|own| line(own, false)),
            _ => {}
        }
        path
    }

    /// The rings with their radii, metres, and a cross at the centre.
    fn rings(&self, radii: &[f64]) -> Markup {
        let (x, y) = (WIDTH / 2.0, HEIGHT / 2.0);
        html! {
            @for radius_m in radii {
                @let pixels = radius_m * self.pixels_per_m;
                circle cx=(x) cy=(y) r=(tenths(pixels)) style="fill:none;stroke:#b3261e;stroke-dasharray:6 4" {}
                text x=(x) y=(tenths(y - pixels + 12.0)) style="font:10px sans-serif;fill:#b3261e;text-anchor:middle" {
                    (self.language.metres(*radius_m))
                }
            }
            path d={ "M" (x - 8.0) " " (y) "h16M" (x) " " (y - 8.0) "v16" } style="stroke:#b3261e;stroke-width:2" {}
        }
    }

    fn number(&self, at: LonLat, number: usize) -> Markup {
        let (x, y) = self.pixel(at.lon(), at.lat());
        html! {
            circle cx=(tenths(x)) cy=(tenths(y)) r="7" style="fill:#b3261e;stroke:#fff" {}
            text x=(tenths(x)) y=(tenths(y + 3.2)) style="font:bold 9px sans-serif;fill:#fff;text-anchor:middle" {
                (number)
            }
        }
    }

    /// A scale bar of a round length, at most a quarter of the map's width.
    fn scale_bar(&self) -> Markup {
        let longest_m = WIDTH / 4.0 / self.pixels_per_m;
        let power = 10_f64.powf(longest_m.log10().floor());
        let bar_m = [5.0, 2.0, 1.0].into_iter().map(|step| step * power).find(|bar| *bar <= longest_m).unwrap_or(power);
        let (pixels, y) = (bar_m * self.pixels_per_m, HEIGHT - 17.0);
        html! {
            path d={ "M14 " (y) "v5h" (tenths(pixels)) "v-5" } style="fill:none;stroke:#1d2530;stroke-width:1.5" {}
            text x=(tenths(14.0 + pixels / 2.0)) y=(y) style="font:10px sans-serif;text-anchor:middle" { (self.language.metres(bar_m)) }
        }
    }
}

fn north_arrow(language: PageLanguage) -> Markup {
    html! {
        path d={ "M" (WIDTH - 30.0) " 34l6-18 6 18-6-4z" } style="fill:#1d2530" {}
        text x=(WIDTH - 24.0) y="46" style="font:bold 11px sans-serif;text-anchor:middle" { (language.say("北", "N")) }
    }
}

/// Pixels with one decimal.
fn tenths(pixels: f64) -> String {
    format!("{pixels:.1}")
}

fn is_line(geometry: &Geometry) -> bool {
    matches!(geometry, Geometry::LineString(_) | Geometry::MultiLineString(_))
}
