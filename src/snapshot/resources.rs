//! Resources of features: free places, skills, stock, and their upper bounds per chunk and block, so that a search can
//! skip whole chunks and blocks.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use time::{Date, UtcDateTime};

use super::spatial_index::{Block, SpatialIndex};
use super::{Chunk, Row};
use crate::model::{LayerSchema, ValueRef, parse_date};

/// Reads resources of features by the roles of their layer.
#[derive(Clone, Debug)]
pub struct ResourceFields {
    ready: Option<(usize, Vec<String>)>,
    active_area: Option<(usize, Vec<String>)>,
    /// Start and end.
    when: Option<(Option<usize>, Option<usize>)>,
    capacity: Option<CapacityFields>,
    suitable_for: Option<(usize, usize)>,
    skills: Option<usize>,
    stock: Option<(usize, Option<usize>)>,
    zone: Option<(usize, usize)>,
}

#[derive(Clone, Debug)]
struct CapacityFields {
    capacity: usize,
    night: Option<usize>,
    taken: usize,
    promised: Option<usize>,
}

/// Stock of one item in one place.
#[derive(Clone, Debug, PartialEq)]
pub struct StockItem {
    /// Code of the item.
    pub code: Box<str>,
    /// Quantity not promised; unknown if quantity or promised quantity is.
    pub free: Option<f64>,
    /// Quantity that is promised beyond the stock, if any.
    pub over: Option<f64>,
    /// Last day of validity; unknown means unlimited.
    pub expires_on: Option<Date>,
}

/// Upper bounds of resources in a group of features.
#[derive(Clone, Debug, Default)]
pub struct SupplyMaximum {
    /// Maximum of free places; `None` if unknown for all.
    pub capacity: Option<i64>,
    /// Maximum of free places for the night.
    pub capacity_by_night: Option<i64>,
    /// Union of skills.
    pub skills: BTreeSet<Box<str>>,
    /// Greatest available quantity of each item.
    pub stock_items: BTreeMap<Box<str>, f64>,
    /// Whether some resource of some feature is unknown.
    pub unknown: bool,
    /// Whether the group has any feature.
    pub any: bool,
}

/// Upper bounds of a group of features.
#[derive(Clone, Debug, Default)]
pub struct SupplySummary {
    /// Of features that are or may be ready.
    pub ready: SupplyMaximum,
    /// Of all features.
    pub all: SupplyMaximum,
}

/// Resources of the features of a chunk.
#[derive(Debug)]
pub struct ChunkResources {
    /// Stock of each row; `None` if unknown. Empty for a layer without stock.
    stock_items: Vec<Option<Box<[StockItem]>>>,
    whole: SupplySummary,
    blocks: Vec<SupplySummary>,
}

impl ResourceFields {
    /// Resolves the roles of a layer.
    #[must_use]
    pub fn of(schema: &LayerSchema) -> Self {
        let roles = &schema.roles;
        let at = |name: &String| schema.position(name);
        let coded = |codes: &crate::model::roles::Codes| Some((at(&codes.field)?, codes.codes.clone()));
        Self {
            ready: roles.ready.as_ref().and_then(coded),
            active_area: roles.active_area.as_ref().and_then(coded),
            capacity: roles.capacity.as_ref().and_then(|fields| {
                let (night, promised) = (fields.night.as_ref().and_then(at), fields.promised.as_ref().and_then(at));
                Some(CapacityFields { capacity: at(&fields.capacity)?, night, taken: at(&fields.taken)?, promised })
            }),
            suitable_for: roles
                .suitable_for
                .as_ref()
                .and_then(|suitable_for| Some((at(&suitable_for.yes)?, at(&suitable_for.no)?))),
            skills: roles.skills.as_ref().and_then(at),
            stock: roles.stock.as_ref().and_then(|stock| Some((at(&stock.field)?, stock.until.as_ref().and_then(at)))),
            when: roles.time.as_ref().map(|when| (at(&when.start), when.end.as_ref().and_then(at))),
            zone: roles.zone.as_ref().and_then(|zone| Some((at(&zone.hazard)?, at(&zone.level)?))),
        }
    }

    /// Whether the layer has a status role.
    #[must_use]
    pub fn has_status(&self) -> bool {
        self.ready.is_some()
    }

    /// Whether the layer has a capacity role.
    #[must_use]
    pub fn has_capacity(&self) -> bool {
        self.capacity.is_some()
    }

    /// Whether features of the layer supply something.
    #[must_use]
    pub fn has_supply(&self) -> bool {
        self.has_status() || self.has_capacity() || self.has_skills() || self.has_stock()
    }

    /// Whether the layer has a suitability role.
    #[must_use]
    pub fn has_suitability(&self) -> bool {
        self.suitable_for.is_some()
    }

