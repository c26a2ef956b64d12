//! Reservations: parts of a resource that are promised, taken from what is stored within the transaction of the edit, so
//! that concurrent writers never promise the same part twice.

use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use super::{Feature, FeatureId, LayerIndex, LayerSchema, Value, parse_date};

/// A change of what is promised of a resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Reservation {
    /// What changes.
    pub part: ReservedPart,
    /// What happens beyond what is free.
    pub over: OverCommitment,
    /// Where the part beyond what is free is recorded.
    pub mark: Option<ExcessMark>,
}

/// What happens to a reservation of more than is free.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OverCommitment {
    /// It is refused.
    #[default]
    Block,
    /// It is taken, if the resource is ready, and marked.
    Warn,
    /// It is taken for a reason that is recorded, also of a resource that is not ready, and marked.
    #[serde(skip)]
    Override,
}

/// The feature that records what a reservation takes beyond what is free: an edit of the same batch that follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExcessMark {
    /// Its layer.
    pub layer: LayerIndex,
    /// Its id.
    pub id: FeatureId,
    /// Index of the field with the number of persons.
    pub people: Option<usize>,
    /// Index of the field with the quantities by item code.
    pub items: Option<usize>,
}

/// The part of a resource that a reservation concerns.
#[derive(Clone, Debug, PartialEq)]
pub enum ReservedPart {
    /// Places for people.
    Places {
        /// Places to promise; negative to return them.
        count: i64,
        /// Whether the capacity for the night limits them.
        by_night: bool,
    },
    /// Stock by item code: quantities to promise; negative to return them.
    Items(Vec<(String, f64)>),
    /// The whole resource: its status becomes this code.
    Whole {
        /// The new status.
        to: String,
    },
    /// Returns the whole resource: its status becomes a code if it is still another.
    Returned {
        /// The status that the reservation gave it.
        from: String,
        /// The status before the reservation.
        to: String,
    },
}

/// Why a part cannot be promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReservationError {
    /// The layer has no such resource, or its amount is unknown.
    #[error("the resource, or its amount, is not on file")]
    Unknown,
    /// The resource is not ready.
    #[error("the resource is not ready")]
    NotReady,
    /// Fewer places are free.
    #[error("{free} places are free")]
    Places {
        /// Free places.
        free: i64,
    },
    /// Less of an item is free.
    #[error("{free} of item {item} are free")]
    Items {
        /// Index of the item in the reservation.
        item: usize,
        /// Free quantity, rounded down.
        free: i64,
    },
}

impl Reservation {
    /// Index of the field that it writes.
    #[must_use]
    pub fn field(&self, schema: &LayerSchema) -> Option<usize> {
        let roles = &schema.roles;
        let name = match &self.part {
            ReservedPart::Places { .. } => roles.capacity.as_ref()?.promised.as_ref()?,
            ReservedPart::Items(_) => &roles.stock.as_ref()?.field,
            ReservedPart::Whole { .. } | ReservedPart::Returned { .. } => &roles.ready.as_ref()?.field,
        };
        schema.position(name)
    }

    /// The value of its field after the reservation.
    ///
    /// # Errors
    /// See [`ReservationError`].
    pub fn apply(&self, schema: &LayerSchema, stored: &Feature) -> Result<(usize, Value), ReservationError> {
        let field = self.field(schema).ok_or(ReservationError::Unknown)?;
        let value = match &self.part {
            ReservedPart::Places { count, by_night } => self.places(schema, stored, field, *count, *by_night)?,
            ReservedPart::Items(items) => self.items(schema, stored, field, items)?,
            ReservedPart::Whole { to } => {
                self.check_ready(schema, stored)?;
                Value::Text(to.clone())
            }
            ReservedPart::Returned { from, to } => match &stored.values[field] {
                Value::Text(status) if status == from => Value::Text(to.clone()),
                other => other.clone(),
            },
        };
        Ok((field, value))
    }

