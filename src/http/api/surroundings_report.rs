//! The surroundings as a page to print: Chinese, A4, with a small map, without scripts.

use std::fmt::Write;

use crate::clock;
use crate::geodesy::{Envelope, LonLat};
use crate::http::api::labels::{hazard_type, label_of};
use crate::http::api::surroundings_params::SurroundingsRequest;
use crate::http::reply::freshness::RequestSnapshot;
use crate::http::reply::html::escape;
use crate::model::{Catalog, Shape, format_date};
use crate::query::surroundings::{Area, LayerCount, Surroundings};
use crate::snapshot::{Layer, Row, Snapshot};
use geo::{CoordsIter, Geometry, LineString};

/// Nothing is loaded, nothing runs.
pub(crate) const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// Size of the map, millimetres of paper times four.
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 440.0;
/// Most features of a layer that are drawn.
const MAX_DRAWN: usize = 4_000;
const METRES_PER_DEGREE: f64 = 111_195.0;

const STYLE: &str = "\
@page{size:A4;margin:14mm}*{box-sizing:border-box}\
body{font:10.5pt/1.5 'Noto Sans CJK SC','Source Han Sans SC','Microsoft YaHei',sans-serif;color:#1d2530;max-width:186mm;margin:8mm auto;background:#fff}\
h1{font-size:20pt;margin:0 0 1mm}h2{font-size:12.5pt;margin:6mm 0 2mm;border-left:3px solid #b3261e;padding-left:2.5mm}\
header{display:flex;justify-content:space-between;align-items:flex-end;border-bottom:2px solid #b3261e;padding-bottom:2mm;margin-bottom:4mm}\
header p{margin:0;color:#5b6673;font-size:9.5pt;text-align:right}.stale{background:#fff1d6;border:1px solid #e0a100;padding:1.5mm 3mm}\
table{border-collapse:collapse;width:100%;font-size:9.5pt;break-inside:auto}th,td{border-bottom:1px solid #dfe4ea;padding:1mm 2mm;text-align:left;vertical-align:top}\
th{background:#f4f6f8;font-weight:600}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}tr{break-inside:avoid}\
svg{width:100%;height:auto;border:1px solid #cfd6de;background:#fbfaf6;display:block}.chips{display:flex;gap:4mm;margin:0 0 4mm}\
.chip{flex:1;border:1px solid #dfe4ea;border-radius:2mm;padding:2mm 3mm}.chip b{display:block;font-size:15pt}.chip span{color:#5b6673;font-size:9pt}\
footer{margin-top:6mm;color:#5b6673;font-size:8.5pt;border-top:1px solid #dfe4ea;padding-top:1.5mm}\
.legend span{margin-right:4mm;white-space:nowrap}.legend i{display:inline-block;width:2.6mm;height:2.6mm;margin-right:1mm}";

/// The page.
pub(crate) fn page(
    catalog: &Catalog,
    current: &RequestSnapshot,
    wanted: &SurroundingsRequest,
    found: &Surroundings<'_>,
) -> String {
    let title = wanted.title.as_deref().map_or_else(|| place_name(&wanted.ask.area), str::to_owned);
    let mut html = format!(
        "<!doctype html><html lang=\"zh-CN\"><head><meta charset=\"utf-8\"><title>周边分析 {0}</title><style>{STYLE}</style></head>\
         <body><header><h1>周边分析</h1><p>{0}<br>{1}　数据版本 {2}</p></header>",
        escape(&title),
        now(),
        current.snapshot.version()
    );
    if current.is_stale() {
        let _ = write!(html, "<p class=\"stale\">数据可能已过时：{}秒前与数据库一致。</p>", current.age_s());
    }
    chips(&mut html, found);
    html.push_str(&map(&current.snapshot, &wanted.ask.area, found));
    html.push_str(LEGEND);
    counts(catalog, &mut html, found);
    secondary_hazards(catalog, &mut html, found);
    help(&mut html, found);
    let day = format_date(clock::today());
    let _ = write!(
        html,
        "<footer>距离为椭球面测地线距离；未知不按零计。本页由 onemap 于 {day} 生成。</footer></body></html>"
    );
    html
}

