//! Lower and upper bounds of geodesic distances, cheap enough to evaluate for every box of an index.
//!
//! At short range the lower bound is the straight chord through the earth. At long range the chord is much shorter than
//! the geodesic and prunes poorly; there the first-order formula of Andoyer and Lambert (P. D. Thomas, "Spheroidal
//! geodesics, reference systems and local geometry", 1970) is used, reduced by its maximum error.

use super::ecef::{Ecef, EcefBox, FLATTENING, SEMI_MAJOR_M, SEMI_MINOR_M, chord_2, unit};

/// Rounding error of earth-centred coordinates, doubled, metres: the most by which a chord is too long.
const CHORD_ERROR_M: f64 = 1e-8;
/// Up to this distance only the chord is used; it is at most 130 m shorter than the geodesic.
const NEAR_M: f64 = 500_000.0;
/// Relative error of the formula up to [`FORMULA_ENDS`]: three times the largest error over several hundred thousand
/// pairs, 8.3e-6.
const FORMULA_ERROR: f64 = 2.5e-5;
/// Squared chord on the unit sphere of an arc of 2.6 radians; the formula fails near the antipodes.
const FORMULA_ENDS: f64 = 3.713_777_5;
/// The ratio of a geodesic to its chord is at most this, for chords up to [`SHORT_M`] and for all.
const STRETCH: (f64, f64) = (1.01, 1.6);
const SHORT_M: f64 = 1_000_000.0;

/// Lower bound of the geodesic between two positions, metres.
#[must_use]
pub fn lower_bound_m(a: Ecef, b: Ecef) -> f64 {
    let chord_2 = chord_2(a, b);
    if chord_2 < NEAR_M * NEAR_M {
        return chord_bound_m(chord_2);
    }
    andoyer_lambert_m(a, b).map_or_else(|| arc_bound_m(chord_2), |metres| metres * (1.0 - FORMULA_ERROR))
}

/// Lower bound of the geodesic from a position to any position in a box, metres.
#[must_use]
pub fn box_lower_bound_m(from: Ecef, to: &EcefBox) -> f64 {
    let chord_2 = to.chord_2(from);
    if chord_2 < NEAR_M * NEAR_M {
        return chord_bound_m(chord_2);
    }
    let by_centre = to.centre().filter(|(_, reach_m)| *reach_m < SHORT_M);
    let by_centre_m = by_centre.map_or(0.0, |(centre, reach_m)| lower_bound_m(from, centre) - upper_bound_m(reach_m));
    arc_bound_m(chord_2).max(by_centre_m)
}

/// Lower bound of the geodesic between any two positions of two boxes, metres.
#[must_use]
pub fn boxes_lower_bound_m(a: &EcefBox, b: &EcefBox) -> f64 {
    let chord_2 = a.chord_2_to(b);
    if chord_2 < NEAR_M * NEAR_M {
        return chord_bound_m(chord_2);
    }
    let centres = a.centre().zip(b.centre()).filter(|((_, a_m), (_, b_m))| a_m + b_m < SHORT_M);
    let by_centres_m =
        centres.map_or(0.0, |((a, a_m), (b, b_m))| lower_bound_m(a, b) - upper_bound_m(a_m) - upper_bound_m(b_m));
    arc_bound_m(chord_2).max(by_centres_m)
}

/// Upper bound of the geodesic between positions with this chord, metres.
#[must_use]
pub fn upper_bound_m(chord_m: f64) -> f64 {
    chord_m * if chord_m < SHORT_M { STRETCH.0 } else { STRETCH.1 }
}

/// Lower bound from a squared chord alone, metres squared; the cheapest bound, and the loosest at long range.
#[must_use]
pub fn chord_bound_m(chord_2: f64) -> f64 {
    (chord_2.sqrt() - CHORD_ERROR_M).max(0.0)
}

