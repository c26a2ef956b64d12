//! Subscriptions of other services: created, listed and deleted; notices that were given up are listed and sent again.

use actix_web::http::{StatusCode, header};
use serde_json::{Value as Json, json};

use crate::access::identity::Identity;
use crate::clock;
use crate::http::api::subscription_request::{accepted, read};
use crate::http::call::Call;
use crate::http::reply::Reply;
use crate::http::reply::identity_problem::IdentityProblem;
use crate::http::reply::problem::Problem;
use crate::model::{Role, format_instant};
use crate::query::geofence::{FenceCondition, Geofence, SeenFeatures};
use crate::store::notices::{StoredNotice, StoredSubscription};
use crate::subscription::watching::seen_rows;
use crate::subscription::{LIMITS, MAX_SEEN, Notice, Registry, SubscriptionDocument};

/// Notices in the list of those that were given up.
const LISTED: i64 = 1_000;

/// `POST /api/subscriptions`: what is in the area now is not told.
pub(crate) async fn create(call: Call<'static>) -> Result<Reply, Problem> {
    let registry = registry(&call)?;
    // Notices are sent as long as the account works, also when nobody is signed in.
    if let Some(Identity::External(_)) = call.caller.identity() {
        return Err(Problem::Identity(IdentityProblem::NeedsAccount));
    }
    let document = read(&call, &registry.rules.destinations)?;
    let secret = document.webhook.as_ref().map(|webhook| webhook.secret.clone());
    let fence = Geofence::new(document.fence.clone()).map_err(|error| accepted("/area", "", &error))?;
    let snapshot = call.current.snapshot.clone();
    // A large layer takes a while, which the web thread does not have.
    let look = move || fence.step(&mut SeenFeatures::new(), &snapshot, None, &|_| false);
    let step = tokio::task::spawn_blocking(look).await.map_err(|error| Problem::internal(&error))?;
    if step.remembered.len() > MAX_SEEN {
        let detail = format!("{} features are in the area, the maximum is {MAX_SEEN}", step.remembered.len());
        return Err(accepted("/area", "", &detail));
    }
    let id = getrandom::u64().map_err(|error| Problem::internal(&error))?;
    let new = StoredSubscription {
        id: format!("{id:016x}"),
        owner: owner(&call),
        document: serde_json::to_string(&document).map_err(|error| Problem::internal(&error))?,
        created_ms: clock::now_ms(),
        last_sequence: 0,
    };
    if !registry.file.add(&new, &seen_rows(step), LIMITS).await? {
        let limit = u32::try_from(LIMITS.0).unwrap_or(u32::MAX);
        return Err(Problem::RateLimited { what: "subscriptions of one account", limit, retry_after_s: 60 });
    }
    registry.notify();
    let mut body = shown(&new, &document);
    // It is told once.
    if let Some(secret) = secret {
        body["webhook"]["secret"] = secret.into();
    }
    let address = format!("{}/api/subscriptions/{}", call.base_url(), new.id);
    Ok(reply(StatusCode::CREATED, &body).header((header::LOCATION, address)))
}

/// `GET /api/subscriptions`: those of the caller; all for an administrator.
pub(crate) async fn list(call: Call<'static>) -> Result<Reply, Problem> {
    let all = registry(&call)?.file.subscriptions().await?;
    let own = all.iter().filter(|own| is_own(&call, own));
    let shown: Vec<Json> = own.filter_map(|own| Some(shown(own, &document(own)?))).collect();
    Ok(reply(StatusCode::OK, &json!({"subscriptions": shown})))
}

/// `GET /api/subscriptions/{subscriptionId}`.
pub(crate) async fn one(call: Call<'static>) -> Result<Reply, Problem> {
    let own = find(&call).await?;
    let document = document(&own).ok_or_else(|| Problem::internal(&"a stored subscription cannot be read"))?;
    Ok(reply(StatusCode::OK, &shown(&own, &document)))
}

