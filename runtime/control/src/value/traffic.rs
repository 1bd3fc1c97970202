//! Names and shares of routes and canaries.

use super::Wrong;
use http::{HeaderName, Method};
use tidegate_traffic::breaker::Window;
use tidegate_traffic::{PathPattern, Share};

/// The name of a header that requests other than native gRPC may have, lower-cased.
pub(crate) fn plain_header_name(text: &str) -> Result<HeaderName, Wrong> {
    let name = super::header_name(text)?;
    if name.as_str().contains('_') {
        let hint = "write a hyphen: requests with an underscore in a name are refused";
        return Err(Wrong::new("the name of a header", hint));
    }
    Ok(name)
}

/// The name of a cookie (RFC 6265, section 4.1.1), which is case-sensitive.
pub(crate) fn cookie_name(text: &str) -> Result<String, Wrong> {
    let wrong = || Wrong::new("the name of a cookie", "for example `uid`");
    HeaderName::from_bytes(text.as_bytes()).map(|_| text.to_owned()).map_err(|_| wrong())
}

/// A method of HTTP, in upper case.
pub(crate) fn method(text: &str) -> Result<Method, Wrong> {
    const EXPECTED: &str = "a method of HTTP";
    let upper = text.to_ascii_uppercase();
    let method = Method::from_bytes(upper.as_bytes()).map_err(|_| Wrong::new(EXPECTED, "for example `GET`"))?;
    if method == Method::CONNECT {
        return Err(Wrong::new(EXPECTED, "CONNECT is not served"));
    }
    if upper != text {
        return Err(Wrong::new(EXPECTED, format!("methods are case-sensitive: write `{upper}`")));
    }
    Ok(method)
}

/// The path of a plain route.
pub(crate) fn path_pattern(text: &str) -> Result<PathPattern, Wrong> {
    PathPattern::parse(text).map_err(|error| Wrong::new("a path", error.to_string()))
}

/// `10%`, `0.5%`: 0 to 100.
pub(crate) fn share(text: &str) -> Result<Share, Wrong> {
    text.parse().map_err(|error: tidegate_traffic::ShareError| {
        let number = text.strip_prefix('-').is_some_and(|rest| rest.parse::<Share>().is_ok());
        let hint = if number { "it is at least `0%`".to_owned() } else { error.to_string() };
        Wrong::new("a percentage", hint)
    })
}

/// `100` calls, or those of the last `10s`.
pub(crate) fn calls_or_time(text: &str) -> Result<Window, Wrong> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() {
        return super::count(text).map(|calls| Window::Calls(u32::try_from(calls).unwrap_or(u32::MAX)));
    }
    let wrong = |_| Wrong::new("a number of calls, or a duration", "write for example `100` or `10s`");
    super::duration(text).map(Window::Time).map_err(wrong)
}

/// How many times as long: `1.2`, from 1 to 100 with three decimals. In thousandths.
pub(crate) fn ratio(text: &str) -> Result<u32, Wrong> {
    const RATIOS: std::ops::RangeInclusive<u64> = 1_000..=100_000;
    let thousandths = super::scaled(text, 1_000).filter(|ratio| RATIOS.contains(ratio));
    let thousandths = thousandths.and_then(|ratio| u32::try_from(ratio).ok());
    thousandths.ok_or_else(|| Wrong::new("a ratio", "from `1` to `100`, with up to three decimals: `1.2`"))
}

#[cfg(test)]
mod tests {
    use super::{method, plain_header_name, ratio, share};

    #[test]
    fn names_and_shares_are_checked() {
        let hint = |wrong: super::Wrong| wrong.hint;
        assert_eq!(plain_header_name("X-User-Id").map(|name| name.to_string()).map_err(hint), Ok("x-user-id".into()));
        for text in ["", "a b", ":path", "x_user_id", "é"] {
            assert!(plain_header_name(text).is_err(), "{text}");
        }
        assert_eq!(method("PURGE").map(|name| name.to_string()).map_err(hint), Ok("PURGE".into()));
        assert_eq!(method("get").map_err(hint), Err("methods are case-sensitive: write `GET`".into()));
        assert!(method("CONNECT").is_err() && method("A B").is_err());
        assert_eq!(share("0.5%").map(|share| share.to_string()).map_err(hint), Ok("0.5%".into()));
        assert_eq!(share("-5%").map_err(hint), Err("it is at least `0%`".into()));
        assert_eq!(share("101%").map_err(hint), Err("it can be at most `100%`".into()));
        assert_eq!(share("10").map_err(hint), Err("write for example `10%` or `0.5%`".into()));
        assert_eq!((ratio("1.2"), ratio("1"), ratio("100")), (Ok(1200), Ok(1000), Ok(100_000)));
        assert!(["0.9", "101", "1.2345", "-1", "1,2", ""].into_iter().all(|text| ratio(text).is_err()));
    }
}
