//! Parameters of statistics and needs.

use crate::http::params::param::{Count, Param, Text};
use crate::http::params::spec;

pub(crate) static STATISTICS: &[&dyn Param] = &[&DAYS, &REPORTED_INCIDENT, &spec::F];
pub(crate) static NEEDS: &[&dyn Param] = &[&EVACUEES, &STAY_DAYS, &spec::AT];

pub(crate) static DAYS: Text = Text {
    name: "datetime",
    about: "A day or two days FIRST/LAST, in Beijing time; without it the last seven days",
    example: "2026-08-12/2026-08-14",
    max: 30,
    required: false,
};
pub(crate) static REPORTED_INCIDENT: Text = Text {
    name: "incident",
    about: "Id of an incident: only reports about it; without it the reports about no single incident",
    example: "IN-0001",
    max: 200,
    required: false,
};
pub(crate) static EVACUEES: Count =
    Count { name: "people", about: "Evacuees", example: 300, min: 1, max: 10_000_000, default: Some(1), capped: false };
pub(crate) static STAY_DAYS: Count =
    Count { name: "days", about: "Days that they stay", example: 3, min: 1, max: 365, default: Some(1), capped: false };
