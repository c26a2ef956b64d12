//! What evacuees need at least, beside what is in stock.

use super::cancel::{CancelToken, Cancelled};
use super::nearest::demand::{Demand, Eligibility, Verdict};
use crate::model::catalog::EvacueeNeed;
use crate::snapshot::Snapshot;

/// The quantity of a stock item that evacuees need, and what there is.
#[derive(Clone, Debug, PartialEq)]
pub struct ItemNeed<'a> {
    /// The need.
    pub need: &'a EvacueeNeed,
    /// Units needed.
    pub needed: f64,
    /// Units in ready depots that are neither promised nor expired.
    pub free: f64,
}

impl ItemNeed<'_> {
    /// Units that are missing.
    #[must_use]
    pub fn short(&self) -> f64 {
        (self.needed - self.free).max(0.0)
    }
}

/// What people need for some days, beside the stock of all layers that meets the conditions.
///
/// # Errors
/// When it is cancelled.
pub fn needs<'a>(
    snapshot: &Snapshot,
    table: &'a [EvacueeNeed],
    (people, days): (u32, u32),
    conditions: &Demand,
    cancel: &CancelToken,
) -> Result<Vec<ItemNeed<'a>>, Cancelled> {
    let item = |need| ItemNeed { need, needed: need.quantity(people, days), free: 0.0 };
    let mut items: Vec<ItemNeed<'a>> = table.iter().map(item).collect();
    for layer in snapshot.layers().iter().filter(|layer| layer.resources().has_stock()) {
        let eligibility = Eligibility::new(snapshot, layer, conditions);
        for row in layer.rows_after(None) {
            cancel.check()?;
            if eligibility.verdict(&row) != Verdict::Eligible {
                continue;
            }
            for item in &mut items {
                item.free += eligibility.free_quantity(&row, &item.need.item).unwrap_or(0.0);
            }
        }
    }
    Ok(items)
}