    /// What it takes beyond what is free, as values of the feature that records it; none if it fits, or if what is free is
    /// unknown.
    #[must_use]
    pub fn excess(&self, schema: &LayerSchema, stored: &Feature) -> Vec<(usize, Value)> {
        let Some(mark) = &self.mark else { return Vec::new() };
        let value = match &self.part {
            ReservedPart::Places { count, by_night } => mark.people.zip(
                free_places(schema, stored, *by_night)
                    .map(|free| count.saturating_sub(free))
                    .filter(|over| *count > 0 && *over > 0)
                    .map(Value::Integer),
            ),
            ReservedPart::Items(items) => mark.items.zip(excess_items(&self.lots(schema, stored), items)),
            ReservedPart::Whole { .. } | ReservedPart::Returned { .. } => None,
        };
        value.into_iter().collect()
    }

    /// The stock that is stored; none if it is unknown.
    fn lots(&self, schema: &LayerSchema, stored: &Feature) -> Vec<Map<String, Json>> {
        match self.field(schema).map(|field| &stored.values[field]) {
            Some(Value::Json(text)) => serde_json::from_str(text).unwrap_or_default(),
            _ => Vec::new(),
        }
    }

    /// An unknown status is not ready.
    fn check_ready(&self, schema: &LayerSchema, stored: &Feature) -> Result<(), ReservationError> {
        let is_checked = self.over != OverCommitment::Override;
        let Some(ready) = schema.roles.ready.as_ref().filter(|_| is_checked) else { return Ok(()) };
        let status = schema.position(&ready.field).map(|at| &stored.values[at]);
        match status {
            Some(Value::Text(status)) if ready.codes.contains(status) => Ok(()),
            _ => Err(ReservationError::NotReady),
        }
    }

    fn places(
        &self,
        schema: &LayerSchema,
        stored: &Feature,
        field: usize,
        count: i64,
        by_night: bool,
    ) -> Result<Value, ReservationError> {
        let promised = match &stored.values[field] {
            Value::Integer(promised) => *promised,
            _ => 0,
        };
        if count > 0 && self.over != OverCommitment::Override {
            self.check_ready(schema, stored)?;
            let free = free_places(schema, stored, by_night).ok_or(ReservationError::Unknown)?;
            if count > free && self.over == OverCommitment::Block {
                return Err(ReservationError::Places { free });
            }
        }
        Ok(Value::Integer(promised.saturating_add(count).max(0)))
    }

    fn items(
        &self,
        schema: &LayerSchema,
        stored: &Feature,
        field: usize,
        items: &[(String, f64)],
    ) -> Result<Value, ReservationError> {
        let Value::Json(text) = &stored.values[field] else { return Err(ReservationError::Unknown) };
        let mut lots: Vec<Map<String, Json>> = serde_json::from_str(text).map_err(|_| ReservationError::Unknown)?;
        for (index, (code, quantity)) in items.iter().enumerate() {
            let mut own: Vec<&mut Map<String, Json>> =
                lots.iter_mut().filter(|lot| lot.get("item_code").and_then(Json::as_str) == Some(code)).collect();
            // The lot that expires first is promised first.
            own.sort_by_key(|lot| lot.get("expires_on").and_then(Json::as_str).and_then(parse_date));
            let left = if *quantity > 0.0 { promise(&mut own, *quantity) } else { give_back(&mut own, -quantity) };
            if left > 0.0 && *quantity > 0.0 {
                if self.over == OverCommitment::Block {
                    #[expect(clippy::cast_possible_truncation, reason = "rounded down for the message")]
                    let free = (quantity - left).floor() as i64;
                    return Err(ReservationError::Items { item: index, free });
                }
                let Some(last) = own.last_mut() else { return Err(ReservationError::Unknown) };
                set(last, promised(last) + left);
            }
        }
        if items.iter().any(|(_, quantity)| *quantity > 0.0) {
            self.check_ready(schema, stored)?;
        }
        serde_json::to_string(&lots).map(Value::Json).map_err(|_| ReservationError::Unknown)
    }
}

/// Places that are neither taken nor promised, at least 0; `None` if the capacity or the occupancy is unknown.
fn free_places(schema: &LayerSchema, stored: &Feature, by_night: bool) -> Option<i64> {
    let number = |name: &str| match schema.position(name).map(|at| &stored.values[at]) {
        Some(Value::Integer(number)) => Some(*number),
        _ => None,
    };
    let role = schema.roles.capacity.as_ref()?;
    let capacity = number(if by_night { role.night.as_ref()? } else { &role.capacity })?;
    let promised = role.promised.as_ref().and_then(|name| number(name)).unwrap_or(0);
    Some(capacity.saturating_sub(number(&role.taken)?).saturating_sub(promised).max(0))
}

