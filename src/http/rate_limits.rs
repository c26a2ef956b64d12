//! Limits of the requests of one caller: by account, or by address without one.
//!
//! Callers on this machine are not limited: a proxy that names nobody would make all its clients one caller.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};

use crate::http::params::auth::Caller;
use crate::http::reply::problem::Problem;

/// Requests that a caller may make at once, in seconds of its rate: opening a map loads a hundred tiles.
const BURST_S: u32 = 4;
/// Wrong credentials that an address may send in a minute.
const FAILURES_PER_MINUTE: NonZeroU32 = NonZeroU32::new(20).unwrap();
/// Callers are forgotten in bulk from this number.
const MANY_CALLERS: usize = 50_000;
/// Seconds until a caller may retry that has too many requests at the same time.
const CONCURRENCY_RETRY_AFTER_S: u32 = 2;

type Keyed<K> = RateLimiter<K, DashMapStateStore<K>, DefaultClock>;

/// A caller for the purpose of limits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum LimitedCaller {
    /// By the id of the account.
    Account(String),
    /// By the network of the address.
    Address(IpAddr),
}

impl LimitedCaller {
    /// The account of a caller, or else its address; `None` without either, as all clients of a proxy would be one caller.
    pub(crate) fn new(caller: &Caller, address: Option<IpAddr>) -> Option<Self> {
        let account = caller.identity().map(|own| Self::Account(own.id().to_owned()));
        account.or_else(|| address.map(|address| Self::Address(network(address))))
    }
}

/// The limits and their state.
pub(crate) struct RateLimits {
    requests: Option<(NonZeroU32, Keyed<LimitedCaller>)>,
    failures: Keyed<IpAddr>,
}

impl RateLimits {
    /// Limits of a number of requests per second; 0 sets none.
    pub(crate) fn new(requests_per_s: u32) -> Self {
        let requests = NonZeroU32::new(requests_per_s).map(|rate| {
            let quota =
                Quota::per_second(rate).allow_burst(rate.saturating_mul(NonZeroU32::MIN.saturating_add(BURST_S - 1)));
            (rate, RateLimiter::dashmap(quota))
        });
        Self { requests, failures: RateLimiter::dashmap(Quota::per_minute(FAILURES_PER_MINUTE)) }
    }

    /// Counts a request.
    ///
    /// # Errors
    /// When the caller makes too many.
    pub(crate) fn admit(&self, caller: &LimitedCaller) -> Result<(), Problem> {
        let Some((rate, limiter)) = &self.requests else { return Ok(()) };
        forget(limiter);
        limiter.check_key(caller).map_err(|until| limited("requests per second", rate.get(), wait(&until)))
    }

    /// Counts wrong credentials from an address.
    ///
    /// # Errors
    /// When it sends too many.
    pub(crate) fn count_failure(&self, address: IpAddr) -> Result<(), Problem> {
        forget(&self.failures);
        let checked = self.failures.check_key(&network(address));
        let limit = FAILURES_PER_MINUTE.get();
        checked.map_err(|until| limited("wrong credentials per minute", limit, wait(&until)))
    }
}

/// Limits how many requests of a kind each caller has at the same time.
pub(crate) struct ConcurrencyLimit {
    what: &'static str,
    limit: usize,
    admitted: Arc<AdmittedCounts>,
}

/// How many requests each caller has.
type AdmittedCounts = Mutex<HashMap<LimitedCaller, usize>>;

impl ConcurrencyLimit {
    /// A limit of requests, which are named in the plural.
    pub(crate) fn new(what: &'static str, limit: usize) -> Self {
        Self { what, limit, admitted: Arc::default() }
    }

    /// Counts a request until the admission is dropped; `None` is not limited.
    ///
    /// # Errors
    /// When the caller has too many.
    pub(crate) fn admit(&self, caller: Option<&LimitedCaller>) -> Result<Admission, Problem> {
        let Some(caller) = caller else { return Ok(Admission(None)) };
        let mut admitted = self.admitted.lock().unwrap_or_else(PoisonError::into_inner);
        let count = admitted.entry(caller.clone()).or_default();
        if *count >= self.limit {
            let limit = u32::try_from(self.limit).unwrap_or(u32::MAX);
            return Err(Problem::RateLimited { what: self.what, limit, retry_after_s: CONCURRENCY_RETRY_AFTER_S });
        }
        *count += 1;
        Ok(Admission(Some((caller.clone(), self.admitted.clone()))))
    }
}

/// A request that counts.
pub(crate) struct Admission(Option<(LimitedCaller, Arc<AdmittedCounts>)>);

impl Drop for Admission {
    fn drop(&mut self) {
        let Some((caller, admitted)) = self.0.take() else { return };
        let mut admitted = admitted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = admitted.get_mut(&caller) {
            *count -= 1;
            if *count == 0 {
                admitted.remove(&caller);
            }
        }
    }
}

fn limited(what: &'static str, limit: u32, wait: Duration) -> Problem {
    let retry_after_s = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1);
    Problem::RateLimited { what, limit, retry_after_s }
}

fn wait(until: &governor::NotUntil<<DefaultClock as Clock>::Instant>) -> Duration {
    until.wait_time_from(DefaultClock::default().now())
}

/// Forgets callers that have waited long enough, so that the memory is bounded.
fn forget<K: std::hash::Hash + Eq + Clone>(limiter: &Keyed<K>) {
    if limiter.len() > MANY_CALLERS {
        limiter.retain_recent();
    }
}

/// An IPv6 caller has at least a network of 64 bits.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        address @ IpAddr::V4(_) => address,
    }
}