    /// Whether the layer has a skills role.
    #[must_use]
    pub fn has_skills(&self) -> bool {
        self.skills.is_some()
    }

    /// Whether the layer has a stock role.
    #[must_use]
    pub fn has_stock(&self) -> bool {
        self.stock.is_some()
    }

    /// Whether the layer has a risk zone role.
    #[must_use]
    pub fn has_zone(&self) -> bool {
        self.zone.is_some()
    }

    /// Whether the layer has an active area role.
    #[must_use]
    pub fn has_active_area(&self) -> bool {
        self.active_area.is_some()
    }

    /// Status code.
    #[must_use]
    pub fn status<'a>(&self, row: &Row<'a>) -> Option<&'a str> {
        text(row, self.ready.as_ref()?.0)
    }

    /// Whether it is ready; `None` if unknown.
    #[must_use]
    pub fn is_ready(&self, row: &Row<'_>) -> Option<bool> {
        let (_, codes) = self.ready.as_ref()?;
        self.status(row).map(|status| codes.iter().any(|code| code == status))
    }

    /// Whether its event is active at an instant: it has an active status, has started and has not expired. Unknown
    /// values count as active.
    #[must_use]
    pub fn is_active(&self, row: &Row<'_>, now: UtcDateTime) -> bool {
        let Some((at, codes)) = &self.active_area else { return false };
        text(row, *at).is_none_or(|status| codes.iter().any(|code| code == status)) && self.is_current(row, now)
    }

    /// Whether an instant is in its time span; an unknown end is unlimited.
    #[must_use]
    pub fn is_current(&self, row: &Row<'_>, now: UtcDateTime) -> bool {
        let (start, end) = self.when.unwrap_or_default();
        let time = |field: Option<usize>| match row.cell(field?) {
            ValueRef::DateTime(instant) => Some(instant),
            _ => None,
        };
        time(start).is_none_or(|start| start <= now) && time(end).is_none_or(|end| now < end)
    }

    /// Free places in persons, at least 0; `None` if the capacity or the occupancy is unknown. Unknown promised places
    /// count as none.
    #[must_use]
    pub fn free_places(&self, row: &Row<'_>, by_night: bool) -> Option<i64> {
        let fields = self.capacity.as_ref()?;
        let capacity = if by_night { fields.night? } else { fields.capacity };
        let promised = fields.promised.and_then(|promised| whole(row, promised)).unwrap_or(0);
        Some(whole(row, capacity)?.saturating_sub(whole(row, fields.taken)?).saturating_sub(promised).max(0))
    }

    /// Persons, present and promised, beyond the capacity; `None` if there are none, or if the capacity or the occupancy is
    /// unknown.
    #[must_use]
    pub fn over_committed(&self, row: &Row<'_>, by_night: bool) -> Option<i64> {
        let fields = self.capacity.as_ref()?;
        let capacity = whole(row, if by_night { fields.night? } else { fields.capacity })?;
        let promised = fields.promised.and_then(|promised| whole(row, promised)).unwrap_or(0);
        let over = whole(row, fields.taken)?.saturating_add(promised).saturating_sub(capacity);
        (promised > 0 && over > 0).then_some(over)
    }

    /// Whether it is suitable for a hazard; `None` if unknown.
    #[must_use]
    pub fn suitable_for(&self, row: &Row<'_>, hazard: &str) -> Option<bool> {
        let (yes, no) = self.suitable_for?;
        let names = |at: usize| list(row, at).is_some_and(|list| list.iter().any(|own| own == hazard));
        // A hazard in both lists counts as unsuitable.
        if names(no) { Some(false) } else { names(yes).then_some(true) }
    }

    /// Its skills; `None` if unknown.
    #[must_use]
    pub fn skills<'a>(&self, row: &Row<'a>) -> Option<&'a [String]> {
        list(row, self.skills?)
    }

    /// Its stock; `None` if unknown.
    #[must_use]
    pub fn stock_items<'a>(&self, row: &Row<'a>) -> Option<&'a [StockItem]> {
        self.stock?;
        row.chunk().resources(self).stock_items.get(row.number())?.as_deref()
    }

    /// Last day of validity of its agreement; `None` means unlimited.
    #[must_use]
    pub fn until(&self, row: &Row<'_>) -> Option<Date> {
        match row.cell(self.stock?.1?) {
            ValueRef::Date(day) => Some(day),
            _ => None,
        }
    }

    /// Hazard of a risk zone.
    #[must_use]
    pub fn hazard<'a>(&self, row: &Row<'a>) -> Option<&'a str> {
        text(row, self.zone?.0)
    }

    /// Risk level; 1 is the worst.
    #[must_use]
    pub fn level(&self, row: &Row<'_>) -> Option<i64> {
        whole(row, self.zone?.1)
    }
}