const LEGEND: &str = "<p class=\"legend\"><span><i style=\"background:#d7263d\"></i>重大</span><span><i style=\"background:#f28322\"></i>较大</span>\
    <span><i style=\"background:#f2c511\"></i>一般</span><span><i style=\"background:#2176c7\"></i>低风险</span>\
    <span><i style=\"background:#1b8a5a\"></i>避灾点</span><span><i style=\"background:#6a3fb5\"></i>队伍、物资</span>\
    <span><i style=\"background:#5b6673\"></i>村居、场所</span></p>";

fn place_name(area: &Area) -> String {
    match area {
        Area::Rings(at, _) => format!("东经{:.5}°　北纬{:.5}°", at.lon(), at.lat()),
        Area::Inside(_) => "指定区域".to_owned(),
    }
}

fn now() -> String {
    let now = clock::now().to_offset(time::macros::offset!(+8));
    let format = time::macros::format_description!("[year]年[month]月[day]日 [hour]:[minute]");
    now.format(format).unwrap_or_default()
}

/// The widest ring in four figures.
fn chips(html: &mut String, found: &Surroundings<'_>) {
    let Some(ring) = found.rings.last() else { return };
    let within = ring.radius_m.map_or("区域内".to_owned(), |radius| format!("{radius:.0}米内"));
    let count = |id: &str| {
        ring.layers
            .iter()
            .find(|layer_count| layer_count.layer.schema().id == id)
            .map_or(0, |layer_count| layer_count.count)
    };
    let people = |id: &str| {
        let layer_count = ring.layers.iter().find(|layer_count| layer_count.layer.schema().id == id);
        layer_count.and_then(|layer_count| layer_count.people).map_or(0, |people| people.known)
    };
    html.push_str("<div class=\"chips\">");
    for (figure, what) in [
        (people("villages"), "村居人口（人）"),
        (people("key_places"), "重点场所人数（人）"),
        (i64::try_from(count("hazards")).unwrap_or(i64::MAX), "风险源（处）"),
        (i64::try_from(count("shelters")).unwrap_or(i64::MAX), "避灾点（处）"),
    ] {
        let _ = write!(html, "<div class=\"chip\"><b>{figure}</b><span>{within}{what}</span></div>");
    }
    html.push_str("</div>");
}

fn counts(catalog: &Catalog, html: &mut String, found: &Surroundings<'_>) {
    let Some(widest) = found.rings.last() else { return };
    html.push_str("<h2>各类数量</h2><table><tr><th>图层</th>");
    for ring in &found.rings {
        let head = ring.radius_m.map_or("区域内".to_owned(), |radius| format!("{radius:.0} 米"));
        let _ = write!(html, "<th class=\"n\">{head}</th>");
    }
    html.push_str("<th>其中</th></tr>");
    for layer_count in &widest.layers {
        let _ = write!(html, "<tr><td>{}</td>", escape(&layer_count.layer.schema().title.zh));
        for ring in &found.rings {
            let own = ring.layers.iter().find(|own| own.layer.schema().id == layer_count.layer.schema().id);
            let _ = write!(html, "<td class=\"n\">{}</td>", own.map_or(0, |own| own.count));
        }
        let _ = write!(html, "<td>{}</td></tr>", escape(&parts(catalog, layer_count)));
    }
    html.push_str("</table>");
}

