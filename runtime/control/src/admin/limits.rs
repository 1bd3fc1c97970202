//! `/api/v1/limits`: rate limits, what is used of them, and how a budget is made whole.

use super::reply::{Answer, error, ok};
use http::StatusCode;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use std::time::Duration;
use tidegate_gateway::config::QUOTA_OF_SERVICE;
use tidegate_gateway::limits::{Limited, Refused, Store, Usage};
use tidegate_gateway::{Gateway, Snapshot};
use tidegate_limit::ports::{Standing, StoreError};
use tidegate_limit::rules::{FailurePolicy, Source};
use tidegate_limit::{Algorithm, Rate};
use tidegate_telemetry::metrics::rate_limits::RateLimit as _;

/// All limits, and the stores of those that gateways share.
pub(super) fn all(gateway: &Gateway) -> Answer {
    let snapshot = gateway.snapshot();
    let limits: Vec<Value> = snapshot.limits.iter().map(|limited| shown(limited, &snapshot)).collect();
    let stores: Vec<Value> = snapshot.limits.stores().iter().map(|store| store_shown(store)).collect();
    ok(&json!({ "limits": limits, "stores": stores }))
}

/// One of them; `query` names whose budget is asked for: `key=alice`, once for each part of the key.
pub(super) async fn one(gateway: &Gateway, name: &str, query: Option<&str>) -> Answer {
    let snapshot = gateway.snapshot();
    let name = percent_decode_str(name).decode_utf8_lossy();
    let Some(limited) = snapshot.limits.get(&name) else { return not_found(&name) };
    let values = match values(limited, query) {
        Ok(values) => values,
        Err(answer) => return *answer,
    };
    let mut answer = shown(limited, &snapshot);
    answer["top"] = limited.counter().top().iter().map(top_shown).collect();
    if let Some(store) = limited.store() {
        answer["storeState"] = store_shown(store);
    }
    let Some(values) = values else { return ok(&answer) };
    answer["usage"] = match limited.usage(&borrowed(&values)).await {
        None => json!("unlimited"),
        Some(Ok(usage)) => used(&usage),
        Some(Err(StoreError::Declined)) => json!({ "unknown": elsewhere(limited, "looked at") }),
        Some(Err(error)) => json!({ "unknown": away(limited, &error) }),
    };
    ok(&answer)
}

/// `NAME:reset`; `None` is no command at all.
pub(super) fn reset_of(rest: &str) -> Option<&str> {
    rest.strip_suffix(":reset")
}

/// Makes a budget whole.
pub(super) async fn reset(gateway: &Gateway, name: &str, query: Option<&str>) -> Answer {
    let snapshot = gateway.snapshot();
    let name = percent_decode_str(name).decode_utf8_lossy();
    let Some(limited) = snapshot.limits.get(&name) else { return not_found(&name) };
    match values(limited, query) {
        Err(answer) => *answer,
        Ok(None) => wrong_values(limited, 0),
        Ok(Some(values)) => {
            let mut answer = shown(limited, &snapshot);
            answer["usage"] = match limited.reset(&borrowed(&values)).await {
                None => return error(StatusCode::BAD_REQUEST, "they have no limit: there is nothing to reset"),
                Some(Ok(usage)) => used(&usage),
                Some(Err(StoreError::Declined)) => {
                    return error(StatusCode::BAD_REQUEST, &elsewhere(limited, "made whole"));
                }
                Some(Err(error)) => {
                    return super::reply::error(StatusCode::SERVICE_UNAVAILABLE, &away(limited, &error));
                }
            };
            ok(&answer)
        }
    }
}

fn not_found(name: &str) -> Answer {
    error(StatusCode::NOT_FOUND, &format!("there is no limit `{name}`; see /api/v1/limits"))
}

/// The store of a limit does not tell.
fn away(limited: &Limited, why: &StoreError) -> String {
    let name = limited.rule().store().unwrap_or_default();
    let failure = limited.store().and_then(|store| store.limits().standing().servers.failure);
    let why = failure.unwrap_or_else(|| why.to_string());
    format!("the store `{name}` does not answer: {why}")
}

/// A budget that a rate limit service keeps.
fn elsewhere(limited: &Limited, done: &str) -> String {
    let name = limited.rule().store().unwrap_or_default();
    format!("the rate limit service `{name}` keeps it: only there can it be {done}")
}

/// The parts of the key that differ from request to request.
fn parts(limited: &Limited) -> Vec<String> {
    let sources = limited.rule().key().iter().map(|part| &part.source);
    sources.filter(|source| !matches!(source, Source::Constant(_))).map(Source::label).collect()
}

/// The values that `query` has: `key=VALUE`, or `key` alone for those who have none. `None`: the limit has a key, and
/// nobody's is named.
fn values(limited: &Limited, query: Option<&str>) -> Result<Option<Vec<Option<Vec<u8>>>>, Box<Answer>> {
    let mut values = Vec::new();
    for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        values.push(match pair.split_once('=') {
            Some(("key", value)) => Some(percent_decode_str(value).collect()),
            None if pair == "key" => None,
            _ => {
                let message = format!("there is no parameter `{pair}`: `key=VALUE` names a part of the key");
                return Err(Box::new(error(StatusCode::BAD_REQUEST, &message)));
            }
        });
    }
    let wanted = parts(limited).len();
    match values.len() {
        given if given == wanted => Ok(Some(values)),
        0 => Ok(None),
        given => Err(Box::new(wrong_values(limited, given))),
    }
}

fn wrong_values(limited: &Limited, given: usize) -> Answer {
    let parts = parts(limited);
    let message = format!(
        "the limit `{}` has {} values for each budget ({}), not {given}: send `key=VALUE` for each",
        limited.rule().name(),
        parts.len(),
        parts.join(", ")
    );
    error(StatusCode::BAD_REQUEST, &message)
}

