//! `onemap layers`: lists the layers of the catalog, or the fields, units and codes of a layer, as text or JSON.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

use clap::Args;

use super::import::layer_of;
use super::store::StoreOptions;
use crate::model::catalog::Code;
use crate::model::{Catalog, Field, LayerSchema};

/// List layers, or the fields and codes of one layer.
#[derive(Args)]
#[command(after_help = "\
--json prints the catalog, or the part of one layer with its code lists, in the format of the file that
`catalog = \"FILE\"` in onemap.toml names.

Examples:
  onemap layers                            list all layers
  onemap layers shelters                   list the fields of the shelters with types, units and codes
  onemap layers --json > county.json       write the catalog to a file, as a start for your own")]
pub(super) struct Options {
    /// Layer whose fields are listed [default: list all layers].
    layer: Option<String>,

    #[command(flatten)]
    store: StoreOptions,
}

pub(super) fn list(options: &Options, is_json: bool) -> anyhow::Result<ExitCode> {
    let catalog = options.store.config()?.catalog;
    let layer = options.layer.as_deref().map(|layer| layer_of(&catalog, layer)).transpose()?;
    let text = match (layer, is_json) {
        (None, false) => layer_table(&catalog),
        (Some(layer), false) => field_table(&catalog, layer),
        (None, true) => serde_json::to_string_pretty(&catalog.to_json())? + "\n",
        (Some(layer), true) => serde_json::to_string_pretty(&limited_to(&catalog, layer).to_json())? + "\n",
    };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// The catalog reduced to one layer and its code lists.
fn limited_to(catalog: &Catalog, layer: &LayerSchema) -> Catalog {
    let mut limited = Catalog { layers: vec![layer.clone()], ..catalog.clone() };
    let stock = layer.roles.stock.as_ref().map(|stock| &stock.codes);
    limited
        .codes
        .retain(|name, _| stock == Some(name) || layer.fields.iter().any(|field| field.codes.as_ref() == Some(name)));
    limited
}

fn layer_table(catalog: &Catalog) -> String {
    let header = ["LAYER", "GEOMETRY", "FIELDS", "TITLE"].map(str::to_owned);
    let row = |layer: &LayerSchema| {
        let title = format!("{} {}", layer.title.zh, layer.title.en);
        [layer.id.clone(), layer.geometry.name().to_owned(), layer.fields.len().to_string(), title]
    };
    let rows: Vec<_> = std::iter::once(header).chain(catalog.layers.iter().map(row)).collect();
    aligned(&rows)
}

fn field_table(catalog: &Catalog, layer: &LayerSchema) -> String {
    let header = ["FIELD", "TYPE", "UNIT", "RANGE", "TITLE"].map(str::to_owned);
    let id = ["id", "text", "", "", "编号 Id"].map(str::to_owned);
    let row = |field: &Field| {
        let sensitive = if field.sensitive { " (sensitive)" } else { "" };
        let title = format!("{} {}{sensitive}", field.title.zh, field.title.en);
        let kind = field.field_type.name().to_owned();
        [field.name.clone(), kind, field.unit.clone().unwrap_or_default(), range(field), title]
    };
    let rows: Vec<_> = [header, id].into_iter().chain(layer.fields.iter().map(row)).collect();
    let mut text =
        format!("{} {} {}: {} features\n\n", layer.id, layer.title.zh, layer.title.en, layer.geometry.name());
    text.push_str(&aligned(&rows));
    for field in &layer.fields {
        let list = field.codes.as_ref().and_then(|list| catalog.codes.get(list));
        let Some(list) = list else { continue };
        let _ = write!(text, "\n{} takes\n", field.name);
        let row = |code: &Code| [format!("  {}", code.code), format!("{} {}", code.label.zh, code.label.en)];
        text.push_str(&aligned(&list.iter().map(row).collect::<Vec<_>>()));
    }
    text
}

fn range(field: &Field) -> String {
    match (field.min, field.max) {
        (Some(min), Some(max)) => format!("{min} to {max}"),
        (Some(min), None) => format!("from {min}"),
        (None, Some(max)) => format!("to {max}"),
        (None, None) => String::new(),
    }
}

/// Aligns columns; the last column is not padded.
fn aligned<const N: usize>(rows: &[[String; N]]) -> String {
    let mut text = String::new();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    for row in rows {
        let cells = row.iter().enumerate().map(|(column, cell)| {
            let padding = if column + 1 < N { width(column) - cell.chars().count() + 2 } else { 0 };
            format!("{cell}{}", " ".repeat(padding))
        });
        text.push_str(cells.collect::<String>().trim_end());
        text.push('\n');
    }
    text
}
