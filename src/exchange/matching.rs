//! Matches the columns of a file to fields: by field id, titles, or synonyms in the catalog.

use std::collections::{BTreeSet, HashMap};

use serde::Serialize;

use super::shapefile_writer::column_names;
use super::spelling::half_width;
use crate::model::{Catalog, LayerSchema};

/// A field, or `id`, and the column that fills it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ColumnMatch {
    /// Name of the field, or `id`.
    pub field: String,
    /// Name of the column in the file.
    pub column: String,
}

/// Finds the column of each field that is not in `given`. The field id precedes titles, and titles precede synonyms;
/// among equals the first column wins. A column fills one field.
#[must_use]
pub fn match_columns(
    catalog: &Catalog,
    schema: &LayerSchema,
    columns: &[String],
    given: &[ColumnMatch],
) -> Vec<ColumnMatch> {
    let mut used: BTreeSet<&String> = given.iter().map(|own| &own.column).collect();
    let mut open: Vec<(&str, [Vec<String>; 3])> = schema
        .fields
        .iter()
        .map(|field| {
            let titles = vec![simplified(&field.title.zh), simplified(&field.title.en)];
            (field.name.as_str(), [vec![simplified(&field.name)], titles, synonyms(catalog, &field.name)])
        })
        .chain([("id", [vec!["id".to_owned()], Vec::new(), synonyms(catalog, "id")])])
        .filter(|(field, _)| !given.iter().any(|own| own.field == *field))
        .collect();
    // A row of a damaged file may have a hundred thousand cells, so columns are looked up by name.
    let mut named: HashMap<String, Vec<usize>> = HashMap::new();
    for (at, column) in columns.iter().enumerate() {
        named.entry(simplified(column)).or_default().push(at);
    }
    let mut matches = Vec::new();
    for rank in 0..3 {
        open.retain(|(field, names)| {
            let places = names[rank].iter().filter_map(|name| {
                named.get(name)?.iter().copied().find(|&at| columns.get(at).is_some_and(|own| !used.contains(own)))
            });
            let found = places.min().and_then(|at| columns.get(at));
            if let Some(column) = found {
                used.insert(column);
                matches.push(ColumnMatch { field: (*field).to_owned(), column: (*column).clone() });
            }
            found.is_none()
        });
    }
    // A Shapefile has only the beginning of a name.
    let cut_names = column_names(schema);
    open.retain(|(field, _)| {
        let cut = schema.position(field).and_then(|at| cut_names.get(at)).filter(|cut| cut.as_str() != *field);
        let found = cut.filter(|cut| !used.contains(cut)).and_then(|cut| columns.iter().find(|own| *own == cut));
        if let Some(column) = found {
            used.insert(column);
            matches.push(ColumnMatch { field: (*field).to_owned(), column: (*column).clone() });
        }
        found.is_none()
    });
    matches
}

/// The column that matches a name or one of its synonyms in the catalog.
#[must_use]
pub fn column_of<'a>(catalog: &Catalog, name: &str, columns: &'a [String]) -> Option<&'a String> {
    let names = synonyms(catalog, name);
    let plain: Vec<String> = columns.iter().map(|column| simplified(column)).collect();
    let is = |wanted: &str| columns.get(plain.iter().position(|own| own == wanted)?);
    is(name).or_else(|| names.iter().find_map(|own| is(own)))
}

fn synonyms(catalog: &Catalog, name: &str) -> Vec<String> {
    catalog.synonyms.get(name).into_iter().flatten().map(|own| simplified(own)).collect()
}

/// Normalizes a name: case, blanks, underscores, full-width forms, and a unit in brackets at the end.
fn simplified(name: &str) -> String {
    let name = half_width(name);
    let name = name.trim_start_matches('\u{feff}');
    let name = match name.rfind('(') {
        Some(at) if at > 0 && name.trim_end().ends_with(')') => name.get(..at).unwrap_or(name),
        _ => name,
    };
    name.chars().filter(|c| !c.is_whitespace() && !matches!(c, '_' | '-' | '*')).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_by_id_title_and_synonym_in_this_order() {
        let catalog = Catalog::built_in().expect("a catalog");
        let schema = catalog.layer("shelters").expect("a layer");
        let columns =
            ["序号", "点名", "可容纳人数（人）", "Status", "ＰＨＯＮＥ", "area_m2", "备注"].map(str::to_owned);
        let given = [ColumnMatch { field: "kind".to_owned(), column: "备注".to_owned() }];
        let matches = match_columns(&catalog, schema, &columns, &given);
        let found = |field: &str| matches.iter().find(|own| own.field == field).map(|own| own.column.as_str());
        assert_eq!(found("name"), Some("点名"));
        assert_eq!(found("capacity"), Some("可容纳人数（人）"));
        assert_eq!(found("status"), Some("Status"));
        assert_eq!(found("phone"), Some("ＰＨＯＮＥ"));
        assert_eq!(found("area_m2"), Some("area_m2"));
        assert_eq!(found("kind"), None);
        assert_eq!(matches.len(), 5, "{matches:?}");
        let both = ["场所名", "名称", "name"].map(str::to_owned);
        let matches = match_columns(&catalog, schema, &both, &[]);
        assert_eq!(matches, [ColumnMatch { field: "name".to_owned(), column: "name".to_owned() }]);
        let places = ["X", "经度", "纬度"].map(str::to_owned);
        assert_eq!(column_of(&catalog, "lon", &places).map(String::as_str), Some("经度"));
        assert_eq!(column_of(&catalog, "lat", &places).map(String::as_str), Some("纬度"));
    }
}