/// The quantities beyond what the lots have free, as a list; `None` if there are none.
fn excess_items(lots: &[Map<String, Json>], items: &[(String, f64)]) -> Option<Value> {
    let over = items.iter().filter_map(|(code, quantity)| {
        let own = lots.iter().filter(|lot| lot.get("item_code").and_then(Json::as_str) == Some(code));
        let free: f64 = own.map(|lot| (number(lot, "quantity") - promised(lot)).max(0.0)).sum();
        (*quantity > free).then(|| json!({"item_code": code, "quantity": quantity - free}))
    });
    let over: Vec<Json> = over.collect();
    (!over.is_empty()).then(|| Value::Json(Json::from(over).to_string()))
}

/// Promises a quantity of some lots; returns what they do not have.
fn promise(lots: &mut [&mut Map<String, Json>], quantity: f64) -> f64 {
    let mut left = quantity;
    for lot in lots {
        let (stock, promised) = (number(lot, "quantity"), promised(lot));
        let part = (stock - promised).max(0.0).min(left);
        if part > 0.0 {
            set(lot, promised + part);
            left -= part;
        }
    }
    left
}

/// Returns a promised quantity, last lot first; returns what was not promised.
fn give_back(lots: &mut [&mut Map<String, Json>], quantity: f64) -> f64 {
    let mut left = quantity;
    for lot in lots.iter_mut().rev() {
        let part = promised(lot).min(left);
        if part > 0.0 {
            set(lot, promised(lot) - part);
            left -= part;
        }
    }
    left
}

fn promised(lot: &Map<String, Json>) -> f64 {
    number(lot, "promised")
}

fn number(lot: &Map<String, Json>, member: &str) -> f64 {
    lot.get(member).and_then(Json::as_f64).unwrap_or_default()
}

/// Whole numbers stay whole.
fn set(lot: &mut Map<String, Json>, promised: f64) {
    #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and small")]
    let value = if promised.fract() == 0.0 && promised.abs() < 1e15 {
        Json::from(promised as i64)
    } else {
        Json::from(promised)
    };
    lot.insert("promised".to_owned(), value);
}

#[cfg(test)]
mod tests {
    use OverCommitment::{Block, Override, Warn};

    use super::*;
    use crate::model::Catalog;

    fn schema(id: &str) -> LayerSchema {
        Catalog::built_in().expect("a catalog").layer(id).expect("a layer").clone()
    }

    fn feature(schema: &LayerSchema, values: &[(&str, Value)]) -> Feature {
        let mut all = vec![Value::Unknown; schema.fields.len()];
        for (name, value) in values {
            all[schema.position(name).expect("a field")] = value.clone();
        }
        Feature { id: FeatureId::new("F").expect("an id"), geometry: None, values: all }
    }

    fn mark(people: Option<usize>, items: Option<usize>) -> ExcessMark {
        ExcessMark { layer: LayerIndex(0), id: FeatureId::new("C").expect("an id"), people, items }
    }

    #[test]
    fn places_are_promised_up_to_what_is_free() {
        let schema = schema("shelters");
        let stored = |promised| {
            let numbers = [("capacity", 100), ("capacity_night", 60), ("occupancy", 30), ("promised", promised)];
            let mut values: Vec<(&str, Value)> = numbers.map(|(name, own)| (name, Value::Integer(own))).into();
            values.push(("status", Value::Text("open".to_owned())));
            feature(&schema, &values)
        };
        let reserve = |count, by_night, over| Reservation {
            part: ReservedPart::Places { count, by_night },
            over,
            mark: Some(mark(Some(3), None)),
        };
        let after =
            |reservation: Reservation, promised| reservation.apply(&schema, &stored(promised)).map(|(_, value)| value);
        assert_eq!(after(reserve(70, false, Block), 0), Ok(Value::Integer(70)));
        assert_eq!(after(reserve(71, false, Block), 0), Err(ReservationError::Places { free: 70 }));
        assert_eq!(after(reserve(31, true, Block), 0), Err(ReservationError::Places { free: 30 }));
        assert_eq!(after(reserve(71, false, Override), 0), Ok(Value::Integer(71)));
        assert_eq!(after(reserve(-80, false, Block), 71), Ok(Value::Integer(0)), "never below nothing");
        let closed = feature(&schema, &[("status", Value::Text("closed".to_owned())), ("capacity", Value::Integer(9))]);
        for over in [Block, Warn] {
            assert_eq!(reserve(1, false, over).apply(&schema, &closed), Err(ReservationError::NotReady));
        }
        // With a warning it is taken, and the part beyond is told.
        assert_eq!(after(reserve(95, false, Warn), 10), Ok(Value::Integer(105)));
        let excess = |count, by_night, promised| reserve(count, by_night, Warn).excess(&schema, &stored(promised));
        assert_eq!(excess(95, false, 10), [(3, Value::Integer(35))]);
        assert_eq!(excess(35, true, 10), [(3, Value::Integer(15))]);
        assert_eq!(excess(5, false, 500), [(3, Value::Integer(5))], "what was promised beyond before is not its own");
        assert_eq!((excess(60, false, 10), excess(-20, false, 500)), (vec![], vec![]));
    }

