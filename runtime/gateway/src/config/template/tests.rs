use super::{BadTemplate, Facts, Template};
use http::HeaderValue;

fn value(text: &str, canary: Option<&str>) -> Option<String> {
    let (peer, request_id) = (HeaderValue::from_static("192.0.2.1"), HeaderValue::from_static("id-1"));
    let facts = Facts { canary, peer: &peer, request_id: &request_id, upstream: "shop" };
    let value = Template::parse(text).expect("a template").value(&facts)?;
    Some(value.to_str().expect("text").to_owned())
}

#[test]
fn placeholders_stand_for_the_request() {
    let cases = [
        ("plain", "plain"),
        ("", ""),
        ("100%%", "100%"),
        ("%PEER%", "192.0.2.1"),
        ("%REQUEST_ID%/%UPSTREAM%", "id-1/shop"),
        ("a%%b %CANARY%%% c", "a%b next% c"),
    ];
    for (text, want) in cases {
        assert_eq!(value(text, Some("next")).as_deref(), Some(want), "{text}");
    }
    assert_eq!((value("%PEER% %CANARY%", None), value("%PEER%", None).as_deref()), (None, Some("192.0.2.1")));
}

#[test]
fn what_is_no_template_is_refused() {
    let cases = [
        ("%", BadTemplate::Percent),
        ("50% of", BadTemplate::Percent),
        ("%peer%", BadTemplate::Unknown("peer".into())),
        ("%PEER%\r\nx: 1", BadTemplate::Character),
        ("a\u{0}%PEER%", BadTemplate::Character),
    ];
    for (text, want) in cases {
        assert_eq!(Template::parse(text), Err(want), "{text:?}");
    }
    let message = BadTemplate::Unknown("X".into()).to_string();
    assert_eq!(message, "there is no `%X%`, but `%CANARY%`, `%PEER%`, `%REQUEST_ID%`, `%UPSTREAM%`");
}
