//! Recognises the reference system of a `.prj` file (well-known text 1, as ESRI and GDAL write it).

/// The system as `EPSG:CODE` if it is one that is known; otherwise the name in the file, which is no known name.
#[must_use]
pub fn crs_of(wkt: &str) -> String {
    let name = wkt.split('"').nth(1).unwrap_or("an unnamed one").trim().to_owned();
    match epsg_of(wkt, &name) {
        Some(code) => format!("EPSG:{code}"),
        None => name,
    }
}

fn epsg_of(wkt: &str, name: &str) -> Option<u32> {
    // The authority of the whole system comes last.
    let flat: String = wkt.chars().filter(|own| !own.is_whitespace()).collect();
    let stated = flat.strip_suffix("]]").and_then(|whole| whole.rsplit_once("AUTHORITY[\"EPSG\",\""));
    if let Some(code) = stated.and_then(|(_, code)| code.trim_end_matches('"').parse().ok()) {
        return Some(code);
    }
    let plain: String = name.to_ascii_lowercase().replace([' ', '-', '/', '(', ')'], "_");
    let words: Vec<&str> = plain.split('_').filter(|word| !word.is_empty()).collect();
    let has = |word: &str| words.contains(&word);
    let is_cgcs = has("cgcs2000") || plain.contains("china_geodetic_coordinate_system_2000");
    if flat.starts_with("GEOGCS[") {
        let is_wgs = has("wgs") && (has("1984") || has("84"));
        return if is_cgcs { Some(4490) } else { is_wgs.then_some(4326) };
    }
    if plain.contains("web_mercator") || plain.contains("pseudo_mercator") {
        return Some(3857);
    }
    // CGCS2000_3_Degree_GK_CM_117E, CGCS2000_3_Degree_GK_Zone_39, CGCS2000_GK_CM_117E, CGCS2000_GK_Zone_20.
    let after = |word: &str| {
        let at = words.iter().position(|own| *own == word)?;
        words.get(at + 1)?.trim_end_matches(['e', 'n']).parse::<u32>().ok()
    };
    if is_cgcs && (has("gk") || plain.contains("gauss_kruger")) {
        let is_3_degree = has("3");
        return match (after("cm"), after("zone")) {
            (Some(meridian @ 75..=135), _) if is_3_degree => Some(4534 + (meridian - 75) / 3),
            (Some(meridian @ 75..=135), _) => Some(4502 + (meridian - 75) / 6),
            (None, Some(zone @ 25..=45)) if is_3_degree => Some(4513 + zone - 25),
            (None, Some(zone @ 13..=23)) => Some(4491 + zone - 13),
            _ => None,
        };
    }
    let utm = has("wgs") && has("utm") && words.last().is_some_and(|last| last.ends_with('n'));
    after("zone").filter(|zone| utm && (1..=60).contains(zone)).map(|zone| 32_600 + zone)
}

/// Why the reference system of coordinates in metres must be named, with the systems that they may be in; `None` for a
/// box in degrees. The box has the least first and second coordinate, then the greatest.
#[must_use]
pub fn unnamed([x_min, y_min, x_max, y_max]: [f64; 4]) -> Option<String> {
    let is_degrees = x_min >= -180.0 && x_max <= 180.0 && y_min >= -90.0 && y_max <= 90.0;
    if is_degrees || !x_min.is_finite() || !x_max.is_finite() {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates")]
    let (zone, last) = ((x_min / 1e6) as u32, (x_max / 1e6) as u32);
    let mut candidates = match zone {
        25..=45 if zone == last => vec![format!("EPSG:{} (CGCS2000, 3-degree zone {zone})", 4513 + zone - 25)],
        13..=23 if zone == last => vec![format!("EPSG:{} (CGCS2000, 6-degree zone {zone})", 4491 + zone - 13)],
        _ if last == 0 => vec![
            "EPSG:4534 to 4554 (CGCS2000, 3-degree zones by central meridian: 117°E is EPSG:4548, 120°E EPSG:4549)"
                .to_owned(),
        ],
        _ => Vec::new(),
    };
    // The extent of China in Web Mercator.
    if x_min > 8e6 && x_max < 15.1e6 && y_min > 3e5 && y_max < 7.2e6 {
        candidates.push("EPSG:3857 (Web Mercator)".to_owned());
    }
    let candidates = if candidates.is_empty() { "none is likely".to_owned() } else { candidates.join(", ") };
    Some(format!(
        "the file names no reference system, and its coordinates are in metres ({x_min:.0},{y_min:.0} to {x_max:.0},{y_max:.0}): name \
         the reference system with --crs; candidates: {candidates}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systems_are_recognised_by_authority_or_name() {
        for (wkt, expected) in [
            (r#"GEOGCS["GCS_WGS_1984",DATUM["D_WGS_1984",SPHEROID["WGS_1984",6378137.0,298.257223563]]]"#, "EPSG:4326"),
            (r#"GEOGCS["GCS_China_Geodetic_Coordinate_System_2000",DATUM["D_China_2000"]]"#, "EPSG:4490"),
            (
                r#"PROJCS["CGCS2000_3_Degree_GK_CM_120E",GEOGCS["GCS_China_Geodetic_Coordinate_System_2000"]]"#,
                "EPSG:4549",
            ),
            (r#"PROJCS["CGCS2000_3_Degree_GK_Zone_40",GEOGCS["x"]]"#, "EPSG:4528"),
            (r#"PROJCS["CGCS2000 / 3-degree Gauss-Kruger CM 117E",GEOGCS["x"]]"#, "EPSG:4548"),
            (r#"PROJCS["CGCS2000_GK_Zone_20",GEOGCS["x"]]"#, "EPSG:4498"),
            (r#"PROJCS["CGCS2000_GK_CM_117E",GEOGCS["x"]]"#, "EPSG:4509"),
            (r#"PROJCS["WGS_1984_Web_Mercator_Auxiliary_Sphere",GEOGCS["GCS_WGS_1984"]]"#, "EPSG:3857"),
            (r#"PROJCS["WGS_1984_UTM_Zone_50N",GEOGCS["GCS_WGS_1984"]]"#, "EPSG:32650"),
            (
                "PROJCS[\"any\",GEOGCS[\"x\",AUTHORITY[\"EPSG\",\"4490\"]],\n AUTHORITY[\"EPSG\", \"4549\"]]",
                "EPSG:4549",
            ),
            (r#"PROJCS["Xian_1980_3_Degree_GK_Zone_40",GEOGCS["GCS_Xian_1980"]]"#, "Xian_1980_3_Degree_GK_Zone_40"),
            ("", "an unnamed one"),
        ] {
            assert_eq!(crs_of(wkt), expected, "{wkt}");
        }
    }

    #[test]
    fn metres_without_a_system_are_refused_with_candidates() {
        assert_eq!(unnamed([118.0, 26.0, 119.0, 27.0]), None);
        let refused = |box_: [f64; 4]| unnamed(box_).unwrap_or_default();
        assert!(refused([40_380_000.0, 2.9e6, 40_390_000.0, 2.91e6]).contains("EPSG:4528"));
        assert!(refused([20_680_000.0, 2.9e6, 20_690_000.0, 2.91e6]).contains("EPSG:4498"));
        assert!(refused([380_000.0, 2.9e6, 390_000.0, 2.91e6]).contains("EPSG:4549"));
    }
}
