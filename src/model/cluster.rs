//! Cluster configuration of a layer: the maximum zoom of aggregation, and the properties of a cluster.

use serde::{Deserialize, Serialize};

use super::ValueRef;
use super::schema::Label;

/// Aggregation of a layer's features at low zooms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterConfig {
    /// The last Web Mercator zoom at which points, and lines and areas too small to draw, are aggregated.
    pub to_zoom: u8,
    /// The severity field that members are counted by.
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

/// A sum over the members of a cluster; unknown values are skipped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterSum {
    /// Name of the cluster's property.
    pub name: String,
    /// Title for people.
    pub title: Label,
    /// The source of each member's summand.
    pub of: SumSource,
    /// Whether only ready members count.
    pub only_ready: bool,
}

/// The source of a member's summand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SumSource {
    /// The integer in a field.
    Field(String),
    /// Capacity minus occupancy and promised places.
    FreePlaces,
}

impl ClusterConfig {
    /// Maximum number of codes of a severity field.
    pub const MAX_SEVERITIES: usize = 5;
    /// Maximum number of sums.
    pub const MAX_SUMS: usize = 4;
    /// Maximum zoom of clusters.
    pub const MAX_ZOOM: u8 = 14;

    /// The names of the fields that are aggregated.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        let sums = self.sums.iter().filter_map(|sum| match &sum.of {
            SumSource::Field(name) => Some(name.as_str()),
            SumSource::FreePlaces => None,
        });
        self.severity.iter().map(|severity| severity.field.as_str()).chain(sums)
    }
}

impl SeverityCode {
    /// Whether a value equals this code.
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
    /// Names of the cluster properties that count members by code; the last one counts members with another code or
    /// none.
    pub fn property_names(&self) -> impl Iterator<Item = String> + '_ {
        let names = self.codes.iter().map(|code| match code {
            SeverityCode::Integer(code) => format!("{}_{code}", self.field),
            SeverityCode::Text(code) => format!("{}_{code}", self.field),
        });
        names.chain(std::iter::once_with(|| format!("{}_unknown", self.field)))
    }
}
