use super::{Segment, Template, decode, is_encoded};

fn captures(template: &str, path: &'static str) -> Option<Vec<&'static str>> {
    Template::read("GET", template).captures(path)
}

#[test]
fn templates_are_read_as_written() {
    let template = Template::read("GET", "/a%2Fb/{m.s=x/**}:do");
    let literal = |text: &str| Segment::Literal(text.as_bytes().to_vec());
    assert_eq!(template.segments, [literal("a/b"), literal("x"), Segment::Rest]);
    assert_eq!(template.verb.as_deref(), Some(&b"do"[..]));
    let variable = &template.variables[0];
    assert_eq!((variable.name.as_str(), variable.first, variable.count, variable.multi), ("m.s", 1, 2, true));
    assert_eq!(Template::read("GET", "/{s=a:b}").verb, None);
    assert_eq!(Template::read("GET", "/a:b:c").verb.as_deref(), Some(&b"c"[..]));
}

#[test]
fn paths_match_as_described() {
    assert_eq!(captures("/v/{s}", "/v/a%2Fb"), Some(vec!["a%2Fb"]));
    assert_eq!(captures("/v/{s}", "/v/"), None);
    assert_eq!(captures("/v/{s}", "/v/a/"), None);
    assert_eq!(captures("/{s=**}", "/"), Some(vec![""]));
    assert_eq!(captures("/{s=**}", "//"), None);
    assert_eq!(captures("/{s=a/**}", "/a"), Some(vec!["a"]));
    assert_eq!(captures("/{s=a/**}", "/a/"), Some(vec!["a/"]));
    assert_eq!(captures("/{s=a/**}", "/b"), None);
    assert_eq!(captures("/{s}/{os=*}:go", "/x/y:z:go"), Some(vec!["x", "y:z"]));
    assert_eq!(captures("/{s}:go", "/x:stay"), None);
    assert_eq!(captures("/*/b", "/a/b"), Some(vec![]));
}

#[test]
fn escapes_are_decoded_once() {
    assert_eq!(decode(b"a%2fb%2541", false), b"a/b%41");
    assert_eq!(decode(b"a%2fb%41", true), b"a%2fbA");
    assert!(is_encoded(b"%41%zz".split_at(3).0) && !is_encoded(b"%4") && !is_encoded(b"%zz"));
}
