//! Optional integers, one per row, in the fewest bytes per row that hold all of them.

use serde::{Deserialize, Serialize};

/// Optional integers. Entries are offsets from the least value; the greatest number of their type stands for an unknown
/// value.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum PackedIntegers {
    /// The same in all rows.
    Same {
        value: Option<i64>,
        len: usize,
    },
    U8 {
        least: i64,
        offsets: Box<[u8]>,
    },
    U16 {
        least: i64,
        offsets: Box<[u16]>,
    },
    U32 {
        least: i64,
        offsets: Box<[u32]>,
    },
    U64 {
        least: i64,
        offsets: Box<[u64]>,
    },
    /// The values span the whole range of numbers.
    Whole(Box<[Option<i64>]>),
}

impl Default for PackedIntegers {
    fn default() -> Self {
        Self::Same { value: None, len: 0 }
    }
}

impl PackedIntegers {
    /// Packs values.
    pub(super) fn collect(values: impl Iterator<Item = Option<i64>>) -> Self {
        Self::pack(&values.collect::<Vec<_>>())
    }

    fn pack(values: &[Option<i64>]) -> Self {
        let first = values.first().copied().flatten();
        if values.iter().all(|value| *value == first) {
            return Self::Same { value: first, len: values.len() };
        }
        let known = || values.iter().copied().flatten();
        let (least, most) = (known().min().unwrap_or_default(), known().max().unwrap_or_default());
        macro_rules! offsets {
            ($number:ty) => {
                values
                    .iter()
                    .map(|value| value.map_or(<$number>::MAX, |value| value.abs_diff(least) as $number))
                    .collect()
            };
        }
        #[expect(clippy::cast_possible_truncation, reason = "the span was compared with the type")]
        match most.abs_diff(least) {
            span if span < u64::from(u8::MAX) => Self::U8 { least, offsets: offsets!(u8) },
            span if span < u64::from(u16::MAX) => Self::U16 { least, offsets: offsets!(u16) },
            span if span < u64::from(u32::MAX) => Self::U32 { least, offsets: offsets!(u32) },
            span if span < u64::MAX => Self::U64 { least, offsets: offsets!(u64) },
            _ => Self::Whole(values.into()),
        }
    }

    /// Number of rows.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Same { len, .. } => *len,
            Self::U8 { offsets, .. } => offsets.len(),
            Self::U16 { offsets, .. } => offsets.len(),
            Self::U32 { offsets, .. } => offsets.len(),
            Self::U64 { offsets, .. } => offsets.len(),
            Self::Whole(values) => values.len(),
        }
    }

    /// The value of a row.
    ///
    /// # Panics
    /// When there is no such row.
    #[inline]
    pub(super) fn get(&self, row: usize) -> Option<i64> {
        macro_rules! value {
            ($number:ty, $least:expr, $offsets:expr) => {{
                let offset = $offsets[row];
                (offset != <$number>::MAX).then(|| $least.wrapping_add_unsigned(u64::from(offset)))
            }};
        }
        match self {
            Self::Same { value, len } => {
                assert!(row < *len, "row {row} of {len}");
                *value
            }
            Self::U8 { least, offsets } => value!(u8, least, offsets),
            Self::U16 { least, offsets } => value!(u16, least, offsets),
            Self::U32 { least, offsets } => value!(u32, least, offsets),
            Self::U64 { least, offsets } => value!(u64, least, offsets),
            Self::Whole(values) => values[row],
        }
    }

    /// All values in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = Option<i64>> + '_ {
        (0..self.len()).map(|row| self.get(row))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Numbers of all magnitudes, the ends of each type among them.
    fn numbers() -> impl Strategy<Value = Option<i64>> {
        let edge =
            prop_oneof![Just(0_i64), Just(254), Just(255), Just(65_534), Just(65_535), Just(i64::MIN), Just(i64::MAX)];
        prop_oneof![Just(None), edge.prop_map(Some), (0..64_u32, any::<i64>()).prop_map(|(bits, n)| Some(n >> bits))]
    }

    proptest! {
        #[test]
        fn packed_integers_are_those_that_were_packed(
            values in prop::collection::vec(numbers(), 1..40),
        ) {
            let packed = PackedIntegers::collect(values.iter().copied());
            prop_assert_eq!(packed.iter().collect::<Vec<_>>(), values);
        }
    }

    #[test]
    fn a_column_has_as_many_bytes_as_its_span_needs() {
        let of = |values: &[Option<i64>]| PackedIntegers::collect(values.iter().copied());
        assert!(matches!(of(&[None, None]), PackedIntegers::Same { value: None, len: 2 }));
        assert!(matches!(of(&[Some(7), Some(7)]), PackedIntegers::Same { value: Some(7), len: 2 }));
        assert!(matches!(of(&[Some(1_000_000), Some(1_000_254), None]), PackedIntegers::U8 { .. }));
        assert!(matches!(of(&[Some(1_000_000), Some(1_000_255), None]), PackedIntegers::U16 { .. }));
        assert!(matches!(of(&[Some(0), Some(65_535)]), PackedIntegers::U32 { .. }));
        assert!(matches!(of(&[Some(-1), Some(i64::from(u32::MAX))]), PackedIntegers::U64 { .. }));
        assert!(matches!(of(&[Some(i64::MIN), Some(i64::MAX)]), PackedIntegers::Whole(_)));
    }
}
