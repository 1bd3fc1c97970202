//! Files that are no config at all.
use crate::{LISTENERS, ROUTES, UPSTREAMS, lines, rejects, report_in, same};

#[test]
fn an_empty_file_is_told_what_it_needs() {
    rejects(
        "# nothing\n",
        r#"
error: the config file is empty
 --> tidegate.yaml
  = help: it needs at least `listeners`, `upstreams` and `routes`
"#,
    );
}

#[test]
fn a_file_that_is_no_mapping_is_told_so() {
    rejects(
        "- a\n- b\n",
        r#"
error: the config file must be a mapping
 --> tidegate.yaml:1:1
  |
1 | - a
  | ^ found a list
"#,
    );
}

#[test]
fn a_syntax_error_has_its_place() {
    rejects(
        "listeners:\n  - bind: a: b\n",
        r#"
error: not valid YAML: mapping values are not allowed in this context
 --> tidegate.yaml:2:12
  |
2 |   - bind: a: b
  |            ^
"#,
    );
}

#[test]
fn a_tab_is_told_to_be_spaces() {
    rejects(
        "listeners:\n\t- bind: 0.0.0.0:8080\n",
        r#"
error: not valid YAML: tabs disallowed within this context (block indentation)
 --> tidegate.yaml:2:2
  |
2 | 	- bind: 0.0.0.0:8080
  | 	^
  = help: indent with spaces, not with tabs
"#,
    );
}

#[test]
fn a_wildcard_host_without_quotes_is_told_to_be_quoted() {
    rejects(
        &lines(&[LISTENERS, UPSTREAMS, "routes:", "  - service: a.B", "    host: *.example.com"]),
        r#"
error: not valid YAML: reference to unknown value
 --> tidegate.yaml:5:11
  |
5 |     host: *.example.com
  |           ^^^^^^^^^^^^^
  = help: `*` begins a YAML alias; quote the value: "*.example.com"
"#,
    );
}

#[test]
fn a_variable_in_brackets_without_quotes_is_told_to_be_quoted() {
    rejects(
        "upstreams: { shop: { endpoints: [${HOST}:50051] } }\n",
        r#"
error: not valid YAML: while parsing a flow mapping, did not find expected ',' or '}'
 --> tidegate.yaml:1:35
  |
1 | upstreams: { shop: { endpoints: [${HOST}:50051] } }
  |                                   ^^^^^
  = help: inside [ ] or { } quote a value with `${…}`: ["${HOST}:50051"]
"#,
    );
}

#[test]
fn all_duplicate_keys_are_reported_with_both_places() {
    rejects(
        &lines(&[LISTENERS, "workers: 1", UPSTREAMS, "workers: 2", ROUTES, "\"workers\": 3", ROUTES]),
        r#"
error: `workers` is given twice
 --> tidegate.yaml:4:1
  |
4 | workers: 2
  | ^^^^^^^ again here
 ::: tidegate.yaml:2:1
  |
2 | workers: 1
  | ------- first here

error: `workers` is given twice
 --> tidegate.yaml:6:1
  |
6 | "workers": 3
  | ^^^^^^^^^ again here
 ::: tidegate.yaml:4:1
  |
4 | workers: 2
  | ------- first here

error: `routes` is given twice
 --> tidegate.yaml:7:1
  |
7 | routes: [{ service: shop.v1.Orders, upstream: shop }]
  | ^^^^^^ again here
 ::: tidegate.yaml:5:1
  |
5 | routes: [{ service: shop.v1.Orders, upstream: shop }]
  | ------ first here
"#,
    );
}

#[test]
fn a_second_document_is_refused() {
    rejects(
        "workers: 1\n---\nworkers: 2\n",
        r#"
error: not valid YAML: only single YAML document expected but multiple found
 --> tidegate.yaml:3:1
  |
3 | workers: 2
  | ^^^^^^^
"#,
    );
}

#[test]
fn a_key_must_be_a_word() {
    rejects(
        "? [a, b]\n: 1\n",
        r#"
error: a key must be a word
 --> tidegate.yaml:1:3
  |
1 | ? [a, b]
  |   ^
"#,
    );
}

#[test]
fn an_unknown_tag_is_refused() {
    rejects(
        "workers: !secret 1\n",
        r#"
error: not valid YAML: unsupported tag `!secret`
 --> tidegate.yaml:1:18
  |
1 | workers: !secret 1
  |                  ^
"#,
    );
}

#[test]
fn nesting_is_bounded() {
    same(
        &first_line(&"[".repeat(100_000)),
        r#"
error: not valid YAML: recursion limit exceeded
"#,
    );
}

#[test]
fn aliases_that_multiply_are_bounded() {
    let mut text = "a: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (name, before) in ('b'..='z').zip('a'..) {
        text.push_str(&format!("{name}: &{name} [{}]\n", vec![format!("*{before}"); 10].join(", ")));
    }
    same(
        &first_line(&text),
        r#"
error: the config is too large or too complex
"#,
    );
}

#[test]
fn a_file_of_megabytes_is_refused_before_it_is_parsed() {
    rejects(
        &"#".repeat(5 << 20),
        r#"
error: the file has 5242880 bytes; 4194304 is the most
 --> tidegate.yaml
"#,
    );
}

fn first_line(text: &str) -> String {
    report_in(std::path::Path::new("folder"), text, &[]).split_inclusive('\n').take(1).collect()
}

/// Deletes, repeats and replaces pieces of a config; whatever comes out is taken or refused with places
/// inside the file.
#[test]
fn broken_configs_are_refused_and_break_nothing() {
    let text = lines(crate::good::EVERYTHING);
    let folder = crate::folder(&[]);
    let pieces = ["", "\n", "${", "}", "*", "&a ", "[", "{", ": ", "- ", "\"", "é", "\u{0}", "\t", "<<: *a", "!x "];
    let starts: Vec<usize> = text.char_indices().map(|(at, _)| at).step_by(7).collect();
    for (index, start) in starts.iter().enumerate() {
        let end = starts.get(index + index % 3).copied().unwrap_or(text.len());
        let mutant = format!("{}{}{}", &text[..*start], pieces[index % pieces.len()], &text[end..]);
        if let Err(report) = crate::parse_in(folder.path(), &mutant, &[]) {
            let lines = u32::try_from(mutant.lines().count()).expect("a small file");
            let spans = report.diagnostics.iter().filter_map(|d| d.site.as_ref()?.span);
            let outside: Vec<_> = spans.filter(|span| span.line == 0 || span.line > lines + 1).collect();
            assert_eq!((outside, report.to_string().is_empty()), (Vec::new(), false), "{mutant}");
        }
    }
}
