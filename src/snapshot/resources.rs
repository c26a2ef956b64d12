//! What features can give: room, skills, articles; and the most that any feature of a chunk or a block can, so that a
//! search for something rare passes whole chunks and blocks by.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use time::{Date, UtcDateTime};

use super::spatial_index::{Block, SpatialIndex};
use super::{Chunk, Row};
use crate::model::{LayerSchema, ValueRef, parse_date};

/// Reads what features of a layer offer, by the roles of its fields.
#[derive(Clone, Debug)]
pub struct ResourceFields {
    ready: Option<(usize, Vec<String>)>,
    active_area: Option<(usize, Vec<String>)>,
    /// When it begins and ends.
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

/// Articles of one kind in one place.
#[derive(Clone, Debug, PartialEq)]
pub struct StockItem {
    /// Code of its kind.
    pub code: Box<str>,
    /// How many are there and promised to nobody; unknown when either is.
    pub free: Option<f64>,
    /// Its last day; blank does not spoil.
    pub expires_on: Option<Date>,
}

/// The most that features can give.
#[derive(Clone, Debug, Default)]
pub struct SupplyMaximum {
    /// Free places of the roomiest; `None` when that is known of none.
    pub capacity: Option<i64>,
    /// The same by night.
    pub capacity_by_night: Option<i64>,
    /// All that any of them can do.
    pub skills: BTreeSet<Box<str>>,
    /// The greatest free quantity of each article.
    pub articles: BTreeMap<Box<str>, f64>,
    /// Whether there is one of which something is unknown.
    pub unknown: bool,
    /// Whether there is any feature.
    pub any: bool,
}

/// The most that a group of features offers.
#[derive(Clone, Debug, Default)]
pub struct SupplySummary {
    /// Of those that are ready, or may be.
    pub ready: SupplyMaximum,
    /// Of all.
    pub all: SupplyMaximum,
}

/// What the features of one chunk offer.
#[derive(Debug)]
pub struct ChunkResources {
    /// Articles of each row; `None` where they are unknown. Empty for a layer without stock.
    articles: Vec<Option<Box<[StockItem]>>>,
    whole: SupplySummary,
    blocks: Vec<SupplySummary>,
}

impl ResourceFields {
    /// Finds the fields.
    #[must_use]
    pub fn of(schema: &LayerSchema) -> Self {
        let roles = &schema.roles;
        let at = |name: &String| schema.position(name);
        let coded = |codes: &crate::model::schema::Codes| Some((at(&codes.field)?, codes.codes.clone()));
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

    /// Whether features have a status that says if they are ready.
    #[must_use]
    pub fn has_status(&self) -> bool {
        self.ready.is_some()
    }

    /// Whether features have room for people.
    #[must_use]
    pub fn has_capacity(&self) -> bool {
        self.capacity.is_some()
    }

    /// Whether features say which dangers they are for.
    #[must_use]
    pub fn has_suitability(&self) -> bool {
        self.suitable_for.is_some()
    }

    /// Whether features have skills.
    #[must_use]
    pub fn has_skills(&self) -> bool {
        self.skills.is_some()
    }

    /// Whether features have articles.
    #[must_use]
    pub fn has_stock(&self) -> bool {
        self.stock.is_some()
    }

    /// Whether features are dangerous areas.
    #[must_use]
    pub fn has_zone(&self) -> bool {
        self.zone.is_some()
    }

    /// Whether features are areas in which something happens.
    #[must_use]
    pub fn has_active_area(&self) -> bool {
        self.active_area.is_some()
    }

    /// The code of the status.
    #[must_use]
    pub fn status<'a>(&self, row: &Row<'a>) -> Option<&'a str> {
        text(row, self.ready.as_ref()?.0)
    }

    /// Whether it is ready; `None` when that is unknown.
    #[must_use]
    pub fn is_ready(&self, row: &Row<'_>) -> Option<bool> {
        let (_, codes) = self.ready.as_ref()?;
        self.status(row).map(|status| codes.iter().any(|code| code == status))
    }

    /// Whether what happens there is happening at an instant: its status is one of those of the role, it has begun and
    /// has not expired. What is unknown of it does not end it.
    #[must_use]
    pub fn is_active(&self, row: &Row<'_>, now: UtcDateTime) -> bool {
        let Some((at, codes)) = &self.active_area else { return false };
        let (start, end) = self.when.unwrap_or_default();
        let time = |field: Option<usize>| match row.cell(field?) {
            ValueRef::DateTime(instant) => Some(instant),
            _ => None,
        };
        text(row, *at).is_none_or(|status| codes.iter().any(|code| code == status))
            && time(start).is_none_or(|start| start <= now)
            && time(end).is_none_or(|end| now < end)
    }

    /// Free places, persons, not below 0; `None` when that is unknown: the capacity, or what is taken of it. Nothing
    /// on file about promises means that there are none.
    #[must_use]
    pub fn free_places(&self, row: &Row<'_>, by_night: bool) -> Option<i64> {
        let fields = self.capacity.as_ref()?;
        let capacity = if by_night { fields.night? } else { fields.capacity };
        let promised = fields.promised.and_then(|promised| whole(row, promised)).unwrap_or(0);
        Some(whole(row, capacity)?.saturating_sub(whole(row, fields.taken)?).saturating_sub(promised).max(0))
    }

