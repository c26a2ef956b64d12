//! Minimum needs of evacuees: how much of a stock item each person needs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::mistake::{Checked, at, mistake};
use super::{CatalogFault, Code};
use crate::model::LayerSchema;

/// How much of a stock item evacuees need.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvacueeNeed {
    /// Code of the item.
    pub item: String,
    /// Units of the item for each person.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub per_person: f64,
    /// Units of the item for each person and day.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub per_person_day: f64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &f64) -> bool {
    *number == 0.0
}

/// Greatest number of units of an item for a person, or for a person and day.
const MAX_UNITS: f64 = 1_000.0;

impl EvacueeNeed {
    /// Units for people who stay for some days, rounded up to whole units.
    #[must_use]
    pub fn quantity(&self, people: u32, days: u32) -> f64 {
        let each = self.per_person + self.per_person_day * f64::from(days);
        // Factors such as 0.1 are not exact in binary, so a tiny excess is no further unit.
        (each * f64::from(people) - 1e-6).ceil().max(0.0)
    }
}

/// The codes of all stock items, by the roles of the layers.
fn stock_items<'a>(
    layers: &'a [LayerSchema],
    codes: &'a BTreeMap<String, Vec<Code>>,
) -> impl Iterator<Item = String> + 'a {
    let lists = layers.iter().filter_map(|layer| codes.get(&layer.roles.stock.as_ref()?.codes));
    lists.flatten().map(|entry| entry.code.to_string())
}

/// Checks that needs name stock items, each once, and amounts of at least 0.
pub(super) fn check(needs: &[EvacueeNeed], layers: &[LayerSchema], codes: &BTreeMap<String, Vec<Code>>) -> Checked<()> {
    let items: Vec<String> = stock_items(layers, codes).collect();
    for (index, need) in needs.iter().enumerate() {
        let amounts = [need.per_person, need.per_person_day];
        let is_right = amounts.iter().all(|units| (0.0..=MAX_UNITS).contains(units)) && amounts != [0.0, 0.0];
        let is_repeated = needs[..index].iter().any(|other| other.item == need.item);
        if !is_right || is_repeated || !items.contains(&need.item) {
            return Err(mistake(at(format!("/needs/{index}")), CatalogFault::Need(need.item.clone())));
        }
    }
    Ok(())
}

/// The needs whose item is a stock item: the built-in ones for a catalog with other items.
pub(super) fn of_known_items(
    needs: Vec<EvacueeNeed>,
    layers: &[LayerSchema],
    codes: &BTreeMap<String, Vec<Code>>,
) -> Vec<EvacueeNeed> {
    let items: Vec<String> = stock_items(layers, codes).collect();
    needs.into_iter().filter(|need| items.contains(&need.item)).collect()
}
