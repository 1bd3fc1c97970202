//! The messages of Envoy's rate limit service that are used here, with the fields that are used: others are skipped as
//! they come. Written by hand, for a build without a compiler of `.proto` files.
//!
//! Source: `envoy/service/ratelimit/v3/rls.proto`, `envoy/extensions/common/ratelimit/v3/ratelimit.proto`.

use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use prost::Message as _;
use tidegate_limit::Rate;
use tidegate_limit::ports::Question;

/// The method.
pub(crate) const SHOULD_RATE_LIMIT: &str = "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit";

/// `RateLimitResponse.Code.OVER_LIMIT`
pub(crate) const OVER_LIMIT: i32 = 2;

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct RateLimitRequest {
    #[prost(string, tag = "1")]
    pub(crate) domain: String,
    #[prost(message, repeated, tag = "2")]
    pub(crate) descriptors: Vec<RateLimitDescriptor>,
    #[prost(uint32, tag = "3")]
    pub(crate) hits_addend: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct RateLimitDescriptor {
    #[prost(message, repeated, tag = "1")]
    pub(crate) entries: Vec<Entry>,
    #[prost(message, optional, tag = "2")]
    pub(crate) limit: Option<RateLimitOverride>,
    #[prost(message, optional, tag = "3")]
    pub(crate) hits_addend: Option<u64>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Entry {
    #[prost(string, tag = "1")]
    pub(crate) key: String,
    #[prost(string, tag = "2")]
    pub(crate) value: String,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(crate) struct RateLimitOverride {
    #[prost(uint32, tag = "1")]
    pub(crate) requests_per_unit: u32,
    #[prost(int32, tag = "2")]
    pub(crate) unit: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct RateLimitResponse {
    #[prost(int32, tag = "1")]
    pub(crate) overall_code: i32,
    #[prost(message, repeated, tag = "2")]
    pub(crate) statuses: Vec<DescriptorStatus>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct DescriptorStatus {
    #[prost(int32, tag = "1")]
    pub(crate) code: i32,
    #[prost(message, optional, tag = "2")]
    pub(crate) current_limit: Option<RateLimit>,
    #[prost(uint32, tag = "3")]
    pub(crate) limit_remaining: u32,
    #[prost(message, optional, tag = "4")]
    pub(crate) duration_until_reset: Option<prost_types::Duration>,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(crate) struct RateLimit {
    #[prost(uint32, tag = "1")]
    pub(crate) requests_per_unit: u32,
    #[prost(int32, tag = "2")]
    pub(crate) unit: i32,
}

/// `RateLimitUnit`: the number of each, and its seconds.
const UNITS: [(i32, u64); 7] =
    [(1, 1), (2, 60), (3, 3600), (4, 24 * 3600), (7, 7 * 24 * 3600), (5, 30 * 24 * 3600), (6, 365 * 24 * 3600)];

impl RateLimit {
    /// The quota; `None`: of a unit that nobody knows.
    pub(crate) fn quota(self) -> Option<Rate> {
        let (_, seconds) = UNITS.iter().find(|(unit, _)| *unit == self.unit)?;
        Rate::new(self.requests_per_unit.into(), Duration::from_secs(*seconds)).ok()
    }
}

impl RateLimitOverride {
    /// `None`: of a period that is none of the protocol's units. More than fits into the field is the most that does.
    fn of(rate: Rate) -> Option<Self> {
        let (unit, _) = UNITS.iter().find(|(_, seconds)| Duration::from_secs(*seconds) == rate.per())?;
        Some(Self { requests_per_unit: u32::try_from(rate.count()).unwrap_or(u32::MAX), unit: *unit })
    }
}

/// The call that asks these questions, framed.
pub(crate) fn call<'q>(domain: &str, questions: impl Iterator<Item = &'q Question<'q>> + Clone) -> Bytes {
    let mut costs = questions.clone().map(|question| question.ask.cost);
    let first = costs.next().and_then(|cost| u32::try_from(cost).ok()).filter(|cost| *cost > 0);
    // Services of before 2025 know one number for the whole call.
    let together = first.filter(|first| costs.all(|cost| cost == u64::from(*first)));
    let descriptors = questions.map(|question| RateLimitDescriptor {
        entries: question
            .entries
            .iter()
            .map(|(key, value)| Entry { key: (*key).to_owned(), value: value.clone() })
            .collect(),
        limit: question.quota.and_then(RateLimitOverride::of),
        hits_addend: if together.is_some() { None } else { Some(question.ask.cost) },
    });
    let request = RateLimitRequest {
        domain: domain.to_owned(),
        descriptors: descriptors.collect(),
        hits_addend: together.unwrap_or(1),
    };
    let length = request.encoded_len();
    let mut frame = BytesMut::with_capacity(5 + length);
    frame.put_u8(0);
    frame.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    // There is room.
    let _ = request.encode(&mut frame);
    frame.freeze()
}

/// The reply in a frame; else what is wrong with it.
pub(crate) fn reply(frame: &[u8]) -> Result<RateLimitResponse, String> {
    let (Some(0), Some(length), Some(message)) =
        (frame.first(), frame.get(1..5).and_then(|length| length.try_into().ok()), frame.get(5..))
    else {
        return Err("it is no uncompressed message".to_owned());
    };
    if u32::from_be_bytes(length) as usize != message.len() {
        return Err("it is not one message".to_owned());
    }
    RateLimitResponse::decode(message).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;
