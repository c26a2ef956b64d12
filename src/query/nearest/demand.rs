//! A demand on resources, and whether a resource meets it: yes, no or unknown, each with reasons.

use std::sync::Arc;

use geo::Intersects;
use time::{Date, UtcDateTime};

use crate::geodesy::Envelope;
use crate::geodesy::edge_index::EdgeIndex;
use crate::model::division::division_prefix;
use crate::model::{Shape, ValueRef, beijing_day};
use crate::query::filter::Filter;
use crate::query::query_geometry::QueryGeometry;
use crate::query::road::closures::Closure;
use crate::snapshot::{Group, Layer, ResourceFields, Row, Snapshot, StockItem, SupplyMaximum};

/// The required status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// Ready by the role of the layer; with at least one free place if the layer has a capacity, and at least one item
    /// if it has stock.
    #[default]
    Ready,
    /// Any status.
    Any,
    /// One of these codes.
    Codes(Vec<String>),
}

/// The required location of a resource.
#[derive(Clone, Debug)]
pub enum Within {
    /// In a division, by the common prefix of its codes.
    Division(String),
    /// Intersecting an area; longitude, latitude in degrees.
    Area(Arc<EdgeIndex>),
}

impl Within {
    /// A division by its code: 12 digits, or the first 2, 4, 6 or 9.
    #[must_use]
    pub fn division(code: &str) -> Option<Self> {
        division_prefix(code).map(|prefix| Self::Division(prefix.to_owned()))
    }

    /// An area with an edge index, built once.
    #[must_use]
    pub fn area(area: Shape) -> Self {
        Self::Area(Arc::new(EdgeIndex::new(area.into_geometry())))
    }
}

/// A quantity of a stock item.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantity {
    /// Code of the item.
    pub code: String,
    /// Quantity, above 0.
    pub count: f64,
}

/// Areas that a resource must not be in.
#[derive(Clone, Debug, Default)]
pub struct Avoid {
    /// Hazards whose zones are avoided; with `any_hazard` all.
    pub hazards: Vec<String>,
    /// Zones of all hazards are avoided.
    pub any_hazard: bool,
    /// Only zones of this level or worse (1 is the worst); `None` for all levels.
    pub level: Option<i64>,
    /// Resources within this distance of an area count as inside, metres.
    pub margin_m: f64,
    /// Ids of layers whose active areas are avoided.
    pub active_areas: Vec<String>,
}

/// A demand on resources. A condition that a layer has no role for is ignored for that layer.
#[derive(Clone, Debug)]
pub struct Demand {
    /// Required status.
    pub status: Status,
    /// Required free places, persons.
    pub people: Option<u32>,
    /// Whether the capacity for the night counts.
    pub by_night: bool,
    /// Hazards it must be suitable for.
    pub hazards: Vec<String>,
    /// Required skills, all of them.
    pub skills: Vec<String>,
    /// Required stock, all of it.
    pub items: Vec<Quantity>,
    /// Required location.
    pub within: Option<Within>,
    /// Areas to avoid.
    pub avoid: Avoid,
    /// Any other condition.
    pub filter: Option<Filter>,
    /// The instant of the demand: stock that expired before it, or before its date in Beijing, does not count.
    pub at: UtcDateTime,
}

impl Demand {
    /// Any feature.
    #[must_use]
    pub fn anything(at: UtcDateTime) -> Self {
        Self { status: Status::Any, ..Self::ready(at) }
    }

    /// Ready resources.
    #[must_use]
    pub fn ready(at: UtcDateTime) -> Self {
        Self {
            status: Status::Ready,
            people: None,
            by_night: false,
            hazards: Vec::new(),
            skills: Vec::new(),
            items: Vec::new(),
            within: None,
            avoid: Avoid::default(),
            filter: None,
            at,
        }
    }
}

