use proptest::prelude::*;
use tidegate_traffic::NormalPath;
use tidegate_traffic::path::{Ambiguity, PathRefusal};

#[track_caller]
fn check(raw: &str, want: Result<&str, (Ambiguity, usize)>) {
    let normal = NormalPath::new(raw);
    let normal = normal.as_ref().map(|path| path.as_str()).map_err(|refusal| (refusal.what, refusal.at));
    assert_eq!(normal, want, "{raw}");
}

#[test]
fn a_path_has_one_form() {
    for (raw, want) in [
        ("/", "/"),
        ("/a/b", "/a/b"),
        ("/a/b/", "/a/b/"),
        ("//", "/"),
        ("//a///b", "/a/b"),
        ("/a/./b", "/a/b"),
        ("/a/.", "/a/"),
        ("/a/b/../c", "/a/c"),
        ("/a/b/..", "/a/"),
        ("/a/..", "/"),
        ("/..", "/"),
        ("/../../a", "/a"),
        ("/a//../b", "/b"),
        ("/a/.b/..c/...", "/a/.b/..c/..."),
        ("/%61%2D%7e", "/a-~"),
        ("/a/%2e%2E/b", "/b"),
        ("/a/%2e/b", "/a/b"),
        ("/a%3ab%c3%a9", "/a%3Ab%C3%A9"),
        ("/\u{e9}", "/%C3%A9"),
        ("/a\"b|c", "/a%22b%7Cc"),
        ("/%252e%252e/a", "/%252e%252e/a"),
        ("/a;v=1/b", "/a;v=1/b"),
        ("/a;/..", "/"),
        ("/...;x", "/...;x"),
    ] {
        check(raw, Ok(want));
    }
}

#[test]
fn what_could_be_read_in_two_ways_is_refused_with_its_place() {
    for (raw, what, at) in [
        ("/a%2Fb", Ambiguity::EscapedSlash, 2),
        ("/a%2f..", Ambiguity::EscapedSlash, 2),
        ("/a\\b", Ambiguity::Backslash, 2),
        ("/a%5cb", Ambiguity::Backslash, 2),
        ("/a%00", Ambiguity::EscapedNul, 2),
        ("/a%", Ambiguity::BadEscape, 2),
        ("/a%4", Ambiguity::BadEscape, 2),
        ("/a%zz", Ambiguity::BadEscape, 2),
        ("/a%+1", Ambiguity::BadEscape, 2),
        ("/a/..;/b", Ambiguity::DotSegmentWithParameter, 3),
        ("/a/.;x", Ambiguity::DotSegmentWithParameter, 3),
        ("/a/%2e.;x", Ambiguity::DotSegmentWithParameter, 3),
        ("/a/..%3Bx", Ambiguity::DotSegmentWithParameter, 3),
        ("a", Ambiguity::NoSlash, 0),
        ("*", Ambiguity::NoSlash, 0),
        ("", Ambiguity::NoSlash, 0),
    ] {
        check(raw, Err((what, at)));
    }
    let refusal = PathRefusal { what: Ambiguity::EscapedSlash, at: 2 };
    assert_eq!(refusal.to_string(), "path: an escaped slash (`%2F`) at byte 2");
}

/// What another program may see in the path: RFC 3986's own algorithm on decoded text.
fn decoded_segments(path: &str) -> Vec<String> {
    let mut segments: Vec<String> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            segment => segments.push(segment.to_owned()),
        }
    }
    segments
}

proptest! {
    #[test]
    fn the_form_of_a_normal_path_is_itself(raw in "/([a-z.;/%~ é]|%2[eEfF5]|%3[bB]|%4[1-9]|\\.\\.?/){0,24}") {
        if let Ok(normal) = NormalPath::new(&raw) {
            let once = normal.as_str().to_owned();
            let twice = NormalPath::new(&once).map(|path| path.into_inner().into_owned());
            prop_assert_eq!(twice, Ok(once.clone()));
            prop_assert!(!once.contains("//") && once.starts_with('/'), "{}", once);
            prop_assert!(once.split('/').all(|segment| segment != "." && segment != ".."), "{}", once);
            prop_assert!(once.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\'), "{}", once);
        }
    }

    #[test]
    fn a_path_without_escapes_says_what_rfc_3986_makes_of_it(raw in "/([ab]|/|\\.){0,16}") {
        let normal = NormalPath::new(&raw).expect("nothing to refuse");
        prop_assert_eq!(decoded_segments(&normal), decoded_segments(&raw));
    }
}
