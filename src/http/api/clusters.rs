//! The members of a cluster in a tile.

use crate::exchange::geojson::write_feature_of;
use crate::http::call::Call;
use crate::http::ogc::items_params::filters_of;
use crate::http::params::crs::crs_by_name;
use crate::http::params::{invalid, layer, spec};
use crate::http::reply::Reply;
use crate::http::reply::geojson::CollectionWriter;
use crate::http::reply::links::{encode, link};
use crate::http::reply::media::GEOJSON;
use crate::http::reply::problem::Problem;
use crate::model::FeatureId;
use crate::snapshot::{CellAddress, Row};

/// `GET /api/clusters/{layer}/{clusterId}`: a page of the members of a cluster, filtered like its tile, in the order of
/// their ids.
pub(crate) fn members(call: &Call<'_>) -> Result<Reply, Problem> {
    let (params, number) = (&call.params, call.segment("clusterId"));
    let layer = layer(&call.current.snapshot, "layer", call.segment("layer"))?;
    let missing = || Problem::NotFound {
        what: "cluster",
        value: number.chars().take(200).collect(),
        accepted: "the id of a cluster in a tile of this layer".to_owned(),
    };
    let crs = crs_by_name(params)?;
    let view = call.caller.view(layer.schema());
    let filters = filters_of(params, &view)?;
    let limit = params.count(&spec::MEMBERS_LIMIT)?.map_or(0, |limit| limit as usize);
    let after = params.get(&spec::AFTER);
    let id =
        |id: &str| FeatureId::new(id).map_err(|error| invalid("after", id, &error.to_string(), "the id of a feature"));
    let after = after.map(id).transpose()?;
    let config = layer.schema().clusters.as_ref().ok_or_else(missing)?;
    let address = number.parse().ok().and_then(CellAddress::from_id).ok_or_else(missing)?;
    let passes = |row: &Row<'_>| filters.iter().all(|filter| filter.matches(row));
    let mut rows: Vec<Row<'_>> = layer.cluster_members(address).filter(passes).collect();
    let stats = layer.cluster_stats(address, rows.iter().copied()).ok_or_else(missing)?;
    rows.sort_unstable_by_key(Row::id);
    let first = after.map_or(0, |after| rows.partition_point(|row| *row.id() <= after));
    let page = rows.get(first..rows.len().min(first + limit)).unwrap_or_default();
    let mut body = CollectionWriter::new();
    for row in page {
        let geometry = row.shape().and_then(|shape| crs.from_lon_lat(shape.geometry()));
        body.feature(|out| {
            write_feature_of(out, &view, row.id(), geometry.as_deref(), |field| row.visible(&view).value(field), &[]);
        });
    }
    let mut members = body.end_features().member("bbox", &stats.bounds().to_array());
    for (name, value) in stats.properties(config) {
        members = members.value(&name, value);
    }
    members = members.member("numberReturned", &page.len());
    if let Some(last) = page.last().filter(|_| first + page.len() < rows.len()) {
        let kept = params.pairs().filter(|(name, _)| *name != spec::AFTER.name);
        let query = kept.chain([(spec::AFTER.name, last.id().as_str())]);
        let query: Vec<String> = query.map(|(name, value)| format!("{name}={}", encode(value))).collect();
        let href = format!("{}{}?{}", call.base_url(), call.uri.path(), query.join("&"));
        members = members.member("links", &[link(&href, "next", GEOJSON.media_type, "The next page")]);
    }
    Ok(call.current.reply(GEOJSON.media_type).body(members.close(&call.current)))
}
