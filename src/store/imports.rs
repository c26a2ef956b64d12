//! What both backends do alike on an import: which columns are compared and written, and the record of it.

use super::StoreError;
use super::edits::GEOMETRY_COLUMN;
use super::quoting::literal;
use crate::model::{
    FeatureId, ImportCounts, ImportError, ImportMode, ImportScope, LayerSchema, Merge, PastImport, Unmatched,
};

/// Where a value of the key occurs twice.
pub(super) const AMBIGUOUS_IN_FILE: &str = "rows of the file";
pub(super) const AMBIGUOUS_IN_LAYER: &str = "stored features";

/// Conditions under which an entry of the change log, named `changes`, is no change of a feature since an import: it is of
/// a later import that was undone, or of its undoing. `{imports}` is the table of imports.
pub(super) const OF_UNDONE_IMPORTS: &str = "EXISTS (SELECT 1 FROM {imports} AS later \
    WHERE later.layer = changes.layer AND later.undone_at IS NOT NULL \
    AND (changes.position BETWEEN later.first_position AND later.position \
      OR changes.position BETWEEN later.undo_first_position AND later.undo_position))";

/// The columns of a layer in a merge.
pub(super) struct MergedColumns<'a> {
    /// Columns whose values make a feature a changed one.
    pub(super) compared: Vec<&'a str>,
    /// Columns that a changed feature takes from the file.
    pub(super) written: Vec<&'a str>,
    /// The column that counts the versions of a feature, unless the file has it.
    pub(super) version: Option<&'a str>,
    /// Whether a stored feature refuses the import.
    pub(super) refuses: bool,
    /// What becomes of a row that is no stored feature.
    pub(super) unmatched: &'static str,
    /// Whether features that the file lacks are deleted.
    pub(super) removes: bool,
    /// The condition on a row, named `staged`, that is older than what is `stored`.
    pub(super) is_older: String,
    /// The condition on a row, named `stored`, that may be changed or deleted.
    pub(super) in_scope: String,
}

impl<'a> MergedColumns<'a> {
    pub(super) fn new(layer: &'a LayerSchema, merge: &Merge) -> Self {
        let of_file = |name: &str| layer.position(name).is_some_and(|at| merge.fields.contains(&at));
        let fields = merge.fields.iter().filter_map(|at| layer.fields.get(*at)).map(|field| field.name.as_str());
        let columns = merge.geometry.then_some(GEOMETRY_COLUMN).into_iter().chain(fields);
        // The time and number of the last change follow from a change and are none.
        let compared: Vec<&str> = columns.filter(|column| !["version", "updated_at"].contains(column)).collect();
        let mut written = compared.clone();
        let field = |name: &str| layer.fields.iter().map(|field| field.name.as_str()).find(|own| *own == name);
        written.extend(field("updated_at"));
        written.extend(field("version").filter(|_| of_file("version")));
        Self {
            compared,
            written,
            version: field("version").filter(|_| !of_file("version")),
            refuses: merge.mode == ImportMode::Add,
            unmatched: if merge.unmatched == Unmatched::Create { "new" } else { "unmatched" },
            removes: merge.mode == ImportMode::Replace,
            is_older: merge.newest_by.and_then(|at| layer.fields.get(at)).map_or_else(
                || "false".to_owned(),
                |field| format!("coalesce(staged.{0} < stored.{0}, false)", format_args!("\"{}\"", field.name)),
            ),
            in_scope: in_scope(layer, &merge.scope),
        }
    }

    /// The column that names rows in messages.
    pub(super) fn naming(layer: &LayerSchema, merge: &Merge) -> String {
        merge.key.and_then(|at| layer.fields.get(at)).map_or_else(|| "id".to_owned(), |field| field.name.clone())
    }

    /// How many features are of a kind; `None` without any.
    pub(super) fn count_of(kinds: &[(String, i64)], kind: &str) -> Option<u64> {
        kinds.iter().find(|(own, _)| own == kind).and_then(|(_, count)| u64::try_from(*count).ok())
    }

    /// The counts of features by what becomes of them.
    pub(super) fn counts(kinds: &[(String, i64)]) -> ImportCounts {
        let of = |kind: &str| Self::count_of(kinds, kind).unwrap_or(0);
        ImportCounts {
            new: of("new"),
            changed: of("changed"),
            unchanged: of("unchanged"),
            removed: of("removed"),
            skipped: of("unmatched") + of("older"),
        }
    }
}

/// The condition on the source of a stored row.
fn in_scope(layer: &LayerSchema, scope: &ImportScope) -> String {
    match scope {
        _ if layer.position("source").is_none() => "true".to_owned(),
        ImportScope::Only(source) => format!("stored.source IS NOT DISTINCT FROM {}", literal(source)),
        ImportScope::Except(sources) if sources.is_empty() => "true".to_owned(),
        ImportScope::Except(sources) => {
            let sources: Vec<String> = sources.iter().map(|source| literal(source)).collect();
            format!("(stored.source IS NULL OR stored.source NOT IN ({}))", sources.join(", "))
        }
    }
}

/// A row of the table of imports: id, time, layer, file, account, mode, counts, time of undoing.
pub(super) type ImportRow = (String, String, String, String, String, String, String, Option<String>);

pub(super) fn past_import((id, at, layer, file, actor, mode, counts, undone_at): ImportRow) -> PastImport {
    let counts = serde_json::from_str(&counts).unwrap_or_default();
    PastImport { id, at, layer, file, actor, mode, counts, undone_at }
}

impl StoreError {
    /// The error for a feature that is stored already.
    pub(super) fn duplicate(layer: &LayerSchema, id: &str) -> Self {
        let layer = layer.id.clone();
        match FeatureId::new(id) {
            Ok(id) => Self::Duplicate { layer, id },
            Err(_) => Self::Import(ImportError::SameFeature { id: id.to_owned() }),
        }
    }
}