/// What a layer's features are made up of, in words.
fn parts(catalog: &Catalog, layer_count: &LayerCount<'_>) -> String {
    let mut parts: Vec<String> = Vec::new();
    if let Some(people) = layer_count.people {
        let unknown =
            if people.unknown_places > 0 { format!("，{}处不明", people.unknown_places) } else { String::new() };
        parts.push(format!("{}人{unknown}", people.known));
    }
    let field = layer_count.by.iter().find(|(field, _)| *field == "risk_level").or_else(|| layer_count.by.first());
    if let Some((field, counts)) = field {
        for (code, count) in counts {
            let label = label_of(catalog, layer_count.layer, field, code.as_deref()).zh;
            let length = layer_count.length_m.as_ref().and_then(|lengths| lengths.get(code));
            let length = length.map_or(String::new(), |metres| format!("（{metres:.0}米）"));
            parts.push(format!("{label}{count}{length}"));
        }
    }
    parts.join("、")
}

fn secondary_hazards(catalog: &Catalog, html: &mut String, found: &Surroundings<'_>) {
    const SHOWN: usize = 25;
    html.push_str("<h2>次生危险源（按危险程度）</h2>");
    if found.secondary_hazards.is_empty() {
        html.push_str("<p>范围内没有。</p>");
        return;
    }
    html.push_str(
        "<table><tr><th class=\"n\">序</th><th>名称</th><th>类别</th><th>等级</th><th class=\"n\">距离（米）</th></tr>",
    );
    for (index, hazard) in found.secondary_hazards.iter().take(SHOWN).enumerate() {
        let level = hazard.layer.integer(&hazard.row, "risk_level");
        let level = level.map(|level| label_of(catalog, hazard.layer, "risk_level", Some(&level.to_string())).zh);
        let kind = hazard_type(catalog, hazard.layer, &hazard.row).map_or(String::new(), |label| label.zh);
        let _ = write!(
            html,
            "<tr><td class=\"n\">{}</td><td>{}</td><td>{}</td><td>{}</td><td class=\"n\">{:.0}</td></tr>",
            index + 1,
            escape(hazard.layer.text(&hazard.row, "name").unwrap_or(hazard.row.id().as_str())),
            escape(&kind),
            escape(&level.unwrap_or_default()),
            hazard.distance_m
        );
    }
    html.push_str("</table>");
    let more = found.secondary_hazards.len().saturating_sub(SHOWN) + found.more_secondary_hazards;
    if more > 0 {
        let _ = write!(html, "<p>另有{more}处未列出。</p>");
    }
}

fn help(html: &mut String, found: &Surroundings<'_>) {
    html.push_str(
        "<h2>最近可用力量</h2><table><tr><th>类别</th><th>名称</th><th class=\"n\">距离（米）</th><th>方位</th></tr>",
    );
    for (layer, near) in &found.help {
        for near in near {
            let _ = write!(
                html,
                "<tr><td>{}</td><td>{}</td><td class=\"n\">{:.0}</td><td>{}</td></tr>",
                escape(&layer.schema().title.zh),
                escape(layer.text(&near.row, "name").unwrap_or(near.row.id().as_str())),
                near.distance_m,
                near.bearing_deg.map_or("原地", compass)
            );
        }
    }
    html.push_str("</table>");
}

/// One of eight directions.
fn compass(degrees: f64) -> &'static str {
    const NAMES: [&str; 8] = ["北", "东北", "东", "东南", "南", "西南", "西", "西北"];
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 8")]
    let at = (degrees.rem_euclid(360.0) / 45.0).round() as usize;
    NAMES[at % NAMES.len()]
}

/// A small map in metres around its middle, north up.
struct MapSvg {
    middle: LonLat,
    pixels_per_m: f64,
    svg: String,
}

