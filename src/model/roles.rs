//! Roles of a layer: which of its fields queries may use, and for what.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::schema::FieldType;

/// A field and the codes for which the role applies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Codes {
    /// Name of the field.
    pub field: String,
    /// The codes.
    pub codes: Vec<String>,
}

/// Capacity for people: names of number fields, in persons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CapacityRole {
    /// Total capacity.
    pub capacity: String,
    /// Capacity for the night.
    pub night: Option<String>,
    /// Occupied places.
    pub taken: String,
    /// Promised places; unknown counts as none.
    pub promised: Option<String>,
}

/// Hazards that a resource is suitable for: names of list fields. Suitability for a hazard in neither list is unknown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SuitabilityRole {
    /// Hazards it is suitable for.
    pub yes: String,
    /// Hazards it is not suitable for.
    pub no: String,
}

/// A stock list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StockRole {
    /// Name of the JSON field: a list of `item_code`, `quantity`, `promised`, `expires_on`.
    pub field: String,
    /// Name of the date field with the last day of validity; unknown means unlimited.
    pub until: Option<String>,
    /// Name of the code list of stock items.
    pub codes: String,
}

/// A risk zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ZoneRole {
    /// Name of the field with the hazard.
    pub hazard: String,
    /// Name of the field with the risk level; 1 is the worst.
    pub level: String,
}

/// A place with people that must not be in a risk zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExposedSiteRole {
    /// Name of the number field with the number of people it is designed for; without it, the people present.
    pub people: Option<String>,
    /// Limits the role to features with one of these codes; without it, all features.
    pub only: Option<Codes>,
}

/// A secondary hazard: makes an incident nearby worse.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecondaryHazardRole {
    /// Name of the field with the kind.
    pub field: String,
    /// Rank of each code; 1 is the most dangerous, other codes are not dangerous.
    pub ranks: BTreeMap<String, u8>,
}

/// Responsible person: names of text fields.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResponsibleRole {
    /// Name of the person.
    pub person: String,
    /// Phone number.
    pub phone: String,
}

/// Time span: names of instant fields.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeRole {
    /// Start.
    pub start: String,
    /// End; unknown means unlimited. Without an end field the start is a single instant.
    pub end: Option<String>,
}

/// A contribution to the risk surface.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RiskRole {
    /// Weights of the severity codes of the layer's clusters, worst first: points count once per km², areas by their
    /// share of a cell.
    pub weights: Vec<u32>,
    /// The layer's people make risks worse: so many per km² double a score.
    pub doubling_people_km2: Option<NonZeroU32>,
}

/// A reading of a station: names of number fields.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadingRole {
    /// The reading.
    pub value: String,
    /// The value from which it is alarming.
    pub threshold: String,
}

/// A loudspeaker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoudspeakerRole {
    /// Name of the number field with the distance at which it is heard, metres.
    pub reach_m: String,
}

/// A road: what travel on it depends on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoadRole {
    /// Name of the field with the class.
    pub class: String,
    /// Speed on each class, km/h; other roads have the least of these.
    pub speeds_km_h: BTreeMap<String, NonZeroU32>,
    /// Classes without access from places beside the road, and closed to people on foot.
    #[serde(default)]
    pub limited_access: Vec<String>,
    /// Name of the boolean field of roads that are open only in the direction of their line.
    pub oneway: Option<String>,
    /// The status codes of a closed road.
    pub closed: Option<Codes>,
    /// Names of the number fields with the limits of vehicles.
    #[serde(default)]
    pub limits: RoadLimits,
}

/// The fields with the limits of vehicles on a road; a road without a value has no limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoadLimits {
    /// Greatest height, metres.
    pub height_m: Option<String>,
    /// Greatest width, metres.
    pub width_m: Option<String>,
    /// Greatest weight, tonnes.
    pub weight_t: Option<String>,
}

impl RoadLimits {
    /// The fields, in the order of the declaration.
    #[must_use]
    pub fn fields(&self) -> [Option<&String>; 3] {
        [self.height_m.as_ref(), self.width_m.as_ref(), self.weight_t.as_ref()]
    }
}

/// The status codes of a resource that is promised as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngagedRole {
    /// Promised to an incident.
    pub committed: String,
    /// On its way.
    pub en_route: String,
}

impl EngagedRole {
    /// The status of a resource by the state of its commitment.
    #[must_use]
    pub fn status(&self, state: &str) -> Option<&str> {
        match state {
            "committed" => Some(&self.committed),
            "en_route" => Some(&self.en_route),
            _ => None,
        }
    }
}

/// An emergency plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanRole {
    /// Name of the list field with the kinds of incident and warning that it is for; without any, it is for all.
    pub kinds: String,
}

/// A report of losses and evacuation, whose figures are the state of a division at a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SituationReportRole {
    /// Name of the field with the id of the incident; reports without one are about all incidents.
    pub incident: String,
    /// Names of the number fields that are added up over divisions.
    pub figures: Vec<String>,
}