    /// Whether it is for a danger; `None` when that is unknown.
    #[must_use]
    pub fn suitable_for(&self, row: &Row<'_>, hazard: &str) -> Option<bool> {
        let (yes, no) = self.suitable_for?;
        let names = |at: usize| list(row, at).is_some_and(|list| list.iter().any(|own| own == hazard));
        // Whoever says both is not for it.
        if names(no) { Some(false) } else { names(yes).then_some(true) }
    }

    /// What it can do; `None` when that is unknown.
    #[must_use]
    pub fn skills<'a>(&self, row: &Row<'a>) -> Option<&'a [String]> {
        list(row, self.skills?)
    }

    /// Its articles; `None` when they are unknown.
    #[must_use]
    pub fn articles<'a>(&self, row: &Row<'a>) -> Option<&'a [StockItem]> {
        self.stock?;
        row.chunk().resources(self).articles.get(row.number())?.as_deref()
    }

    /// The last day on which its articles may be used; `None` is without end.
    #[must_use]
    pub fn until(&self, row: &Row<'_>) -> Option<Date> {
        match row.cell(self.stock?.1?) {
            ValueRef::Date(day) => Some(day),
            _ => None,
        }
    }

    /// The danger of a dangerous area.
    #[must_use]
    pub fn hazard<'a>(&self, row: &Row<'a>) -> Option<&'a str> {
        text(row, self.zone?.0)
    }

    /// How dangerous it is: 1 is worst.
    #[must_use]
    pub fn level(&self, row: &Row<'_>) -> Option<i64> {
        whole(row, self.zone?.1)
    }
}

impl ChunkResources {
    pub(super) fn of(chunk: &Chunk, spatial_index: &SpatialIndex, resources: &ResourceFields) -> Self {
        let articles: Vec<Option<Box<[StockItem]>>> = match resources.stock {
            Some((field, _)) => chunk.rows_after(None).map(|row| articles(&row, field)).collect(),
            None => Vec::new(),
        };
        let supply = |block: &Block| {
            let mut supply = SupplySummary::default();
            for place in spatial_index.places(block) {
                let row = chunk.row(place.row as usize);
                supply.take(&row, resources, articles.get(row.number()).and_then(Option::as_deref));
            }
            supply
        };
        let blocks: Vec<SupplySummary> = spatial_index.blocks().iter().map(supply).collect();
        let mut whole = SupplySummary::default();
        for block in &blocks {
            whole.ready.unite(&block.ready);
            whole.all.unite(&block.all);
        }
        Self { articles, whole, blocks }
    }

    /// The most that a block of the chunk offers, or all of it.
    pub(super) fn supply(&self, block: Option<usize>) -> &SupplySummary {
        block.map_or(&self.whole, |block| &self.blocks[block])
    }
}

impl SupplySummary {
    fn take(&mut self, row: &Row<'_>, resources: &ResourceFields, articles: Option<&[StockItem]>) {
        self.all.take(row, resources, articles);
        if !resources.has_status() || resources.is_ready(row) != Some(false) {
            self.ready.take(row, resources, articles);
            self.ready.unknown |= resources.has_status() && resources.status(row).is_none();
        }
    }
}

impl SupplyMaximum {
    fn take(&mut self, row: &Row<'_>, resources: &ResourceFields, articles: Option<&[StockItem]>) {
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
            self.unknown |= articles.is_none();
            let mut own: BTreeMap<&str, f64> = BTreeMap::new();
            for article in articles.into_iter().flatten() {
                self.unknown |= article.free.is_none();
                *own.entry(&article.code).or_default() += article.free.unwrap_or_default();
            }
            for (code, free) in own {
                let most = self.articles.entry(code.into()).or_default();
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
        for (code, free) in &other.articles {
            let most = self.articles.entry(code.clone()).or_default();
            *most = most.max(*free);
        }
    }
}

/// One article as the stock list has it.
#[derive(Deserialize)]
struct RawArticle {
    item_code: String,
    quantity: Option<f64>,
    promised: Option<f64>,
    expires_on: Option<String>,
}

/// Reads a stock list. Lots of one article stay apart, they expire apart. A day that cannot be read is in the past.
fn articles(row: &Row<'_>, field: usize) -> Option<Box<[StockItem]>> {
    let ValueRef::Json(list) = row.cell(field) else { return None };
    let raw: Vec<RawArticle> = serde_json::from_str(list).ok()?;
    let article = |raw: RawArticle| StockItem {
        code: raw.item_code.into(),
        free: raw.quantity.map(|quantity| (quantity - raw.promised.unwrap_or_default()).max(0.0)),
        expires_on: raw.expires_on.map(|day| parse_date(&day).unwrap_or(Date::MIN)),
    };
    Some(raw.into_iter().map(article).collect())
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
