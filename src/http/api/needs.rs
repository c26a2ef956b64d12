//! What evacuees need at least, beside the free stock.

use serde_json::json;

use crate::http::call::Call;
use crate::http::params::duty::{EVACUEES, STAY_DAYS};
use crate::http::params::filters::instant;
use crate::http::reply::Reply;
use crate::http::reply::numbers::quantity;
use crate::http::reply::problem::Problem;
use crate::query::nearest::demand::Demand;
use crate::query::needs::{ItemNeed, needs as needs_of};

/// `GET /api/needs`: the minimum needs of evacuees, beside the stock.
pub(crate) fn needs(call: &Call<'_>) -> Result<Reply, Problem> {
    let params = &call.params;
    let (people, days) = (params.count(&EVACUEES)?.unwrap_or(1), params.count(&STAY_DAYS)?.unwrap_or(1));
    let (catalog, snapshot) = (&call.state.catalog, &call.current.snapshot);
    let conditions = Demand::ready(instant(params)?);
    let found = needs_of(snapshot, &catalog.needs, (people, days), &conditions, &call.cancel)?;
    let stocked = catalog.layers.iter().find_map(|schema| Some((schema, schema.roles.stock.as_ref()?)));
    let label = |code: &str| {
        let entries = stocked.and_then(|(_, stock)| catalog.codes.get(&stock.codes));
        let entry = entries.into_iter().flatten().find(|entry| entry.code.to_string() == code);
        entry.map(|entry| entry.label.clone())
    };
    let item = |own: &ItemNeed<'_>| {
        json!({
            "item": own.need.item,
            "title": label(&own.need.item),
            "per_person": own.need.per_person,
            "per_person_day": own.need.per_person_day,
            "needed": quantity(own.needed),
            "free": quantity(own.free),
            "short": quantity(own.short()),
        })
    };
    let items: Vec<String> = found.iter().map(|own| format!("{}:{}", own.need.item, quantity(own.needed))).collect();
    Ok(call.current.json(json!({
        "people": people,
        "days": days,
        "needs": found.iter().map(item).collect::<Vec<_>>(),
        "items": items.join(","),
    })))
}
