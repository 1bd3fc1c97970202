//! What an answer says of one limit.

use std::time::Duration;

use tidegate_limit::front::{By, Outcome};
use tidegate_limit::{Decision, Receipt, Retry};

use crate::messages::{DescriptorStatus, OVER_LIMIT, RateLimitResponse};

/// Of the limit whose descriptor has this place. As in Envoy the whole answer decides: what is not over the limit
/// passes, whatever its statuses say. If it is, those refuse that say so; if none does, all.
pub(super) fn of(reply: &RateLimitResponse, place: usize, cost: u64) -> Outcome {
    let status = reply.statuses.get(place);
    let is_over = |status: &DescriptorStatus| status.code == OVER_LIMIT;
    let refuses =
        reply.overall_code == OVER_LIMIT && (status.is_some_and(is_over) || !reply.statuses.iter().any(is_over));
    let until = status.and_then(|status| status.duration_until_reset);
    let until = until.and_then(|until| Duration::try_from(until).ok());
    let decision = Decision {
        asked: cost,
        granted: if refuses { 0 } else { cost },
        remaining: status.map_or(0, |status| status.limit_remaining.into()),
        retry: if refuses { until.map_or(Retry::OnRelease, Retry::After) } else { Retry::Now },
        reset: until.unwrap_or_default(),
        wait: Duration::ZERO,
        receipt: Receipt::default(),
    };
    let quota = status.and_then(|status| status.current_limit).and_then(|limit| limit.quota());
    Outcome { decision, by: By::Service { quota } }
}

#[cfg(test)]
mod tests {
    use super::{By, Decision, DescriptorStatus, Duration, Outcome, RateLimitResponse, Receipt, Retry, of};
    use crate::messages::RateLimit;
    use tidegate_limit::Rate;

    fn status(code: i32, limit_remaining: u32, seconds: Option<i64>) -> DescriptorStatus {
        let duration_until_reset = seconds.map(|seconds| prost_types::Duration { seconds, nanos: 0 });
        let current_limit = Some(RateLimit { requests_per_unit: 9, unit: 2 });
        DescriptorStatus { code, current_limit, limit_remaining, duration_until_reset }
    }

    fn reply(overall_code: i32, statuses: &[DescriptorStatus]) -> RateLimitResponse {
        RateLimitResponse { overall_code, statuses: statuses.to_vec() }
    }

    fn outcome(granted: u64, remaining: u64, retry: Retry, reset: u64) -> Outcome {
        let (reset, wait) = (Duration::from_secs(reset), Duration::ZERO);
        let decision = Decision { asked: 3, granted, remaining, retry, reset, wait, receipt: Receipt::default() };
        let quota = Rate::new(9, Duration::from_secs(60)).ok();
        Outcome { decision, by: By::Service { quota } }
    }

    #[test]
    fn each_limit_hears_its_own_status() {
        let over = reply(2, &[status(1, 5, Some(7)), status(2, 0, Some(8))]);
        assert_eq!(of(&over, 0, 3), outcome(3, 5, Retry::Now, 7));
        assert_eq!(of(&over, 1, 3), outcome(0, 0, Retry::After(Duration::from_secs(8)), 8));
    }

    #[test]
    fn the_whole_answer_decides_and_without_a_status_it_is_for_all() {
        let mut nothing = outcome(3, 0, Retry::Now, 0);
        nothing.by = By::Service { quota: None };
        for passes in [reply(0, &[]), reply(1, &[]), reply(7, &[])] {
            assert_eq!(of(&passes, 0, 3), nothing, "{passes:?}");
        }
        assert_eq!(of(&reply(1, &[status(2, 0, None)]), 0, 3), outcome(3, 0, Retry::Now, 0), "a shadow of theirs");
        nothing.decision.granted = 0;
        nothing.decision.retry = Retry::OnRelease;
        assert_eq!(of(&reply(2, &[]), 1, 3), nothing);
        assert_eq!(of(&reply(2, &[status(1, 4, None)]), 0, 3), outcome(0, 4, Retry::OnRelease, 0));
        // A time that is none is not told.
        assert_eq!(of(&reply(2, &[status(2, 0, Some(-1))]), 0, 3), outcome(0, 0, Retry::OnRelease, 0));
    }
}
