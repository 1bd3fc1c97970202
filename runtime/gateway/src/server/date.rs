//! The `date` of a response, formatted once a second.

use http::HeaderValue;
use std::cell::RefCell;
use std::time::{SystemTime, UNIX_EPOCH};
use tidegate_telemetry::clock;

thread_local! {
    static LAST: RefCell<(u64, HeaderValue)> = const { RefCell::new((u64::MAX, HeaderValue::from_static(""))) };
}

/// Now, as RFC 9110, section 5.6.7 writes it.
pub(super) fn now() -> HeaderValue {
    at(clock::wall())
}

fn at(wall: SystemTime) -> HeaderValue {
    let second = wall.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    LAST.with_borrow_mut(|(last, value)| {
        if *last != second {
            *last = second;
            let text = httpdate::fmt_http_date(wall);
            *value = HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""));
        }
        value.clone()
    })
}

#[cfg(test)]
mod tests {
    use super::at;
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn each_second_has_its_own() {
        let text = |seconds| at(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(text(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(text(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(text(784_111_778), "Sun, 06 Nov 1994 08:49:38 GMT");
    }
}