/// `DELETE /api/subscriptions/{subscriptionId}`.
pub(crate) async fn delete(call: Call<'static>) -> Result<Reply, Problem> {
    let own = find(&call).await?;
    let registry = registry(&call)?;
    registry.file.remove(&own.id).await?;
    registry.notify();
    Ok(Reply::new(StatusCode::NO_CONTENT))
}

/// `GET /api/subscriptions/{subscriptionId}/dead`: notices that were given up, oldest first.
pub(crate) async fn dead(call: Call<'static>) -> Result<Reply, Problem> {
    let own = find(&call).await?;
    let dead = registry(&call)?.file.dead(&own.id, LISTED).await?;
    let notice = |stored: &StoredNotice| {
        let mut notice = Notice::of(stored).0;
        notice["attempts"] = stored.attempts.into();
        notice["reason"] = stored.reason.clone().into();
        notice
    };
    Ok(reply(StatusCode::OK, &json!({"notices": dead.iter().map(notice).collect::<Vec<_>>()})))
}

/// `POST /api/subscriptions/{subscriptionId}/resend`: lets them be delivered again.
pub(crate) async fn resend(call: Call<'static>) -> Result<Reply, Problem> {
    let own = find(&call).await?;
    let registry = registry(&call)?;
    let resent = registry.file.resend(&own.id, clock::now_ms()).await?;
    registry.notify();
    Ok(reply(StatusCode::OK, &json!({"resent": resent})))
}

/// The subscription of the path, if the caller may see it.
pub(crate) async fn find(call: &Call<'_>) -> Result<StoredSubscription, Problem> {
    let id = call.segment("subscriptionId");
    let found = registry(call)?.file.subscription(id).await?;
    found.filter(|own| is_own(call, own)).ok_or_else(|| Problem::NotFound {
        what: "subscriptionId",
        value: id.chars().take(200).collect(),
        accepted: String::new(),
    })
}

/// What the endpoints and tasks of subscriptions share.
pub(crate) fn registry<'a>(call: &'a Call<'_>) -> Result<&'a Registry, Problem> {
    call.state.subscriptions.as_deref().ok_or(Problem::WritesDisabled)
}

/// Whose subscriptions they are: the id of the account; empty for the token of the machine.
fn owner(call: &Call<'_>) -> String {
    call.caller.identity().map(|own| own.id().to_owned()).unwrap_or_default()
}

fn is_own(call: &Call<'_>, subscription: &StoredSubscription) -> bool {
    call.caller.role() == Role::Admin || subscription.owner == owner(call)
}

fn document(stored: &StoredSubscription) -> Option<SubscriptionDocument> {
    serde_json::from_str(&stored.document).ok()
}

/// A subscription without its secret.
fn shown(stored: &StoredSubscription, document: &SubscriptionDocument) -> Json {
    let created = i128::from(stored.created_ms) * 1_000_000;
    let created = time::UtcDateTime::from_unix_timestamp_nanos(created).ok().map(format_instant);
    let condition = |condition: &FenceCondition| match condition {
        FenceCondition::Enters => json!("enters"),
        FenceCondition::Leaves => json!("leaves"),
        FenceCondition::Changes => json!("changes"),
        FenceCondition::Becomes { field, codes } => json!({"field": field, "becomes": codes}),
        FenceCondition::Crosses { field, threshold, rises: true } => json!({"field": field, "above": threshold}),
        FenceCondition::Crosses { field, threshold, rises: false } => json!({"field": field, "below": threshold}),
    };
    json!({
        "id": stored.id,
        "name": document.name,
        "owner": stored.owner,
        "created_at": created,
        "layers": document.fence.layers,
        "area": document.area,
        "when": document.fence.when.iter().map(condition).collect::<Vec<_>>(),
        "filter": document.fence.filter,
        "webhook": document.webhook.as_ref().map(|webhook| json!({"url": webhook.url})),
        "last_sequence": stored.last_sequence,
    })
}

fn reply(status: StatusCode, body: &Json) -> Reply {
    Reply::new(status)
        .header((header::CONTENT_TYPE, "application/json"))
        .header((header::CACHE_CONTROL, "no-store"))
        .body(body.to_string())
}
