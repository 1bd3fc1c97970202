use super::*;

fn parsed(text: &str) -> Node {
    parse(&Arc::new(Source::new("a.yaml", text))).expect("well-formed")
}

/// `line:column+width text`, one per scalar, keys with a colon behind.
fn scalars(node: &Node, out: &mut Vec<String>) {
    let place = |span: Span| format!("{}:{}+{}", span.line, span.column, span.width);
    match &node.kind {
        Kind::Null | Kind::Unknown => out.push(format!("{} (null)", place(node.span))),
        Kind::Scalar(text) => out.push(format!("{} {text:?}", place(node.span))),
        Kind::List(items) => items.iter().for_each(|item| scalars(item, out)),
        Kind::Map(entries) => {
            for entry in entries {
                out.push(format!("{} {:?}:", place(entry.key_span), entry.key));
                scalars(&entry.value, out);
            }
        }
    }
}

#[test]
fn scalars_are_kept_as_written_with_their_places() {
    let text = "a: [1.10, off, 010, 0x1F, .nan, 99999999999999999999999]\n\
                é: {\"k q\": 'it''s', n: ~, e: }\n\
                \"\": \"\\u0041\"\n\
                b: |\n  two\n  lines\n";
    let mut seen = Vec::new();
    scalars(&parsed(text), &mut seen);
    assert_eq!(
        seen,
        [
            "1:1+1 \"a\":",
            "1:5+4 \"1.10\"",
            "1:11+3 \"off\"",
            "1:16+3 \"010\"",
            "1:21+4 \"0x1F\"",
            "1:27+4 \".nan\"",
            "1:33+23 \"99999999999999999999999\"",
            "2:1+1 \"é\":",
            "2:5+5 \"k q\":",
            "2:12+7 \"it's\"",
            "2:21+1 \"n\":",
            "2:24+1 (null)",
            "2:27+1 \"e\":",
            "2:28+0 (null)",
            "3:1+2 \"\":",
            "3:5+8 \"A\"",
            "4:1+1 \"b\":",
            "5:3+3 \"two\\nlines\\n\"",
        ]
    );
}

#[test]
fn values_behind_aliases_have_the_place_of_their_text() {
    let mut seen = Vec::new();
    scalars(&parsed("a: &a { x: 1, y: 2 }\nb: *a\nc: { <<: *a, y: 3 }\n"), &mut seen);
    assert_eq!(
        seen,
        [
            "1:1+1 \"a\":",
            "1:9+1 \"x\":",
            "1:12+1 \"1\"",
            "1:15+1 \"y\":",
            "1:18+1 \"2\"",
            "2:1+1 \"b\":",
            "1:9+1 \"x\":",
            "1:12+1 \"1\"",
            "1:15+1 \"y\":",
            "1:18+1 \"2\"",
            "3:1+1 \"c\":",
            "3:14+1 \"y\":",
            "3:17+1 \"3\"",
            "1:9+1 \"x\":",
            "1:12+1 \"1\"",
        ]
    );
}
