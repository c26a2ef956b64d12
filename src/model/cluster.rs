//! Cluster configuration of a layer: up to which zoom its features are aggregated, and what a cluster reports.

use serde::{Deserialize, Serialize};

use super::ValueRef;
use super::schema::Label;

/// How features of a layer are aggregated at low zooms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterConfig {
    /// The last Web Mercator zoom at which points, and lines and areas too small to draw, are aggregated.
    pub to_zoom: u8,
    /// The severity that members are counted by.
    pub severity: Option<Severity>,
    /// Totals over the members.
    pub sums: Vec<ClusterSum>,
}

/// A coded field with an order of severity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Severity {
    /// Name of the field.
    pub field: String,
    /// Its codes, worst first; at most [`ClusterConfig::MAX_SEVERITIES`].
    pub codes: Vec<SeverityCode>,
}

/// A code of a severity field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SeverityCode {
    /// A rank.
    Integer(i64),
    /// A word.
    Text(String),
}

/// A total over the members of a cluster; unknown values add nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterSum {
    /// Name of the cluster's property.
    pub name: String,
    /// Title for people.
    pub title: Label,
    /// What is summed.
    pub of: SumSource,
    /// Whether only members that are ready count.
    pub only_ready: bool,
}

/// What a member adds to a sum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SumSource {
    /// The integer in a field.
    Field(String),
    /// Capacity minus occupancy and promised places.
    FreePlaces,
}

impl ClusterConfig {
    /// Most codes of a severity field.
    pub const MAX_SEVERITIES: usize = 5;
    /// Most sums.
    pub const MAX_SUMS: usize = 4;
    /// Highest zoom that may be clustered.
    pub const MAX_ZOOM: u8 = 14;
}

impl SeverityCode {
    /// Whether a value is this code.
    #[must_use]
    pub fn is(&self, value: ValueRef<'_>) -> bool {
        match (self, value) {
            (Self::Integer(code), ValueRef::Integer(own)) => *code == own,
            (Self::Text(code), ValueRef::Text(own)) => code == own,
            _ => false,
        }
    }
}

impl Severity {
    /// The properties of a cluster that count members by code, and the last one for any other code or none.
    pub fn property_names(&self) -> impl Iterator<Item = String> + '_ {
        let names = self.codes.iter().map(|code| match code {
            SeverityCode::Integer(code) => format!("{}_{code}", self.field),
            SeverityCode::Text(code) => format!("{}_{code}", self.field),
        });
        names.chain(std::iter::once_with(|| format!("{}_unknown", self.field)))
    }
}