    #[test]
    fn stock_is_promised_from_the_lot_that_expires_first() {
        let schema = schema("depots");
        let stock = r#"[{"item_code":"A","quantity":10,"promised":4,"expires_on":"2027-05-01"},
            {"item_code":"A","quantity":5,"expires_on":"2026-12-31"},{"item_code":"B","quantity":2.5}]"#;
        let stored = feature(&schema, &[("stock", Value::Json(stock.to_owned()))]);
        let reserve = |items: &[(&str, f64)], over| {
            let items = items.iter().map(|(code, quantity)| ((*code).to_owned(), *quantity)).collect();
            Reservation { part: ReservedPart::Items(items), over, mark: Some(mark(None, Some(4))) }
        };
        let promised = |after: Result<(usize, Value), ReservationError>| -> Vec<Json> {
            let Ok((_, Value::Json(text))) = after else { panic!("{after:?}") };
            let lots: Vec<Map<String, Json>> = serde_json::from_str(&text).expect("a list");
            lots.iter().map(|lot| lot.get("promised").cloned().unwrap_or_default()).collect()
        };
        let both = reserve(&[("A", 7.0), ("B", 1.5)], Block).apply(&schema, &stored);
        assert_eq!(promised(both), [Json::from(6), Json::from(5), Json::from(1.5)]);
        let more = reserve(&[("B", 1.0), ("A", 12.0)], Block).apply(&schema, &stored);
        assert_eq!(more, Err(ReservationError::Items { item: 1, free: 11 }));
        assert_eq!(
            promised(reserve(&[("A", 12.0)], Override).apply(&schema, &stored)),
            [Json::from(11), Json::from(5), Json::Null]
        );
        assert_eq!(reserve(&[("C", 1.0)], Override).apply(&schema, &stored), Err(ReservationError::Unknown));
        assert_eq!(promised(reserve(&[("A", -3.0)], Block).apply(&schema, &stored))[0], Json::from(1));
        assert_eq!(
            promised(reserve(&[("A", 12.0)], Warn).apply(&schema, &stored)),
            [Json::from(11), Json::from(5), Json::Null]
        );
        let over = reserve(&[("A", 12.0), ("B", 2.5)], Warn).excess(&schema, &stored);
        assert_eq!(over, [(4, Value::Json(r#"[{"item_code":"A","quantity":1.0}]"#.to_owned()))]);
    }

    #[test]
    fn a_team_is_promised_whole_and_returned_unless_its_status_was_changed() {
        let schema = schema("teams");
        let stored = |status: &str| feature(&schema, &[("status", Value::Text(status.to_owned()))]);
        let apply = |part, status: &str| {
            Reservation { part, over: Block, mark: None }.apply(&schema, &stored(status)).map(|(_, value)| value)
        };
        let text = |text: &str| Ok(Value::Text(text.to_owned()));
        assert_eq!(apply(ReservedPart::Whole { to: "out".to_owned() }, "standby"), text("out"));
        assert_eq!(apply(ReservedPart::Whole { to: "out".to_owned() }, "out"), Err(ReservationError::NotReady));
        let back = || ReservedPart::Returned { from: "out".to_owned(), to: "standby".to_owned() };
        assert_eq!(apply(back(), "out"), text("standby"));
        assert_eq!(apply(back(), "returning"), text("returning"));
    }
}
