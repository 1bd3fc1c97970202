//! Whose fault the end of a call was.

use crate::answer::Answer;
use http::StatusCode;
use tidegate_transcode::Code;

/// Whether a request that was sent on failed by the fault of its upstream; `None` if that cannot be told: the
/// client left, or it is at fault itself. `asked` says that the client set the deadline: one that sets it to
/// nothing could open the breaker for all others, so its deadline makes the call slow but not failed.
pub(crate) fn verdict(status: StatusCode, code: Code, reason: Option<&str>, asked: bool) -> Option<bool> {
    let is = |answer: Answer| reason == Some(answer.reason());
    if code == Code::DeadlineExceeded && asked {
        return Some(false);
    }
    if reason.is_some() {
        let upstreams = [Answer::BadReply, Answer::Unavailable, Answer::Deadline];
        return upstreams.into_iter().any(is).then_some(true);
    }
    // A call of a method that there is not is the caller's fault, whatever the number says.
    let failed = match code {
        Code::Unimplemented => false,
        code => is_failure(status, code),
    };
    Some(failed)
}

/// Whether an answer says that the service failed, by its status, or by its code where the status says that all is well. A
/// status from 400 on says itself whose fault it is, also if no code is like it.
pub(crate) fn is_failure(status: StatusCode, code: Code) -> bool {
    status.is_server_error() || status.as_u16() < 400 && code.http_status().is_server_error()
}

#[cfg(test)]
mod tests {
    use super::verdict;
    use crate::answer::Answer;
    use http::StatusCode;
    use tidegate_transcode::Code;

    /// Upstreams judge their endpoints by the same.
    #[test]
    fn endpoints_are_judged_by_the_same_failures() {
        use http::{HeaderMap, HeaderValue};
        use tidegate_upstream::verdict::is_failure;

        for number in 0..=20_u32 {
            let code = Code::from_u32(number);
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", HeaderValue::from(number));
            let ours = verdict(StatusCode::OK, code, None, false);
            assert_eq!(Some(is_failure(StatusCode::OK, &trailers)), ours, "gRPC status {number}");
        }
        for number in 200..=599 {
            let status = StatusCode::from_u16(number).expect("a status");
            let code = if number < 400 { Code::Ok } else { Code::of_answer(status) };
            let ours = verdict(status, code, None, false);
            assert_eq!(Some(is_failure(status, &HeaderMap::new())), ours, "HTTP status {number}");
        }
    }

    #[test]
    fn what_is_not_the_upstreams_fault_is_not_held_against_it() {
        let own = |answer: Answer, asked| verdict(answer.http_status(), answer.code(), Some(answer.reason()), asked);
        let faults = [Answer::BadReply, Answer::Unavailable, Answer::Deadline];
        assert_eq!(faults.map(|answer| own(answer, false)), [Some(true); 3]);
        assert_eq!(own(Answer::Deadline, true), Some(false), "a deadline that the client set");
        let others =
            [Answer::ClientGone, Answer::ClientStalled, Answer::Stopping, Answer::Overloaded, Answer::BadRequest];
        assert_eq!(others.map(|answer| own(answer, false)), [None; 5]);
    }

    #[test]
    fn what_the_upstream_says_is_judged_by_its_code_or_status() {
        let rpc = |code| verdict(StatusCode::OK, code, None, false);
        let failures = [Code::Unknown, Code::Internal, Code::Unavailable, Code::DataLoss, Code::DeadlineExceeded];
        assert_eq!(failures.map(rpc), [Some(true); 5]);
        let answers = [Code::Ok, Code::NotFound, Code::ResourceExhausted, Code::Unimplemented, Code::Aborted];
        assert_eq!(answers.map(rpc), [Some(false); 5]);
        assert_eq!(verdict(StatusCode::BAD_GATEWAY, Code::Unavailable, None, false), Some(true));
        assert_eq!(verdict(StatusCode::NOT_FOUND, Code::NotFound, None, false), Some(false));
    }
}
