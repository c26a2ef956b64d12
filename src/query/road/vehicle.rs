//! The size of a vehicle, and the limits of roads for it.

/// What is limited, in the order of [`VehicleSize`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitKind {
    /// In metres.
    Height,
    /// In metres.
    Width,
    /// In tonnes.
    Weight,
}

const KINDS: [LimitKind; 3] = [LimitKind::Height, LimitKind::Width, LimitKind::Weight];

impl LimitKind {
    /// Its property in replies.
    #[must_use]
    pub fn property(self) -> &'static str {
        match self {
            Self::Height => "max_height_m",
            Self::Width => "max_width_m",
            Self::Weight => "max_weight_t",
        }
    }
}

/// Height and width in metres and weight in tonnes: of a vehicle, or the greatest on a road. What is `None` is unknown
/// or not limited.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct VehicleSize(pub [Option<f64>; 3]);

/// A limit of a road that a vehicle exceeds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExceededLimit {
    /// What is limited.
    pub kind: LimitKind,
    /// The limit, in the unit of its kind.
    pub limit: f64,
}

impl VehicleSize {
    /// The first of these limits that a vehicle exceeds.
    #[must_use]
    pub fn exceeded_by(&self, vehicle: &Self) -> Option<ExceededLimit> {
        let pairs = self.0.iter().zip(&vehicle.0).zip(KINDS);
        let mut exceeded = pairs.filter_map(|((limit, own), kind)| {
            let limit = (*limit)?;
            (*own)?.total_cmp(&limit).is_gt().then_some(ExceededLimit { kind, limit })
        });
        exceeded.next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vehicle_exceeds_a_limit_if_it_is_larger_and_its_size_is_known() {
        let road = VehicleSize([Some(3.5), None, Some(10.0)]);
        let exceeded = |vehicle| road.exceeded_by(&VehicleSize(vehicle)).map(|own| (own.kind, own.limit));
        assert_eq!(exceeded([Some(3.5), Some(9.0), Some(10.0)]), None);
        assert_eq!(exceeded([Some(3.6), None, Some(20.0)]), Some((LimitKind::Height, 3.5)));
        assert_eq!(exceeded([None, None, Some(10.1)]), Some((LimitKind::Weight, 10.0)));
        assert_eq!(exceeded([None, None, None]), None);
    }
}
