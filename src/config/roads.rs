//! How travel on roads is computed: in memory, or by pgRouting.

use serde::Deserialize;
use toml::Spanned;

use super::Mistake;
use crate::routing::edges::EdgeTable;

/// Where an engine computes travel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoadEngineConfig {
    /// Database of the engine; `None` for the store.
    pub url: Option<String>,
    /// Its edges.
    pub table: EdgeTable,
}

#[derive(Clone, Copy, Default, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Engine {
    /// The roads on the map, in memory.
    #[default]
    Memory,
    /// pgRouting.
    PgRouting,
}

/// The names of the columns are those that osm2pgrouting gives.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRoads {
    #[serde(default)]
    engine: Engine,
    url: Option<Spanned<String>>,
    edges: Option<Spanned<String>>,
    id: Option<String>,
    source: Option<String>,
    target: Option<String>,
    cost_s: Option<String>,
    reverse_cost_s: Option<String>,
    length_m: Option<String>,
    geometry: Option<String>,
    road: Option<String>,
    limited_access: Option<String>,
}

impl RawRoads {
    pub(super) fn checked(self) -> Result<Option<RoadEngineConfig>, Mistake> {
        if self.engine == Engine::Memory {
            let given = [&self.url, &self.edges].into_iter().flatten().next();
            return match given {
                Some(given) => {
                    Err((given.span().start, "roads.url and roads.edges are for engine = \"pgrouting\"".to_owned()))
                }
                None => Ok(None),
            };
        }
        if let Some(url) = &self.url
            && !["postgres://", "postgresql://"].iter().any(|scheme| url.get_ref().starts_with(scheme))
        {
            return Err((url.span().start, "roads.url does not begin with postgres://".to_owned()));
        }
        let name = |given: Option<String>, usual: &str| given.unwrap_or_else(|| usual.to_owned());
        Ok(Some(RoadEngineConfig {
            url: self.url.map(Spanned::into_inner),
            table: EdgeTable {
                table: name(self.edges.map(Spanned::into_inner), "ways"),
                id: name(self.id, "gid"),
                source: name(self.source, "source"),
                target: name(self.target, "target"),
                cost_s: name(self.cost_s, "cost_s"),
                reverse_cost_s: name(self.reverse_cost_s, "reverse_cost_s"),
                length_m: name(self.length_m, "length_m"),
                geometry: name(self.geometry, "the_geom"),
                road: self.road,
                limited_access: self.limited_access,
            },
        }))
    }
}
