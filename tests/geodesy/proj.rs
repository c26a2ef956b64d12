//! Projected systems compared with PROJ, by the program `gdaltransform`.

use std::io::Write;
use std::process::{Command, Stdio};

use onemap::geodesy::LonLat;
use onemap::geodesy::crs::Crs;
use onemap::geodesy::crs_transform::CrsTransform;

use crate::support::chances;

/// EPSG code, central meridian and half the width of the zone, degrees.
const SYSTEMS: [(u32, f64, f64); 15] = [
    (4491, 75.0, 3.0),
    (4498, 117.0, 3.0),
    (4501, 135.0, 3.0),
    (4502, 75.0, 3.0),
    (4509, 117.0, 3.0),
    (4512, 135.0, 3.0),
    (4513, 75.0, 1.5),
    (4528, 120.0, 1.5),
    (4533, 135.0, 1.5),
    (4534, 75.0, 1.5),
    (4548, 117.0, 1.5),
    (4549, 120.0, 1.5),
    (4554, 135.0, 1.5),
    (3857, 118.0, 20.0),
    (32650, 117.0, 3.0),
];
const POINTS_OF_SYSTEM: usize = 700;

/// The positions in a system by PROJ: easting and northing.
fn projected(epsg: u32, places: &[(f64, f64)]) -> Vec<(f64, f64)> {
    // UTM is a system of WGS 84, the others of CGCS2000; both have the same coordinates here.
    let from = if epsg == 3857 || epsg > 32_000 { "EPSG:4326" } else { "EPSG:4490" };
    let mut child = Command::new("gdaltransform")
        .args(["-s_srs", from, "-t_srs", &format!("EPSG:{epsg}"), "-output_xy"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("gdaltransform; scripts/install-test-tools installs it");
    let mut input = child.stdin.take().expect("an input");
    let text: String = places.iter().fold(String::new(), |text, (lon, lat)| text + &format!("{lon} {lat}\n"));
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let output = child.wait_with_output().expect("an output");
    writer.join().expect("written").expect("written");
    let numbers = |line: &str| {
        let mut numbers = line.split_whitespace().map(|number| number.parse::<f64>().expect("a number"));
        (numbers.next().expect("an easting"), numbers.next().expect("a northing"))
    };
    String::from_utf8(output.stdout).expect("text").lines().map(numbers).collect()
}

#[test]
fn projected_systems_equal_those_of_proj_to_a_millimetre() {
    let mut chance = chances(4549);
    for (epsg, meridian, half_width) in SYSTEMS {
        let place = |_| (meridian + (chance() * 2.0 - 1.0) * half_width, 3.0 + chance() * 51.0);
        let places: Vec<(f64, f64)> = (0..POINTS_OF_SYSTEM).map(place).collect();
        let own = Crs::parse(&format!("EPSG:{epsg}")).and_then(CrsTransform::new).expect("a system");
        let theirs = projected(epsg, &places);
        assert_eq!(theirs.len(), places.len(), "EPSG:{epsg}");
        for ((lon, lat), (easting, northing)) in places.into_iter().zip(theirs) {
            let at = LonLat::new(lon, lat).expect("a position");
            let [x, y] = own.pair(at).expect("a place in the zone");
            let off = (x - easting).hypot(y - northing);
            assert!(off < 0.001, "EPSG:{epsg} at {lon},{lat}: {x},{y} and {easting},{northing}");
            let back = own.position(easting, northing).expect("a position");
            let off = onemap::geodesy::distance::distance_m(at, back);
            assert!(off < 0.001, "EPSG:{epsg} back from {easting},{northing}: {off} m");
        }
    }
}
