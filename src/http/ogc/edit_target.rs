//! What a caller may write: the layer, and the divisions within it.

use crate::access::identity::Identity;
use crate::http::call::Call;
use crate::http::params::layer;
use crate::http::reply::problem::Problem;
use crate::model::division::division_prefix;
use crate::model::{Action, Edit, FeatureId, LayerAccess, LayerIndex, LayerSchema, Precondition, Role};

/// The layer of an edit.
pub(crate) struct Target<'a> {
    pub(crate) index: LayerIndex,
    /// The schema in the store.
    pub(crate) schema: &'a LayerSchema,
    /// The schema in which fields that the caller does not see are sensitive.
    pub(crate) visible: &'a LayerSchema,
    /// Prefixes of the codes of the divisions to which the caller is limited; empty without a limit.
    pub(crate) regions: Vec<String>,
}

impl<'a> Target<'a> {
    /// The layer of an edit of its features.
    ///
    /// # Errors
    /// When the caller does not see the layer, or may not write it, or the layer is written by requests of its own.
    pub(crate) fn to_edit(call: &'a Call<'_>, collection: &str) -> Result<Self, Problem> {
        let target = Self::of(call, collection)?;
        if target.schema.roles.commitments {
            return Err(Problem::ReadOnlyLayer { layer: collection.to_owned() });
        }
        Ok(target)
    }

    /// A layer that the caller may write.
    ///
    /// # Errors
    /// When the caller does not see the layer, or may not write it.
    pub(crate) fn of(call: &'a Call<'_>, collection: &str) -> Result<Self, Problem> {
        let visible = layer(&call.current.snapshot, "collection", collection)?.schema();
        let schemas = call.state.store.schemas();
        let index = LayerIndex::find(schemas, &visible.id).ok_or(Problem::Unavailable)?;
        check_layer(call, &visible.id)?;
        let regions = call.caller.identity().into_iter().flat_map(Identity::regions);
        let regions = regions.filter_map(|region| division_prefix(region)).map(str::to_owned).collect();
        Ok(Self { index, schema: index.of(schemas), visible, regions })
    }
}

/// Checks that the role writes the layer, and that the account is not limited to others.
fn check_layer(call: &Call<'_>, id: &str) -> Result<(), Problem> {
    let role = call.caller.role();
    let default = LayerAccess::default();
    let writers = |id: &str| &call.state.catalog.access.get(id).unwrap_or(&default).write;
    if role != Role::Admin && !writers(id).contains(&role) {
        let lowest = writers(id).iter().copied().find(|accepted| *accepted > role).unwrap_or(Role::Admin);
        return Err(Problem::RoleTooLow { role, accepted: lowest });
    }
    match call.caller.identity().map(Identity::layers) {
        Some(layers) if !layers.is_empty() && !layers.contains(id) => {
            let accepted = layers.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            Err(Problem::OutOfScope { parameter: "collection", value: id.to_owned(), accepted })
        }
        _ => Ok(()),
    }
}

impl Target<'_> {
    /// An edit of one of its features.
    pub(crate) fn edit(self, id: FeatureId, action: Action, condition: Precondition) -> Edit {
        Edit {
            layer: self.index,
            id,
            action,
            condition,
            regions: self.regions,
            reserved: self.visible.reserved_fields(),
        }
    }

    /// Checks that a feature of a division may be edited; `None` is an unknown division.
    ///
    /// # Errors
    /// When the caller is limited to other divisions.
    pub(crate) fn check_division(&self, division: Option<&str>) -> Result<(), Problem> {
        let is_own = division.is_some_and(|code| self.regions.iter().any(|own| code.starts_with(own.as_str())));
        if self.regions.is_empty() || is_own {
            return Ok(());
        }
        let value = division.unwrap_or_default().to_owned();
        Err(Problem::OutOfScope { parameter: "region_code", value, accepted: self.regions.join(", ") })
    }

    /// Checks that the caller sees a field that it writes.
    ///
    /// # Errors
    /// When its role does not.
    pub(crate) fn check_field(&self, field: usize) -> Result<(), Problem> {
        let (Some(own), Some(visible)) = (self.schema.fields.get(field), self.visible.fields.get(field)) else {
            return Err(Problem::Unavailable);
        };
        if visible.is_reserved {
            let fields = self.visible.fields.iter().filter(|field| !field.is_reserved);
            let accepted = fields.map(|field| field.name.as_str()).collect::<Vec<_>>().join(", ");
            return Err(Problem::OutOfScope { parameter: "property", value: own.name.clone(), accepted });
        }
        Ok(())
    }
}