/// Seen from the centre of the earth, the two positions are separated by an angle whose half has at least the sine
/// √(chord² − (a − b)²) / 2a. Projecting a path on the ellipsoid inwards to the sphere of radius b does not lengthen
/// it, and on that sphere it is at least as long as the arc.
fn arc_bound_m(chord_2: f64) -> f64 {
    const RADII_APART_2: f64 = (SEMI_MAJOR_M - SEMI_MINOR_M) * (SEMI_MAJOR_M - SEMI_MINOR_M);
    let half_sine = ((chord_2 - RADII_APART_2).max(0.0).sqrt() / (2.0 * SEMI_MAJOR_M)).min(1.0);
    chord_bound_m(chord_2).max(2.0 * SEMI_MINOR_M * half_sine.asin() - CHORD_ERROR_M)
}

/// The formula of Andoyer and Lambert, metres; `None` near the antipodes.
fn andoyer_lambert_m(a: Ecef, b: Ecef) -> Option<f64> {
    let (a, b) = (unit(a), unit(b));
    let chord_2 = chord_2(a, b);
    if chord_2 > FORMULA_ENDS {
        return None;
    }
    let half = chord_2.sqrt() / 2.0;
    let arc = 2.0 * half.asin();
    let sine = 2.0 * half * (1.0 - half * half).sqrt();
    // 2 (1 + cos arc) and 2 (1 - cos arc).
    let (beside, along) = (4.0 - chord_2, chord_2);
    let (sum, difference) = (a[2] + b[2], a[2] - b[2]);
    let flat = (arc - sine) * sum * sum / beside + (arc + sine) * difference * difference / along;
    Some(SEMI_MAJOR_M * (arc - FLATTENING / 2.0 * flat))
}

#[cfg(test)]
mod tests {
    use super::super::distance::distance_m;
    use super::super::ecef::ecef;
    use super::super::{Envelope, LonLat};
    use super::*;

    type Checked = Result<(), Box<dyn std::error::Error>>;

    fn around_the_world() -> Result<Vec<LonLat>, super::super::PositionError> {
        (0..60)
            .flat_map(|i| (0..31).map(move |j| LonLat::new(f64::from(i) * 6.1 - 180.0, f64::from(j) * 6.0 - 90.0)))
            .collect()
    }

    #[test]
    fn no_geodesic_is_shorter_than_its_bound() -> Checked {
        for (lon, lat) in [(0.0, 0.0), (118.8, 26.2), (-179.9, -45.0), (10.0, 90.0), (75.0, 0.1), (118.8, 63.0)] {
            let from = LonLat::new(lon, lat)?;
            for to in around_the_world()? {
                let bound = lower_bound_m(ecef(from), ecef(to));
                let metres = distance_m(from, to);
                assert!(bound <= metres, "{from} {to}: {bound} above {metres}");
                assert!(metres <= upper_bound_m(chord_2(ecef(from), ecef(to)).sqrt()) + 1e-6, "{from} {to}");
                // The formula ends at 2.6 radians.
                let share = if metres < 16_500_000.0 { 0.9999 } else { 0.94 };
                assert!(bound >= metres * share - 130.0, "{from} {to}: {bound} far below {metres}");
            }
        }
        Ok(())
    }

    #[test]
    fn no_geodesic_into_a_box_is_shorter_than_its_bound() -> Checked {
        for sides in [[118.5, 25.9, 119.1, 26.6], [170.0, 50.0, 180.0, 60.0], [-100.0, -70.0, 95.0, -10.0]] {
            let envelope = Envelope::new(sides[0], sides[1], sides[2], sides[3])?;
            let own = EcefBox::of_envelope(&envelope);
            for from in around_the_world()? {
                let bound = box_lower_bound_m(ecef(from), &own);
                for (i, j) in [(0.0, 0.0), (1.0, 1.0), (0.5, 0.5), (0.0, 1.0), (1.0, 0.3)] {
                    let at = |a: f64, b: f64, share: f64| a + (b - a) * share;
                    let to = LonLat::new(at(sides[0], sides[2], i), at(sides[1], sides[3], j))?;
                    assert!(bound <= distance_m(from, to), "{from} {to}: {bound}");
                }
            }
        }
        Ok(())
    }
}
