//! `onemap export`: writes a layer to a file. The file is renamed into place when it is complete.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use super::import::layer_of;
use super::pack::PackOptions;
use super::progress;
use super::store::StoreOptions;
use crate::exchange::{Format, flatgeobuf, geojson, kml, point_table, shapefile_writer};
use crate::model::{Catalog, Feature, GeometryKind, LayerIndex, LayerSchema, View};
use crate::private_file::UnfinishedFile;
use crate::store::geopackage::write_layer;

/// Write a layer to a file, including sensitive fields; or the tiles of layers to a PMTiles archive.
#[derive(Args)]
#[command(after_help = "\
The file name ending determines the format: .geojson, .json, one feature per line (.geojsonl, .ndjson), .fgb, .gpkg, .kml,
Shapefiles (.shp, .zip), and for points .csv (field names and codes) and .xlsx (titles and labels). Coordinates are WGS 84
longitude, latitude.

Examples:
  onemap export --layer hazards -o hazards.fgb
  onemap export --layer shelters -o 避灾点.xlsx
  onemap export --layer shelters -o shelters.geojson --store county.gpkg
  onemap export --pmtiles county.pmtiles
  onemap export --pmtiles town.pmtiles --layers shelters,risk_zones --bbox 118.8,26.1,118.9,26.3 --zooms 8-16")]
pub(super) struct ExportOptions {
    /// Layer to export.
    #[arg(long, required_unless_present = "pmtiles", requires = "output")]
    layer: Option<String>,

    /// File to write; an existing file is replaced.
    #[arg(short, long, value_name = "FILE", requires = "layer")]
    output: Option<PathBuf>,

    #[command(flatten)]
    pack: PackOptions,

    #[command(flatten)]
    store: StoreOptions,
}

pub(super) async fn export(options: ExportOptions) -> anyhow::Result<ExitCode> {
    let (Some(layer), Some(output)) = (options.layer, options.output) else {
        return options.pack.export(&options.store).await;
    };
    let catalog = options.store.config()?.catalog;
    let schema = layer_of(&catalog, &layer)?;
    let format = Format::of(&output)?;
    anyhow::ensure!(
        !format.is_of_points() || schema.geometry == GeometryKind::Point,
        "layer {} has other geometries than points; a table cannot hold them, choose .geojson or .fgb",
        schema.id
    );
    let store = options.store.open_existing(&catalog).await?;
    let index = LayerIndex::find(store.schemas(), &schema.id).context("the store does not contain the layer")?;
    let mut features: Vec<Feature> = Vec::new();
    store
        .read_all(&mut |layer, feature| {
            if layer == index {
                features.push(feature);
            }
        })
        .await?;
    store.close().await;
    features.sort_by(|a, b| a.id.cmp(&b.id));
    let count = features.len();
    let unwritable = || format!("cannot write {}", output.display());
    let without_place = match format {
        Format::GeoPackage => {
            write_layer(&output, &catalog, schema, &mut features.into_iter()).await.with_context(unwritable)?;
            0
        }
        Format::Shapefile | Format::ShapefileArchive => {
            write_shapefile(&output, format, schema, features).with_context(unwritable)?
        }
        _ => write(&output, format, &catalog, schema, features).with_context(unwritable)?,
    };
    if without_place > 0 {
        tracing::warn!(
            features = without_place,
            "features without geometry were omitted, because the format requires one"
        );
    }
    tracing::info!(features = count - without_place, file = %output.display(), "exported");
    Ok(ExitCode::SUCCESS)
}

/// Writes a Shapefile; returns the number of features without a place.
fn write_shapefile(
    path: &Path,
    format: Format,
    schema: &LayerSchema,
    features: Vec<Feature>,
) -> std::io::Result<usize> {
    let parts = shapefile_writer::convert(&View::complete(schema), features.into_iter())?;
    if parts.cut_texts > 0 {
        tracing::warn!(texts = parts.cut_texts, "texts were cut to 254 bytes, which is all that a Shapefile holds");
    }
    if format == Format::ShapefileArchive {
        let unfinished = UnfinishedFile::create(path)?;
        parts.write_archive(unfinished.file(), &schema.id)?;
        unfinished.finish()?;
    } else {
        for (ending, bytes) in parts.files() {
            let unfinished = UnfinishedFile::create(&path.with_extension(ending))?;
            unfinished.file().write_all(bytes)?;
            unfinished.finish()?;
        }
    }
    Ok(parts.without_place)
}

fn write(
    path: &Path,
    format: Format,
    catalog: &Catalog,
    schema: &LayerSchema,
    features: Vec<Feature>,
) -> std::io::Result<usize> {
    let unfinished = UnfinishedFile::create(path)?;
    let mut out = BufWriter::new(unfinished.file());
    let bar = progress::bar(features.len() as u64, "features written");
    let features = bar.wrap_iter(features.into_iter());
    let view = View::complete(schema);
    let without_place = match format {
        Format::GeoJson => geojson::write_collection(&mut out, &view, features).map(|()| 0),
        Format::GeoJsonLines => geojson::write_lines(&mut out, &view, features).map(|()| 0),
        Format::Csv => point_table::write_csv(&mut out, &view, features).map(|()| 0),
        Format::Xlsx => point_table::write_xlsx(&mut out, catalog, &view, features).map(|()| 0),
        Format::Kml => kml::write(&mut out, &view, features).map(|()| 0),
        // The others have functions of their own.
        _ => flatgeobuf::write(&mut out, &view, features),
    }?;
    bar.finish_and_clear();
    out.flush()?;
    drop(out);
    unfinished.finish()?;
    Ok(without_place)
}
