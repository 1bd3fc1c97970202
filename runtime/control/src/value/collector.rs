//! What a collector of telemetry is told by.

use super::Wrong;
use http::Uri;

/// `http://127.0.0.1:4317`, or `https://…` for TLS.
pub(crate) fn collector(text: &str) -> Result<String, Wrong> {
    let wrong = |hint: &str| Wrong::new("the URL of a collector", hint);
    let uri: Uri = text.parse().map_err(|_| wrong("for example `http://127.0.0.1:4317`"))?;
    match uri.scheme_str() {
        Some("http" | "https") => {}
        _ => return Err(wrong("it begins with `http://` or `https://`")),
    }
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    if authority.contains('@') {
        return Err(wrong("leave the user away: what authenticates belongs into `headers`"));
    }
    if uri.query().is_some() {
        return Err(wrong("it has no query"));
    }
    Ok(text.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::collector;

    #[test]
    fn a_collector_is_a_url() {
        for (text, want) in [
            ("http://127.0.0.1:4317", "http://127.0.0.1:4317"),
            ("http://collector:4318/base/", "http://collector:4318/base"),
            ("https://collector:4317", "https://collector:4317"),
        ] {
            assert_eq!(collector(text), Ok(want.to_owned()), "{text}");
        }
        for (text, hint) in [
            ("127.0.0.1:4317", "it begins with `http://` or `https://`"),
            ("http://a b", "for example `http://127.0.0.1:4317`"),
            ("collector", "it begins with `http://` or `https://`"),
            ("/v1", "it begins with `http://` or `https://`"),
            ("http://me:secret@c:4317", "leave the user away: what authenticates belongs into `headers`"),
            ("http://c:4317/?a=b", "it has no query"),
        ] {
            assert_eq!(collector(text).map_err(|wrong| wrong.hint), Err(hint.to_owned()), "{text}");
        }
    }
}