fn map(snapshot: &Snapshot, area: &Area, found: &Surroundings<'_>) -> String {
    let (middle, half_width_m, half_height_m) = match area {
        Area::Rings(at, radii) => (*at, radii.last().copied().unwrap_or(1.0), radii.last().copied().unwrap_or(1.0)),
        Area::Inside(shape) => frame_of(shape),
    };
    let pixels_per_m = (WIDTH / 2.0 / half_width_m).min(HEIGHT / 2.0 / half_height_m) * 0.94;
    let mut sketch = MapSvg { middle, pixels_per_m, svg: String::new() };
    let _ = write!(sketch.svg, "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"位置图\">");
    let shown = Envelope::from(middle).padded((WIDTH.hypot(HEIGHT) / 2.0 / pixels_per_m).min(5_000_000.0));
    for layer in snapshot.layers() {
        for row in layer.rows_in(&shown).take(MAX_DRAWN) {
            sketch.draw(layer, &row);
        }
    }
    match area {
        Area::Rings(_, radii) => sketch.rings(radii),
        Area::Inside(shape) => sketch.shape(shape, "fill:none;stroke:#b3261e;stroke-width:2.5"),
    }
    for (index, hazard) in found.secondary_hazards.iter().take(9).enumerate() {
        if let Some(at) = hazard.row.shape().and_then(Shape::as_point) {
            let (x, y) = sketch.pixel(at.lon(), at.lat());
            let number = index + 1;
            let _ = write!(
                sketch.svg,
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"7\" style=\"fill:#b3261e;stroke:#fff\"/>\
                 <text x=\"{x:.1}\" y=\"{:.1}\" style=\"font:bold 9px sans-serif;fill:#fff;text-anchor:middle\">{number}</text>",
                y + 3.2
            );
        }
    }
    sketch.legend_and_scale();
    sketch.svg.push_str("</svg>");
    sketch.svg
}

fn frame_of(shape: &Shape) -> (LonLat, f64, f64) {
    let around = Envelope::around(shape.geometry()).unwrap_or(Envelope::WORLD);
    let (lon, lat) = (f64::midpoint(around.west(), around.east()), f64::midpoint(around.south(), around.north()));
    let middle = LonLat::try_from(geo::Coord { x: lon, y: lat });
    let height_m = (around.north() - around.south()) * METRES_PER_DEGREE / 2.0;
    let width_m = (around.east() - around.west()) * METRES_PER_DEGREE * lat.to_radians().cos() / 2.0;
    // Bounds of a shape are positions, so is their middle.
    let middle = middle.unwrap_or(LonLat::ORIGIN);
    (middle, width_m.max(50.0) * 1.1, height_m.max(50.0) * 1.1)
}

impl MapSvg {
    fn pixel(&self, lon: f64, lat: f64) -> (f64, f64) {
        let east_m = (lon - self.middle.lon()) * METRES_PER_DEGREE * self.middle.lat().to_radians().cos();
        let north_m = (lat - self.middle.lat()) * METRES_PER_DEGREE;
        (WIDTH / 2.0 + east_m * self.pixels_per_m, HEIGHT / 2.0 - north_m * self.pixels_per_m)
    }

    fn draw(&mut self, layer: &Layer, row: &Row<'_>) {
        let Some(shape) = row.shape() else { return };
        let schema = layer.schema();
        let by_level = match layer.integer(row, "risk_level") {
            Some(1) => "#d7263d",
            Some(2) => "#f28322",
            Some(3) => "#f2c511",
            Some(4) => "#2176c7",
            _ => "#8b94a0",
        };
        let style = match (schema.group.as_str(), schema.id.as_str()) {
            (_, "county") => return,
            (_, "townships") => "fill:#fbfaf6;stroke:#b9c0c9;stroke-dasharray:5 3".to_owned(),
            (_, "risk_zones") => format!("fill:{by_level};fill-opacity:.22;stroke:{by_level};stroke-width:.8"),
            (_, "roads") => "fill:none;stroke:#c9b98f;stroke-width:1.4".to_owned(),
            (_, "pipelines") => "fill:none;stroke:#7a6fd0;stroke-width:.9;stroke-dasharray:4 2".to_owned(),
            (_, "shelters") => "fill:#1b8a5a;stroke:#fff;stroke-width:.8".to_owned(),
            ("rescue", _) => "fill:#6a3fb5;stroke:#fff;stroke-width:.8".to_owned(),
            ("event", _) => "fill:#b3261e;fill-opacity:.05;stroke:#b3261e;stroke-dasharray:8 3".to_owned(),
            ("risk", _) => format!("fill:{by_level};stroke:#fff;stroke-width:.5"),
            ("base", _) => "fill:#5b6673;stroke:#fff;stroke-width:.5".to_owned(),
            _ => return,
        };
        self.shape(shape, &style);
    }

