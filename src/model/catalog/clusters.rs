//! Reads, checks and writes the cluster configuration of a layer in the catalog document.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Code, CodeValue};
use crate::model::cluster::{ClusterConfig, ClusterSum, Severity, SeverityCode, SumSource};
use crate::model::schema::{Field, Label};

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawClusterConfig {
    to_zoom: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<String>,
    #[serde(default)]
    sums: Vec<RawClusterSum>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct RawClusterSum {
    name: String,
    zh: String,
    en: String,
    of: SumSource,
    #[serde(default)]
    only_ready: bool,
}

impl RawClusterConfig {
    /// Severity codes are those of the field's code list, in its order.
    ///
    /// # Errors
    /// The name of the unusable field, or `clusters` if a limit is exceeded.
    pub(super) fn checked(
        self,
        fields: &[Field],
        codes: &BTreeMap<String, Vec<Code>>,
    ) -> Result<ClusterConfig, String> {
        let field = |name: &str| {
            // Clusters are public, so they do not aggregate sensitive fields.
            fields.iter().find(|field| field.name == name && !field.sensitive).ok_or_else(|| name.to_owned())
        };
        let severity = match self.severity {
            None => None,
            Some(name) => {
                let list = field(&name)?.codes.as_ref().and_then(|list| codes.get(list)).ok_or_else(|| name.clone())?;
                let codes = list.iter().map(|code| SeverityCode::from(&code.code)).collect::<Vec<_>>();
                if codes.len() > ClusterConfig::MAX_SEVERITIES {
                    return Err(name);
                }
                Some(Severity { field: name, codes })
            }
        };
        let sum = |raw: RawClusterSum| {
            if let SumSource::Field(name) = &raw.of {
                field(name)?;
            }
            let title = Label { zh: raw.zh, en: raw.en };
            Ok(ClusterSum { name: raw.name, title, of: raw.of, only_ready: raw.only_ready })
        };
        let sums = self.sums.into_iter().map(sum).collect::<Result<Vec<_>, String>>()?;
        if sums.len() > ClusterConfig::MAX_SUMS || self.to_zoom > ClusterConfig::MAX_ZOOM {
            return Err("clusters".to_owned());
        }
        Ok(ClusterConfig { to_zoom: self.to_zoom, severity, sums })
    }
}

impl From<&ClusterConfig> for RawClusterConfig {
    fn from(config: &ClusterConfig) -> Self {
        let sum = |sum: &ClusterSum| RawClusterSum {
            name: sum.name.clone(),
            zh: sum.title.zh.clone(),
            en: sum.title.en.clone(),
            of: sum.of.clone(),
            only_ready: sum.only_ready,
        };
        Self {
            to_zoom: config.to_zoom,
            severity: config.severity.as_ref().map(|severity| severity.field.clone()),
            sums: config.sums.iter().map(sum).collect(),
        }
    }
}

impl From<&CodeValue> for SeverityCode {
    fn from(code: &CodeValue) -> Self {
        match code {
            CodeValue::Integer(number) => Self::Integer(*number),
            CodeValue::Text(text) => Self::Text(text.clone()),
        }
    }
}