fn borrowed(values: &[Option<Vec<u8>>]) -> Vec<Option<&[u8]>> {
    values.iter().map(Option::as_deref).collect()
}

fn shown(limited: &Limited, snapshot: &Snapshot) -> Value {
    let (rule, figures) = (limited.rule(), limited.counter().figures());
    let key: Vec<String> = rule.key().iter().map(|part| part.source.label()).collect();
    let mut shown = json!({
        "name": rule.name(),
        "key": key,
        "quota": if limited.is_of_service() { quota_of_service(rule.algorithm()) } else { quota(rule.algorithm()) },
        "enforcedPercent": rule.enforce().get(),
        "store": rule.store().unwrap_or("local"),
        "admitted": figures.admitted,
        "refused": figures.refused,
        "shadow": figures.shadow,
    });
    if rule.store().is_none() {
        shown["keys"] = json!({ "known": figures.keys, "most": figures.most_keys, "crowded": figures.crowded });
        return shown;
    }
    shown["unanswered"] = json!(figures.unanswered);
    let config = snapshot.config.rate_limits.iter().find(|limit| limit.limit.name == rule.name());
    if let Some(limit) = config.map(|config| &config.limit) {
        shown["onFailure"] = json!(match limit.failure {
            FailurePolicy::Open => "open".to_owned(),
            FailurePolicy::Closed => "closed".to_owned(),
            FailurePolicy::LocalShare => "local_share".to_owned(),
            FailurePolicy::Reserve(part) => format!("reserve {}%", part.get()),
        });
        shown["leaseMs"] = limit.lease.map_or(Value::Null, |age| json!(milliseconds(age)));
    }
    shown
}

fn top_shown(refused: &Refused) -> Value {
    json!({ "key": refused.key, "refused": refused.times, "unsure": refused.unsure })
}

fn store_shown(store: &Store) -> Value {
    let Standing { down, waiting, keys, front, latency, latency_sum, servers } = store.limits().standing();
    let answers: u64 = latency.iter().sum();
    let mean = u64::try_from(latency_sum.as_micros()).unwrap_or(u64::MAX).checked_div(answers);
    let connected = |(address, version): &(String, String)| json!({ "address": address, "version": version });
    json!({
        "name": store.name(),
        "address": servers.address,
        "state": if down { "down" } else { "in use" },
        "failure": servers.failure,
        "servers": servers.connected.iter().map(connected).collect::<Vec<_>>(),
        "waiting": waiting,
        "keys": keys,
        "asked": front.asked,
        "batches": front.batches,
        "operations": front.items,
        "repeatedRefusals": front.repeated,
        "fallenBack": front.fallen_back,
        "leases": { "lent": front.lent, "spent": front.spent, "lost": front.died },
        "failed": { "nothingTaken": servers.unreachable, "unsure": servers.unanswered },
        "connections": servers.connections,
        "losses": servers.losses,
        "clockSteps": { "forward": servers.clock_forward, "back": servers.clock_back },
        "meanLatencyUs": mean,
    })
}

fn used(usage: &Usage) -> Value {
    json!({
        "quota": quota(&usage.algorithm),
        "remaining": usage.remaining,
        "resetMs": milliseconds(usage.reset),
    })
}

fn quota(algorithm: &Algorithm) -> Value {
    let (word, rate, more) = match algorithm {
        Algorithm::TokenBucket { rate, burst } => ("token_bucket", rate, Some(("burst", burst))),
        Algorithm::LeakyBucket { rate, queue } => ("leaky_bucket", rate, Some(("queue", queue))),
        Algorithm::SlidingWindow(rate) => ("sliding_window", rate, None),
        Algorithm::SlidingLog(rate) => ("sliding_log", rate, None),
        Algorithm::FixedWindow(rate) => ("fixed_window", rate, None),
        Algorithm::Concurrency(most) => return json!({ "algorithm": "concurrency", "most": most }),
    };
    let mut quota = json!({ "algorithm": word, "rate": as_written(rate) });
    if let Some((name, units)) = more {
        quota[name] = json!(units);
    }
    quota
}

/// What a rate limit service is told, if it is told any.
fn quota_of_service(algorithm: &Algorithm) -> Value {
    match algorithm {
        Algorithm::TokenBucket { rate, .. } if *algorithm != QUOTA_OF_SERVICE => {
            json!({ "algorithm": "of_service", "rate": as_written(rate) })
        }
        _ => json!({ "algorithm": "of_service" }),
    }
}

/// `100/s`, as a config has it.
fn as_written(rate: &Rate) -> String {
    let nanos = rate.per().as_nanos();
    let units = [("d", 86_400_000_000_000), ("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000)];
    let found = units.into_iter().find(|(_, unit)| nanos.is_multiple_of(*unit)).unwrap_or(("ms", 1_000_000));
    match (nanos / found.1, found.0) {
        (1, unit) => format!("{}/{unit}", rate.count()),
        (times, unit) => format!("{}/{times}{unit}", rate.count()),
    }
}

/// Rounded up.
fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::{Rate, as_written};
    use std::time::Duration;

    #[test]
    fn rates_are_shown_as_a_config_has_them() {
        for (count, per, want) in [
            (100, 1000, "100/s"),
            (5, 60_000, "5/m"),
            (7, 90_000, "7/90s"),
            (1, 86_400_000, "1/d"),
            (1, 1500, "1/1500ms"),
        ] {
            let rate = Rate::new(count, Duration::from_millis(per)).expect("a rate");
            assert_eq!(as_written(&rate), want);
        }
    }
}