impl ChunkResources {
    pub(super) fn of(chunk: &Chunk, spatial_index: &SpatialIndex, resources: &ResourceFields) -> Self {
        let stock_items: Vec<Option<Box<[StockItem]>>> = match resources.stock {
            Some((field, _)) => chunk.rows_after(None).map(|row| stock_items(&row, field)).collect(),
            None => Vec::new(),
        };
        let supply = |block: &Block| {
            let mut supply = SupplySummary::default();
            for place in spatial_index.places(block) {
                let row = chunk.row(place.row());
                supply.take(&row, resources, stock_items.get(row.number()).and_then(Option::as_deref));
            }
            supply
        };
        let blocks: Vec<SupplySummary> = spatial_index.blocks().iter().map(supply).collect();
        let mut whole = SupplySummary::default();
        for block in &blocks {
            whole.ready.unite(&block.ready);
            whole.all.unite(&block.all);
        }
        Self { stock_items, whole, blocks }
    }

    /// Upper bounds of a block of the chunk, or of the whole chunk.
    pub(super) fn supply(&self, block: Option<usize>) -> &SupplySummary {
        block.map_or(&self.whole, |block| &self.blocks[block])
    }
}

impl SupplySummary {
    fn take(&mut self, row: &Row<'_>, resources: &ResourceFields, stock_items: Option<&[StockItem]>) {
        self.all.take(row, resources, stock_items);
        if !resources.has_status() || resources.is_ready(row) != Some(false) {
            self.ready.take(row, resources, stock_items);
            self.ready.unknown |= resources.has_status() && resources.status(row).is_none();
        }
    }
}

impl SupplyMaximum {
    fn take(&mut self, row: &Row<'_>, resources: &ResourceFields, stock_items: Option<&[StockItem]>) {
        self.any = true;
        if resources.has_capacity() {
            let (day, night) = (resources.free_places(row, false), resources.free_places(row, true));
            self.capacity = self.capacity.max(day);
            self.capacity_by_night = self.capacity_by_night.max(night);
            self.unknown |= day.is_none() || night.is_none();
        }
        if resources.has_skills() {
            let skills = resources.skills(row);
            self.unknown |= skills.is_none();
            self.skills.extend(skills.into_iter().flatten().map(|skill| skill.as_str().into()));
        }
        if resources.has_stock() {
            self.unknown |= stock_items.is_none();
            let mut own: BTreeMap<&str, f64> = BTreeMap::new();
            for item in stock_items.into_iter().flatten() {
                self.unknown |= item.free.is_none();
                *own.entry(&item.code).or_default() += item.free.unwrap_or_default();
            }
            for (code, free) in own {
                let most = self.stock_items.entry(code.into()).or_default();
                *most = most.max(free);
            }
        }
    }

    fn unite(&mut self, other: &Self) {
        self.any |= other.any;
        self.unknown |= other.unknown;
        self.capacity = self.capacity.max(other.capacity);
        self.capacity_by_night = self.capacity_by_night.max(other.capacity_by_night);
        self.skills.extend(other.skills.iter().cloned());
        for (code, free) in &other.stock_items {
            let most = self.stock_items.entry(code.clone()).or_default();
            *most = most.max(*free);
        }
    }
}

/// An item of a stock list.
#[derive(Deserialize)]
struct RawStockItem {
    item_code: String,
    quantity: Option<f64>,
    promised: Option<f64>,
    expires_on: Option<String>,
}

/// Reads a stock list. Lots of one item stay separate, because they expire separately. An unreadable date counts as
/// expired.
fn stock_items(row: &Row<'_>, field: usize) -> Option<Box<[StockItem]>> {
    let ValueRef::Json(list) = row.cell(field) else { return None };
    let raw: Vec<RawStockItem> = serde_json::from_str(list).ok()?;
    let item = |raw: RawStockItem| StockItem {
        code: raw.item_code.into(),
        free: raw.quantity.map(|quantity| (quantity - raw.promised.unwrap_or_default()).max(0.0)),
        over: raw.quantity.zip(raw.promised).map(|(quantity, promised)| promised - quantity).filter(|over| *over > 0.0),
        expires_on: raw.expires_on.map(|day| parse_date(&day).unwrap_or(Date::MIN)),
    };
    Some(raw.into_iter().map(item).collect())
}

fn text<'a>(row: &Row<'a>, field: usize) -> Option<&'a str> {
    match row.cell(field) {
        ValueRef::Text(text) => Some(text),
        _ => None,
    }
}

fn whole(row: &Row<'_>, field: usize) -> Option<i64> {
    match row.cell(field) {
        ValueRef::Integer(number) => Some(number),
        _ => None,
    }
}

fn list<'a>(row: &Row<'a>, field: usize) -> Option<&'a [String]> {
    match row.cell(field) {
        ValueRef::TextList(list) => Some(list),
        _ => None,
    }
}
