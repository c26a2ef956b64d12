//! What each role sees of the snapshot, from the access rules of the catalog.

use std::sync::Arc;

use crate::model::{Catalog, LayerAccess, LayerSchema, Role, View};
use crate::query::filter::{Filter, Language};
use crate::snapshot::{LayerRestriction, Restriction, RowRule, RowTest};

/// An access rule that cannot be applied.
#[derive(Debug, thiserror::Error)]
#[error("access rule of layer {layer} for role {role}: {reason}", role = role.name())]
pub struct AccessError {
    layer: String,
    role: Role,
    reason: String,
}

/// What is hidden of a layer, comparable: its id, whether all of it is hidden, fields and filters.
type Hidden = (String, bool, Vec<String>, Vec<String>);

/// What is hidden from each role; roles from which the same is hidden share one restriction.
///
/// # Errors
/// When a row filter is not CQL2 for its layer.
pub fn restrictions(catalog: &Catalog) -> Result<Vec<(Vec<Role>, Restriction)>, AccessError> {
    let mut groups: Vec<(Vec<Hidden>, Vec<Role>)> = Vec::new();
    for role in Role::ALL {
        let mut hidden: Vec<Hidden> = Vec::new();
        for (id, access) in &catalog.access {
            if let Some(schema) = catalog.layer(id) {
                check_filters(schema, access, role)?;
            }
            let fields: Vec<String> = access.hidden_fields(role).map(str::to_owned).collect();
            let filters: Vec<String> = access.filters(role).map(str::to_owned).collect();
            let is_hidden = role < access.read;
            if is_hidden || !fields.is_empty() || !filters.is_empty() {
                hidden.push((id.clone(), is_hidden, fields, filters));
            }
        }
        match groups.iter_mut().find(|(own, _)| *own == hidden) {
            Some((_, roles)) => roles.push(role),
            None => groups.push((hidden, vec![role])),
        }
    }
    let restriction = |(id, is_hidden, fields, filters): Hidden| {
        let rows = (!filters.is_empty()).then(|| row_rule(filters));
        (id, LayerRestriction { is_hidden, fields, rows })
    };
    let groups =
        groups.into_iter().map(|(hidden, roles)| (roles, Restriction(hidden.into_iter().map(restriction).collect())));
    Ok(groups.collect())
}

/// # Errors
/// When a row filter is not CQL2 for the layer. Tables of other programs are not checked, because their fields change.
fn check_filters(schema: &LayerSchema, access: &LayerAccess, role: Role) -> Result<(), AccessError> {
    let error = |reason: String| AccessError { layer: schema.id.clone(), role, reason };
    access.filters(role).try_for_each(|filter| {
        let read = Filter::read(filter, Language::Text, &View::complete(schema));
        read.map(drop).map_err(|reason| error(reason.to_string()))
    })
}

/// A rule that keeps the features that match all filters. If a filter no longer fits the schema, none matches.
fn row_rule(filters: Vec<String>) -> RowRule {
    Arc::new(move |schema| {
        let view = View::complete(schema);
        let read = filters.iter().map(|filter| Filter::read(filter, Language::Text, &view));
        match read.collect::<Result<Vec<Filter>, _>>() {
            Ok(filters) => {
                let test: RowTest = Arc::new(move |row| filters.iter().all(|filter| filter.matches(row)));
                test
            }
            Err(error) => {
                tracing::error!(layer = schema.id, %error, "an access rule cannot be applied; the layer's features are hidden");
                Arc::new(|_| false)
            }
        }
    })
}
