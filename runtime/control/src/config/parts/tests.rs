use super::parse;
use crate::yaml::{Kind, Node};
use tidegate_source::{Document, Part, Revision};

fn document(parts: &[(&str, &str)]) -> Document {
    let parts = parts.iter().map(|(name, text)| Part { name: (*name).into(), text: (*text).into() }).collect();
    Document { revision: Revision::new("1"), parts }
}

/// The tree as one line, to compare it whole.
fn shown(node: &Node) -> String {
    match &node.kind {
        Kind::Null => "~".into(),
        Kind::Unknown => "?".into(),
        Kind::Scalar(text) => text.clone(),
        Kind::List(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(", ")),
        Kind::Map(entries) => {
            let entries = entries.iter().map(|entry| format!("{}: {}", entry.key, shown(&entry.value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
    }
}

fn refused(parts: &[(&str, &str)]) -> String {
    parse(&document(parts)).expect_err("it is wrong").to_string()
}

#[test]
fn lists_follow_one_another_and_mappings_stand_side_by_side() {
    let parts = [
        ("a", "routes: [1]\nupstreams: { x: 1 }\nworkers: 2\n"),
        ("b", "# nothing\n"),
        ("c", "{routes: [2], upstreams: {y: 2}}"),
    ];
    let (node, source) = parse(&document(&parts)).expect("right");
    assert_eq!(shown(&node), "{routes: [1, 2], upstreams: {x: 1, y: 2}, workers: 2}");
    assert_eq!([1, 3, 4, 5].map(|line| source.locate(line)), [("a", 1), ("a", 3), ("b", 1), ("c", 1)]);
}

#[test]
fn what_two_parts_contradict_each_other_in_is_told_with_both_places() {
    let expected = "error: `x` is given twice\n --> b:2:3\n  |\n2 |   x: 2\n  |   ^ again here\n ::: a:1:14\n  |\n\
                    1 | upstreams: { x: 1 }\n  |              - first here\n";
    assert_eq!(refused(&[("a", "upstreams: { x: 1 }"), ("b", "upstreams:\n  x: 2\n")]), expected);
    let twice = refused(&[("a", "workers: 1"), ("b", "workers: 2")]);
    assert!(twice.starts_with("error: `workers` is given twice\n --> b:1:1\n"), "{twice}");
}

#[test]
fn syntax_errors_of_all_parts_are_told_with_their_own_lines() {
    let report = refused(&[("a", "x: [\n"), ("b", "y: 1"), ("c", "\n- 1\n- [\n")]);
    assert!(report.contains("--> a:") && report.contains("--> c:") && !report.contains("--> b:"), "{report}");
    assert_eq!(refused(&[("a", "x: 1"), ("b", "- 1")]).lines().nth(1), Some(" --> b:1:1"));
}
