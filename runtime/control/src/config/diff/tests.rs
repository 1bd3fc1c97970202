use super::documents;
use tidegate_source::{Document, Revision};

fn diff(before: &str, after: &str) -> Vec<String> {
    let document = |text: &str| Document::whole(Revision::new(""), "a.yaml", text);
    let changes = documents(Some(&document(before)), &document(after)).expect("YAML");
    changes.iter().map(ToString::to_string).collect()
}

#[test]
fn items_of_lists_go_by_their_names_so_that_one_more_is_one_change() {
    let before = "routes:\n- { service: a.A, upstream: x }\n- { service: b.B, upstream: x, timeout: 1s }\n";
    let after =
        "routes:\n- { service: c.C, upstream: y }\n- { service: b.B, upstream: x }\n- { upstream: x, service: a.A }";
    let expected =
        ["- routes[b.B].timeout: 1s", "+ routes[c.C].service: c.C", "+ routes[c.C].upstream: y"].map(String::from);
    assert_eq!(diff(before, after), expected);
}

#[test]
fn how_a_value_is_written_makes_no_difference_where_it_means_the_same() {
    assert_eq!(diff("a: [1, 'x']\nb: { c: ~ }", "# more\nb:\n  c:\na:\n- 1\n- \"x\"\n"), Vec::<String>::new());
}

#[test]
fn secrets_are_compared_and_not_shown() {
    let before = "admin: { token: old }\nstores: { r: { url: redis://u:p@h/1 } }";
    let after = "admin: { token: '${TOKEN}' }\nstores: { r: { url: redis://u:q@h/1 } }";
    let expected =
        ["~ admin.token: (secret) -> ${TOKEN}", "~ stores.r.url: redis://***@h/1 -> redis://***@h/1"].map(String::from);
    assert_eq!(diff(before, after), expected);
}

#[test]
fn items_of_one_name_are_told_apart_by_their_order() {
    let expected = ["+ routes[/a#2].path: /a", "+ routes[/a#2].upstream: y"].map(String::from);
    assert_eq!(
        diff("routes: [{ path: /a, upstream: x }]", "routes: [{ path: /a, upstream: x }, { path: /a, upstream: y }]"),
        expected
    );
}