/// Roles of a layer: what queries may use, by field name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Roles {
    /// The status codes of a ready resource.
    pub ready: Option<Codes>,
    /// Capacity for people.
    pub capacity: Option<CapacityRole>,
    /// Hazards it is suitable for.
    pub suitable_for: Option<SuitabilityRole>,
    /// Name of the list field with skills.
    pub skills: Option<String>,
    /// Stock.
    pub stock: Option<StockRole>,
    /// A risk zone.
    pub zone: Option<ZoneRole>,
    /// The area of an event, and the status codes of an active one.
    pub active_area: Option<Codes>,
    /// Name of the number field with the people present.
    pub people: Option<String>,
    /// Name of the number field with the people of these who cannot move without help.
    pub frail: Option<String>,
    /// A place with people that must not be in a risk zone.
    pub exposed_site: Option<ExposedSiteRole>,
    /// Names of the fields by whose codes features are counted; lengths of lines are summed by the first.
    pub count_by: Vec<String>,
    /// A secondary hazard: makes an incident nearby worse.
    pub secondary_hazard: Option<SecondaryHazardRole>,
    /// Responsible person.
    pub responsible: Option<ResponsibleRole>,
    /// Time span.
    pub time: Option<TimeRole>,
    /// A contribution to the risk surface.
    pub risk: Option<RiskRole>,
    /// A reading of a station.
    pub reading: Option<ReadingRole>,
    /// A loudspeaker.
    pub loudspeaker: Option<LoudspeakerRole>,
    /// A road.
    pub road: Option<RoadRole>,
    /// Its active features close the roads that they touch if they have one of these codes.
    pub closes_roads: Option<Codes>,
    /// Status codes of resources that are promised as a whole.
    pub engaged: Option<EngagedRole>,
    /// Its features are commitments, which are written by their own requests.
    pub commitments: bool,
    /// An emergency plan.
    pub plan: Option<PlanRole>,
    /// A report of losses and evacuation.
    pub situation_report: Option<SituationReportRole>,
}

impl Roles {
    /// Whether its features are records of the administration, which stand at an office and are no objects in the field.
    #[must_use]
    pub fn are_records(&self) -> bool {
        self.commitments || self.plan.is_some() || self.situation_report.is_some()
    }

    /// Field names in all roles, each with the types that the role accepts.
    pub fn typed_fields(&self) -> impl Iterator<Item = (&str, &'static [FieldType])> {
        const TEXT: &[FieldType] = &[FieldType::Text];
        const INTEGER: &[FieldType] = &[FieldType::Integer];
        const CODE: &[FieldType] = &[FieldType::Text, FieldType::Integer, FieldType::Boolean];
        const LIST: &[FieldType] = &[FieldType::TextList];
        const JSON: &[FieldType] = &[FieldType::Json];
        const DATE: &[FieldType] = &[FieldType::Date];
        const NUMBER: &[FieldType] = &[FieldType::Integer, FieldType::Real];
        const FLAG: &[FieldType] = &[FieldType::Boolean];
        const TIME: &[FieldType] = &[FieldType::DateTime];
        let mut fields: Vec<(&String, &'static [FieldType])> = Vec::new();
        fields.extend(
            self.ready.iter().chain(&self.active_area).chain(&self.closes_roads).map(|codes| (&codes.field, TEXT)),
        );
        if let Some(capacity) = &self.capacity {
            let numbers =
                [&capacity.capacity, &capacity.taken].into_iter().chain(&capacity.night).chain(&capacity.promised);
            fields.extend(numbers.map(|field| (field, INTEGER)));
        }
        fields.extend(
            self.suitable_for.iter().flat_map(|suitable_for| [(&suitable_for.yes, LIST), (&suitable_for.no, LIST)]),
        );
        fields.extend(self.skills.iter().map(|field| (field, LIST)));
        if let Some(stock) = &self.stock {
            fields.push((&stock.field, JSON));
            fields.extend(stock.until.iter().map(|field| (field, DATE)));
        }
        fields.extend(self.zone.iter().flat_map(|zone| [(&zone.hazard, TEXT), (&zone.level, INTEGER)]));
        fields.extend(self.people.iter().chain(&self.frail).map(|field| (field, INTEGER)));
        fields.extend(self.plan.iter().map(|plan| (&plan.kinds, LIST)));
        if let Some(report) = &self.situation_report {
            fields.push((&report.incident, TEXT));
            fields.extend(report.figures.iter().map(|field| (field, NUMBER)));
        }
        if let Some(exposed_site) = &self.exposed_site {
            fields.extend(exposed_site.people.iter().map(|field| (field, INTEGER)));
            fields.extend(exposed_site.only.iter().map(|only| (&only.field, TEXT)));
        }
        fields.extend(self.count_by.iter().map(|field| (field, CODE)));
        fields.extend(self.secondary_hazard.iter().map(|secondary_hazard| (&secondary_hazard.field, TEXT)));
        fields.extend(self.responsible.iter().flat_map(|whom| [(&whom.person, TEXT), (&whom.phone, TEXT)]));
        if let Some(reading) = &self.reading {
            fields.extend([(&reading.value, NUMBER), (&reading.threshold, NUMBER)]);
        }
        fields.extend(self.loudspeaker.iter().map(|own| (&own.reach_m, NUMBER)));
        if let Some(road) = &self.road {
            fields.push((&road.class, TEXT));
            fields.extend(road.oneway.iter().map(|field| (field, FLAG)));
            fields.extend(road.closed.iter().map(|closed| (&closed.field, TEXT)));
            fields.extend(road.limits.fields().into_iter().flatten().map(|field| (field, NUMBER)));
        }
        if let Some(time) = &self.time {
            fields.push((&time.start, TIME));
            fields.extend(time.end.iter().map(|field| (field, TIME)));
        }
        fields.into_iter().map(|(field, types)| (field.as_str(), types))
    }
}
