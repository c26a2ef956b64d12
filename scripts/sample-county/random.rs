//! Reproducible random numbers: one generator per subject, and smooth noise over the plane.
//!
//! Every layer has its own named stream, so adding a feature to one layer changes nothing in another. The generator is
//! `SplitMix64` (Steele, Lea and Flood 2014).

use geo::Coord;

/// A stream of random numbers.
pub(crate) struct Random(u64);

impl Random {
    /// The stream of one subject.
    pub(crate) fn of(subject: &str) -> Self {
        let mut seed = 0x5eed_0350_1240_2026_u64;
        for byte in subject.bytes() {
            seed = mix(seed ^ u64::from(byte));
        }
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number in 0..1.
    pub(crate) fn unit(&mut self) -> f64 {
        unit(self.next())
    }

    /// A number in `low..high`.
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// A whole number in `low..=high`.
    pub(crate) fn whole(&mut self, low: i64, high: i64) -> i64 {
        let span = u64::try_from(high - low + 1).unwrap_or(1);
        low + i64::try_from(self.next() % span).unwrap_or(0)
    }

    /// An index in `0..count`.
    pub(crate) fn index(&mut self, count: usize) -> usize {
        usize::try_from(self.next() % count as u64).unwrap_or(0)
    }

    /// True with the given probability.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// One of several.
    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.index(from.len())]
    }

    /// The index of one of several, heavier ones more often.
    pub(crate) fn weighted(&mut self, weights: &[f64]) -> usize {
        let mut left = self.unit() * weights.iter().sum::<f64>();
        for (index, weight) in weights.iter().enumerate() {
            left -= weight;
            if left < 0.0 {
                return index;
            }
        }
        weights.len() - 1
    }

    /// A number around 0, mostly within -1..1 and never beyond -2..2.
    pub(crate) fn bell(&mut self) -> f64 {
        self.unit() + self.unit() + self.unit() + self.unit() - 2.0
    }

    /// Shuffles a list.
    pub(crate) fn shuffle<T>(&mut self, list: &mut [T]) {
        for last in (1..list.len()).rev() {
            let other = self.index(last + 1);
            list.swap(last, other);
        }
    }
}

fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[expect(clippy::cast_precision_loss, reason = "53 bits are kept")]
fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

/// Smooth noise in -1..1 whose bumps are about `wave_m` meters wide (gradient noise after Perlin).
///
/// The lattice is rotated, so that outlines do not align with the axes.
pub(crate) fn noise(seed: u64, at: Coord<f64>, wave_m: f64) -> f64 {
    let (x, y) = ((0.8 * at.x - 0.6 * at.y) / wave_m, (0.6 * at.x + 0.8 * at.y) / wave_m);
    let (left, low) = (x.floor(), y.floor());
    let (u, v) = (ease(x - left), ease(y - low));
    let slope = |dx: f64, dy: f64| {
        let gradient = gradient(seed, left + dx, low + dy);
        gradient.x * (x - left - dx) + gradient.y * (y - low - dy)
    };
    let bottom = blend(slope(0.0, 0.0), slope(1.0, 0.0), u);
    let top = blend(slope(0.0, 1.0), slope(1.0, 1.0), u);
    (1.5 * blend(bottom, top, v)).clamp(-1.0, 1.0)
}

/// Noise of two scales, for natural outlines.
pub(crate) fn rough(seed: u64, at: Coord<f64>, wave_m: f64) -> f64 {
    0.7 * noise(seed, at, wave_m) + 0.3 * noise(seed + 1, at, wave_m * 0.37)
}

/// One of sixteen directions.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "lattice corners are small whole numbers")]
fn gradient(seed: u64, x: f64, y: f64) -> Coord<f64> {
    const DIRECTIONS: [(f64, f64); 4] = [(1.0, 0.0), (0.924, 0.383), (0.707, 0.707), (0.383, 0.924)];
    let (x, y) = (x as i64 as u64, y as i64 as u64);
    let bits = mix(mix(seed.wrapping_mul(0x9e37_79b9) ^ x.wrapping_mul(0x1656_67b1_9e37_79f9)) ^ y);
    let (ahead, aside) = DIRECTIONS[(bits & 3) as usize];
    match (bits >> 2) & 3 {
        0 => Coord { x: ahead, y: aside },
        1 => Coord { x: -aside, y: ahead },
        2 => Coord { x: -ahead, y: -aside },
        _ => Coord { x: aside, y: -ahead },
    }
}

fn ease(t: f64) -> f64 {
    t * t * t * (t * (t * 6.0 - 15.0) + 10.0)
}

fn blend(a: f64, b: f64, t: f64) -> f64 {
    a + (b - a) * t
}