/// Why a resource does not meet the demand, or may not.
#[derive(Clone, Debug)]
pub enum Reason<'a> {
    /// Its status differs from the required ones.
    Status(&'a str),
    /// Its status is unknown.
    StatusUnknown,
    /// Too few free places.
    Capacity {
        /// Free places.
        free: i64,
        /// Required places.
        required: u32,
    },
    /// The number of free places is unknown.
    CapacityUnknown,
    /// It is not suitable for a hazard.
    Unsuitable(&'a str),
    /// Suitability for a hazard is unknown.
    SuitabilityUnknown(&'a str),
    /// It lacks a skill.
    Skill(&'a str),
    /// Its skills are unknown.
    SkillsUnknown,
    /// Too little of a stock item.
    Stock {
        /// Code of the item.
        code: &'a str,
        /// Available quantity.
        free: f64,
        /// Required quantity.
        required: f64,
    },
    /// The available quantity of a stock item is unknown.
    StockUnknown(&'a str),
    /// It has no available stock.
    Empty,
    /// Whether it has available stock is unknown.
    ContentUnknown,
    /// Its agreement ended on this date.
    Ended(Date),
    /// It is outside the required area.
    OutsideArea,
    /// Its division is unknown.
    DivisionUnknown,
    /// It has no geometry.
    NoPlace,
    /// It is inside an avoided area.
    Inside {
        /// Layer of the area.
        layer: &'a Layer,
        /// The area.
        area: Row<'a>,
    },
    /// The filter does not match.
    Filtered,
    /// The journey takes longer than allowed.
    TooLong {
        /// Travel time, seconds.
        duration_s: f64,
    },
    /// No open road leads there.
    Unreachable {
        /// What closes the roads without which it could not be reached.
        cut_by: Vec<Closure<'a>>,
    },
}

impl Reason<'_> {
    /// Whether it reports unknown data rather than a mismatch.
    #[must_use]
    pub fn is_doubt(&self) -> bool {
        matches!(
            self,
            Self::StatusUnknown
                | Self::CapacityUnknown
                | Self::SuitabilityUnknown(_)
                | Self::SkillsUnknown
                | Self::StockUnknown(_)
                | Self::ContentUnknown
                | Self::DivisionUnknown
        )
    }

    /// Whether it reports too little of something.
    #[must_use]
    pub fn is_amount(&self) -> bool {
        matches!(self, Self::Capacity { .. } | Self::Skill(_) | Self::Stock { .. })
    }
}

/// Whether a resource meets a demand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It meets the demand.
    Eligible,
    /// Unknown data prevents a decision.
    Unknown,
    /// It meets part of the demand.
    Partial,
    /// It does not meet the demand.
    Ineligible,
}

/// Checks features of one layer against a demand.
pub struct Eligibility<'a> {
    demand: &'a Demand,
    /// Date of the demand in Beijing.
    today: Date,
    resources: &'a ResourceFields,
    division: Option<usize>,
    within: Option<Envelope>,
    /// Layers of avoided areas.
    avoided: Vec<&'a Layer>,
}

impl<'a> Eligibility<'a> {
    /// Prepares the check of a layer.
    #[must_use]
    pub fn new(snapshot: &'a Snapshot, layer: &'a Layer, demand: &'a Demand) -> Self {
        let avoid = &demand.avoid;
        let named = |own: &Layer| avoid.active_areas.contains(&own.schema().id);
        let by_hazard = avoid.any_hazard || !avoid.hazards.is_empty();
        let avoided = snapshot.layers().iter().map(|own| &**own).filter(|own| {
            let resources = own.resources();
            (by_hazard && resources.has_zone()) || (named(own) && resources.has_active_area())
        });
        let within = match &demand.within {
            Some(Within::Area(area)) => area.envelope(),
            _ => None,
        };
        Self {
            demand,
            today: beijing_day(demand.at),
            resources: layer.resources(),
            division: layer.schema().position("region_code"),
            within,
            avoided: avoided.collect(),
        }
    }

    /// Resources of the layer.
    #[must_use]
    pub fn resources(&self) -> &'a ResourceFields {
        self.resources
    }

    /// Required free places.
    #[must_use]
    pub fn places(&self) -> Option<u32> {
        let at_least_one = (self.demand.status == Status::Ready).then_some(1);
        self.demand.people.or(at_least_one).filter(|_| self.resources.has_capacity())
    }

    fn most<'c>(&self, group: Group<'c>) -> &'c SupplyMaximum {
        let supply = group.supply(self.resources);
        if self.demand.status == Status::Ready { &supply.ready } else { &supply.all }
    }

    /// Whether a chunk or block may contain an eligible feature.
    #[must_use]
    pub fn may_be_eligible(&self, group: Group<'_>) -> bool {
        if !self.is_near(group) {
            return false;
        }
        let most = self.most(group);
        let capacity = if self.demand.by_night { most.capacity_by_night } else { most.capacity };
        let has_skills = || self.demand.skills.iter().all(|skill| most.skills.contains(skill.as_str()));
        let has_items = || {
            let enough =
                |item: &Quantity| most.stock_items.get(item.code.as_str()).is_some_and(|free| *free >= item.count);
            self.demand.items.iter().all(enough)
        };
        most.any
            && self.places().is_none_or(|required| capacity.is_some_and(|capacity| capacity >= i64::from(required)))
            && (!self.resources.has_skills() || has_skills())
            && (!self.resources.has_stock() || has_items())
    }

    /// Whether a chunk or block may contain a feature with unknown data.
    #[must_use]
    pub fn may_be_unknown(&self, group: Group<'_>) -> bool {
        let of_division = matches!(self.demand.within, Some(Within::Division(_)));
        let of_hazard = self.resources.has_suitability() && !self.demand.hazards.is_empty();
        self.is_near(group) && (self.most(group).unknown || of_hazard || of_division)
    }

    fn is_near(&self, group: Group<'_>) -> bool {
        self.within.is_none_or(|within| group.envelope().is_some_and(|own| own.intersects(&within)))
    }

    /// Whether a feature meets the demand.
    #[must_use]
    pub fn verdict(&self, row: &Row<'a>) -> Verdict {
        let (mut doubt, mut short) = (false, false);
        let unfit = !self.each(row, &mut |reason| {
            doubt |= reason.is_doubt();
            short |= reason.is_amount();
            reason.is_doubt() || reason.is_amount()
        });
        match (unfit, short, doubt) {
            (true, ..) => Verdict::Ineligible,
            (_, true, _) => Verdict::Partial,
            (.., true) => Verdict::Unknown,
            _ => Verdict::Eligible,
        }
    }

    /// All reasons against a feature.
    #[must_use]
    pub fn reasons(&self, row: &Row<'a>) -> Vec<Reason<'a>> {
        let mut reasons = Vec::new();
        self.each(row, &mut |reason| {
            reasons.push(reason);
            true
        });
        reasons
    }

    /// Passes each reason to a callback until it returns false; returns false in that case.
    fn each(&self, row: &Row<'a>, report: &mut dyn FnMut(Reason<'a>) -> bool) -> bool {
        self.of_status(row).is_none_or(&mut *report)
            && self.of_capacity(row).is_none_or(&mut *report)
            && self.of_hazards(row, report)
            && self.of_skills(row, report)
            && self.of_stock(row, report)
            && self.of_place(row).is_none_or(&mut *report)
            && (self.demand.filter.as_ref().is_none_or(|filter| filter.matches(row)) || report(Reason::Filtered))
            && self.of_areas(row, report)
    }

    fn of_status(&self, row: &Row<'a>) -> Option<Reason<'a>> {
        if !self.resources.has_status() || self.demand.status == Status::Any {
            return None;
        }
        let Some(status) = self.resources.status(row) else { return Some(Reason::StatusUnknown) };
        let matches = match &self.demand.status {
            Status::Codes(codes) => codes.iter().any(|code| code == status),
            _ => self.resources.is_ready(row) == Some(true),
        };
        (!matches).then_some(Reason::Status(status))
    }

    fn of_capacity(&self, row: &Row<'a>) -> Option<Reason<'a>> {
        let required = self.places()?;
        match self.free_places(row) {
            None => Some(Reason::CapacityUnknown),
            Some(free) => (free < i64::from(required)).then_some(Reason::Capacity { free, required }),
        }
    }

    fn of_hazards(&self, row: &Row<'a>, report: &mut dyn FnMut(Reason<'a>) -> bool) -> bool {
        let hazards = if self.resources.has_suitability() { self.demand.hazards.as_slice() } else { &[] };
        hazards.iter().all(|hazard| match self.resources.suitable_for(row, hazard) {
            Some(true) => true,
            Some(false) => report(Reason::Unsuitable(hazard)),
            None => report(Reason::SuitabilityUnknown(hazard)),
        })
    }

    fn of_skills(&self, row: &Row<'a>, report: &mut dyn FnMut(Reason<'a>) -> bool) -> bool {
        if !self.resources.has_skills() || self.demand.skills.is_empty() {
            return true;
        }
        let Some(own) = self.resources.skills(row) else { return report(Reason::SkillsUnknown) };
        self.demand.skills.iter().all(|skill| own.contains(skill) || report(Reason::Skill(skill)))
    }

    fn of_stock(&self, row: &Row<'a>, report: &mut dyn FnMut(Reason<'a>) -> bool) -> bool {
        if !self.resources.has_stock() {
            return true;
        }
        if let Some(until) = self.resources.until(row).filter(|until| *until < self.today)
            && !report(Reason::Ended(until))
        {
            return false;
        }
        if self.demand.status == Status::Ready && self.demand.items.is_empty() {
            return self.of_content(row).is_none_or(report);
        }
        self.demand.items.iter().all(|item| match self.free_quantity(row, &item.code) {
            Some(free) if free >= item.count => true,
            Some(free) => report(Reason::Stock { code: &item.code, free, required: item.count }),
            None => report(Reason::StockUnknown(&item.code)),
        })
    }

    /// Without a specific demand, some stock is required.
    fn of_content(&self, row: &Row<'a>) -> Option<Reason<'a>> {
        let Some(stock_items) = self.resources.stock_items(row) else { return Some(Reason::ContentUnknown) };
        let usable = |item: &&StockItem| item.expires_on.is_none_or(|last| last >= self.today);
        let mut usable = stock_items.iter().filter(usable).peekable();
        if usable.peek().is_none() {
            return Some(Reason::Empty);
        }
        let known: Vec<Option<f64>> = usable.map(|item| item.free).collect();
        match known.iter().flatten().any(|free| *free > 0.0) {
            true => None,
            false if known.contains(&None) => Some(Reason::ContentUnknown),
            false => Some(Reason::Empty),
        }
    }

    /// Free places for the day or the night, as required, persons; `None` if unknown.
    #[must_use]
    pub fn free_places(&self, row: &Row<'_>) -> Option<i64> {
        self.resources.free_places(row, self.demand.by_night)
    }

    /// Available quantity of a stock item that has not expired; `None` if unknown.
    #[must_use]
    pub fn free_quantity(&self, row: &Row<'_>, code: &str) -> Option<f64> {
        let lots = self.resources.stock_items(row)?.iter().filter(|item| &*item.code == code);
        let usable = lots.filter(|item| item.expires_on.is_none_or(|last| last >= self.today));
        usable.map(|item| item.free).sum()
    }

    fn of_place(&self, row: &Row<'a>) -> Option<Reason<'a>> {
        match self.demand.within.as_ref()? {
            Within::Division(prefix) => match self.division.map(|at| row.cell(at)) {
                Some(ValueRef::Text(code)) => (!code.starts_with(prefix.as_str())).then_some(Reason::OutsideArea),
                _ => Some(Reason::DivisionUnknown),
            },
            Within::Area(area) => match row.shape() {
                Some(shape) => (!area.intersects(shape.geometry())).then_some(Reason::OutsideArea),
                None => Some(Reason::NoPlace),
            },
        }
    }

    fn of_areas(&self, row: &Row<'a>, report: &mut dyn FnMut(Reason<'a>) -> bool) -> bool {
        if self.avoided.is_empty() {
            return true;
        }
        let Some(shape) = row.shape() else { return report(Reason::NoPlace) };
        let Some(around) = Envelope::around(shape.geometry()) else { return true };
        let margin_m = self.demand.avoid.margin_m;
        let around = if margin_m > 0.0 { around.padded(margin_m) } else { around };
        self.avoided.iter().all(|&layer| {
            let resources = layer.resources();
            let mut areas: Vec<Row<'a>> = layer
                .rows_in(&around)
                .filter(|area| self.is_avoided(resources, area) && is_within(margin_m, shape, area))
                .collect();
            areas.sort_unstable_by_key(Row::id);
            areas.into_iter().all(|area| report(Reason::Inside { layer, area }))
        })
    }

    /// Whether an area is to be avoided. An area with unknown data is avoided.
    fn is_avoided(&self, resources: &ResourceFields, area: &Row<'_>) -> bool {
        if !resources.has_zone() {
            return resources.is_active(area, self.demand.at);
        }
        let avoid = &self.demand.avoid;
        let of_hazard = avoid.any_hazard
            || resources.hazard(area).is_none_or(|hazard| avoid.hazards.iter().any(|avoided| avoided == hazard));
        of_hazard && avoid.level.is_none_or(|worst| resources.level(area).is_none_or(|level| level <= worst))
    }
}

/// Whether a shape intersects an area or is within a distance of it, metres.
fn is_within(margin_m: f64, shape: &Shape, area: &Row<'_>) -> bool {
    area.shape().is_some_and(|area| {
        shape.geometry().intersects(area.geometry())
            || (margin_m > 0.0 && QueryGeometry::shape(shape.clone()).nearest(area, margin_m).is_some())
    })
}
