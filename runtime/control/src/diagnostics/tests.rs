use super::*;

fn source(text: &str) -> Arc<Source> {
    Arc::new(Source::new("a.yaml", text))
}

const fn span(line: u32, column: u32, width: u32) -> Span {
    Span { line, column, width }
}

#[track_caller]
fn check(diagnostic: &Diagnostic, expected: &str) {
    let text = diagnostic.to_string();
    assert!(text == expected, "it is\n{text}\nand should be\n{expected}");
}

#[test]
fn the_caret_stands_below_its_word_behind_wide_letters_and_tabs() {
    let source = source("\té: upstrem # x\n");
    check(
        &Diagnostic::error("no").at(&source, span(1, 5, 0)).label("here"),
        "error: no\n --> a.yaml:1:5\n  |\n1 | \té: upstrem # x\n  | \t   ^^^^^^^ here\n",
    );
}

#[test]
fn two_places_share_the_width_of_the_larger_line_number() {
    let source = source(&"a: b\n".repeat(100));
    check(
        &Diagnostic::warning("odd")
            .at(&source, span(100, 1, 1))
            .related(&source, span(9, 4, 0), "first here")
            .help("remove one"),
        "warning: odd\n   --> a.yaml:100:1\n    |\n100 | a: b\n    | ^\n   ::: a.yaml:9:4\n    |\n  9 | a: b\n    |    - first here\n    = help: remove one\n",
    );
}

#[test]
fn lines_are_counted_as_yaml_counts_them() {
    let source = source("a\rb: 1\r\n\rc: 2\n");
    check(&Diagnostic::error("no").at(&source, span(4, 4, 1)), "error: no\n --> a.yaml:4:4\n  |\n4 | c: 2\n  |    ^\n");
    assert_eq!(source.find_word("b"), Some(span(2, 1, 1)));
}

#[test]
fn a_place_outside_the_text_is_told_without_a_line() {
    check(
        &Diagnostic::error("no").at(&source(""), span(3, 7, 1)).label("here").help("mend it"),
        "error: no\n --> a.yaml:3:7\n  = here\n  = help: mend it\n",
    );
    check(&Diagnostic::error("no").in_file(&source("")), "error: no\n --> a.yaml\n");
    check(&Diagnostic::error("no").help("mend it"), "error: no\n  = help: mend it\n");
}

#[test]
fn what_moves_the_cursor_of_a_terminal_does_not_reach_it() {
    let source = source("a: \u{1b}[2J\u{202e}b\u{7}\n");
    check(
        &Diagnostic::error("no\n\u{1b}[0m").at(&source, span(1, 1, 0)),
        "error: no \u{fffd}[0m\n --> a.yaml:1:1\n  |\n1 | a: \u{fffd}[2J\u{fffd}b\u{fffd}\n  | ^\n",
    );
}

#[test]
fn a_long_line_is_cut_around_the_caret() {
    let source = source(&format!("{} word {}", "a".repeat(300), "b".repeat(300)));
    let before = "a".repeat(59);
    let behind = "b".repeat(95);
    check(
        &Diagnostic::error("no").at(&source, span(1, 302, 0)),
        &format!("error: no\n --> a.yaml:1:302\n  |\n1 | …{before} word {behind}…\n  | {}^^^^\n", " ".repeat(61)),
    );
}

#[test]
fn a_report_is_in_the_order_of_files_and_places() {
    let (a, b) = (source("x\ny\n"), Arc::new(Source::new("b.proto", "")));
    let report = Report::new(vec![
        Diagnostic::error("four").in_file(&b),
        Diagnostic::error("three").at(&a, span(2, 1, 1)),
        Diagnostic::warning("two").at(&a, span(1, 1, 1)),
        Diagnostic::error("one"),
    ]);
    let messages: Vec<_> = report.diagnostics.iter().map(|d| d.message.as_str()).collect();
    assert_eq!((messages, report.errors()), (vec!["one", "two", "three", "four"], 3));
}

#[test]
fn suggestions_are_near_and_the_first_of_equals() {
    let known = ["upstream", "upstreams", "routes", "host", "unknown_query"];
    let of = |word: &str| nearest(word, known);
    assert_eq!(
        [of("upstrem"), of("Upstreams"), of("unknown-query"), of("hots"), of("h"), of("colour")],
        [Some("upstream"), Some("upstreams"), Some("unknown_query"), Some("host"), None, None]
    );
}
