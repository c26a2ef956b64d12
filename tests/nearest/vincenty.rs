//! Another geodesic algorithm: T. Vincenty's inverse solution (Survey Review XXIII, 176, 1975), accurate to 0.1 mm.

/// Distance in metres between longitude, latitude pairs in degrees on WGS 84; `None` for nearly antipodal pairs, where
/// the iteration does not converge.
pub(crate) fn distance_m(from: (f64, f64), to: (f64, f64)) -> Option<f64> {
    const A: f64 = 6_378_137.0;
    const F: f64 = 1.0 / 298.257_223_563;
    const B: f64 = A * (1.0 - F);
    if from == to {
        return Some(0.0);
    }
    let reduced =
        |lat: f64| if lat.abs() >= 90.0 { lat.to_radians() } else { ((1.0 - F) * lat.to_radians().tan()).atan() };
    let (sin_u1, cos_u1) = reduced(from.1).sin_cos();
    let (sin_u2, cos_u2) = reduced(to.1).sin_cos();
    let difference = (to.0 - from.0 + 540.0).rem_euclid(360.0) - 180.0;
    let l = difference.to_radians();
    let mut lambda = l;
    for _ in 0..200 {
        let (sin_lambda, cos_lambda) = lambda.sin_cos();
        let sin_sigma = (cos_u2 * sin_lambda).hypot(cos_u1 * sin_u2 - sin_u1 * cos_u2 * cos_lambda);
        if sin_sigma == 0.0 {
            return Some(0.0);
        }
        let cos_sigma = sin_u1 * sin_u2 + cos_u1 * cos_u2 * cos_lambda;
        let sigma = sin_sigma.atan2(cos_sigma);
        let sin_alpha = cos_u1 * cos_u2 * sin_lambda / sin_sigma;
        let cos2_alpha = 1.0 - sin_alpha * sin_alpha;
        let cos_2m = if cos2_alpha > 1e-15 { cos_sigma - 2.0 * sin_u1 * sin_u2 / cos2_alpha } else { 0.0 };
        let c = F / 16.0 * cos2_alpha * (4.0 + F * (4.0 - 3.0 * cos2_alpha));
        let inner = cos_2m + c * cos_sigma * (2.0 * cos_2m * cos_2m - 1.0);
        let next = l + (1.0 - c) * F * sin_alpha * (sigma + c * sin_sigma * inner);
        let settled = (next - lambda).abs() < 1e-13;
        lambda = next;
        if settled {
            let u2 = cos2_alpha * (A * A - B * B) / (B * B);
            let big_a = 1.0 + u2 / 16_384.0 * (4_096.0 + u2 * (-768.0 + u2 * (320.0 - 175.0 * u2)));
            let big_b = u2 / 1_024.0 * (256.0 + u2 * (-128.0 + u2 * (74.0 - 47.0 * u2)));
            let last = big_b / 6.0 * cos_2m * (4.0 * sin_sigma * sin_sigma - 3.0) * (4.0 * cos_2m * cos_2m - 3.0);
            let delta = big_b * sin_sigma * (cos_2m + big_b / 4.0 * (cos_sigma * (2.0 * cos_2m * cos_2m - 1.0) - last));
            return Some(B * big_a * (sigma - delta));
        }
        if lambda.abs() > std::f64::consts::PI {
            return None;
        }
    }
    None
}