    fn shape(&mut self, shape: &Shape, style: &str) {
        match shape.geometry() {
            Geometry::Point(_) | Geometry::MultiPoint(_) => {
                for coord in shape.geometry().coords_iter() {
                    let (x, y) = self.pixel(coord.x, coord.y);
                    let _ = write!(self.svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" style=\"{style}\"/>");
                }
            }
            geometry => {
                let mut path = String::new();
                self.path(geometry, &mut path);
                let _ = write!(self.svg, "<path d=\"{path}\" style=\"{style};fill-rule:evenodd\"/>");
            }
        }
    }

    fn path(&self, geometry: &Geometry, path: &mut String) {
        let mut line = |line: &LineString, close: bool| {
            for (index, coord) in line.coords().enumerate() {
                let (x, y) = self.pixel(coord.x, coord.y);
                let _ = write!(path, "{}{x:.1} {y:.1}", if index == 0 { 'M' } else { 'L' });
            }
            if close {
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
    }

    fn rings(&mut self, radii: &[f64]) {
        let (x, y) = (WIDTH / 2.0, HEIGHT / 2.0);
        for radius in radii {
            let pixels = radius * self.pixels_per_m;
            let _ = write!(
                self.svg,
                "<circle cx=\"{x}\" cy=\"{y}\" r=\"{pixels:.1}\" style=\"fill:none;stroke:#b3261e;stroke-dasharray:6 4\"/>\
                 <text x=\"{x}\" y=\"{:.1}\" style=\"font:10px sans-serif;fill:#b3261e;text-anchor:middle\">{radius:.0} m</text>",
                y - pixels + 12.0
            );
        }
        let _ = write!(
            self.svg,
            "<path d=\"M{0} {1}h16M{2} {3}v16\" style=\"stroke:#b3261e;stroke-width:2\"/>",
            x - 8.0,
            y,
            x,
            y - 8.0
        );
    }

    /// A bar of round length, and where north is.
    fn legend_and_scale(&mut self) {
        let longest_m = WIDTH / 4.0 / self.pixels_per_m;
        let power = 10_f64.powf(longest_m.log10().floor());
        let bar_m = [5.0, 2.0, 1.0].into_iter().map(|step| step * power).find(|bar| *bar <= longest_m).unwrap_or(power);
        let (pixels, y) = (bar_m * self.pixels_per_m, HEIGHT - 14.0);
        let words = if bar_m >= 1_000.0 { format!("{} km", bar_m / 1_000.0) } else { format!("{bar_m} m") };
        let _ = write!(
            self.svg,
            "<path d=\"M14 {0}v5h{pixels:.1}v-5\" style=\"fill:none;stroke:#1d2530;stroke-width:1.5\"/>\
             <text x=\"{1:.1}\" y=\"{0}\" style=\"font:10px sans-serif;text-anchor:middle\">{words}</text>\
             <path d=\"M{2} 34l6-18 6 18-6-4z\" style=\"fill:#1d2530\"/>\
             <text x=\"{3}\" y=\"46\" style=\"font:bold 11px sans-serif;text-anchor:middle\">北</text>",
            y - 3.0,
            14.0 + pixels / 2.0,
            WIDTH - 30.0,
            WIDTH - 24.0
        );
    }
}
