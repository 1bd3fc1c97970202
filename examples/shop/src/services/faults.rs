//! `shop.v1.Faults`.

mod details;

use std::pin::Pin;

use tokio_stream::Stream;
use tonic::{Code, Request, Response, Status, async_trait};

use crate::{
    check::Check,
    fault,
    generated::shop::v1::{Count, Detail, FailLaterRequest, FailRequest, FailResponse, faults_server},
};

/// Details of one status.
const DETAILS_MAX: usize = 32;

/// Messages before the end of a stream.
const AFTER_MAX: i32 = 10_000;

/// The service.
pub(crate) struct Faults;

// === impl Faults ===

#[async_trait]
impl faults_server::Faults for Faults {
    type FailLaterStream = Pin<Box<dyn Stream<Item = Result<Count, Status>> + Send>>;

    async fn fail(&self, request: Request<FailRequest>) -> Result<Response<FailResponse>, Status> {
        let asked = request.into_inner();
        check("", &asked).done()?;
        status(&asked).map_or_else(|| Ok(Response::new(FailResponse {})), Err)
    }

    async fn fail_later(&self, request: Request<FailLaterRequest>) -> Result<Response<Self::FailLaterStream>, Status> {
        let FailLaterRequest { fault, after } = request.into_inner();
        let fault = fault.unwrap_or_default();
        check("fault.", &fault)
            .that((0..=AFTER_MAX).contains(&after), "after", format!("must be 0 to {AFTER_MAX}"))
            .done()?;
        let stream = async_stream::try_stream! {
            for number in 1..=after {
                yield Count { number };
            }
            if let Some(status) = status(&fault) {
                Err(status)?;
            }
        };
        Ok(Response::new(Box::pin(stream)))
    }
}

fn check(prefix: &str, asked: &FailRequest) -> Check {
    let mut check = Check::default();
    check
        .that((0..=16).contains(&asked.code), format!("{prefix}code"), "must be 0 to 16")
        .text(&format!("{prefix}message"), &asked.message, 0, 1000)
        .that(asked.details.len() <= DETAILS_MAX, format!("{prefix}details"), format!("must be at most {DETAILS_MAX}"));
    for (index, detail) in asked.details.iter().enumerate() {
        let known = Detail::try_from(*detail).is_ok_and(|detail| detail != Detail::Unspecified);
        check.that(known, format!("{prefix}details[{index}]"), "must be a known detail");
    }
    check
}

/// The status asked for, unless that is OK.
fn status(asked: &FailRequest) -> Option<Status> {
    if asked.code == 0 {
        return None;
    }
    let details = asked.details().map(|detail| details::example(detail, asked.retry_delay));
    Some(fault::status(Code::from_i32(asked.code), asked.message.clone(), details.collect()))
}
