//! Config files.

use std::path::Path;
use tidegate_control::{Report, Severity, Source, parse};

/// Bytes of complaints for one byte of config, at most: every byte can be a value that is wrong, and each complaint
/// shows up to two lines.
const COMPLAINTS: usize = 2048;

/// A config file. Files that it names are looked for, below a folder that is not there, and not opened.
///
/// It is good, or each error says something, once, about a place that there is. Twice the same file is twice the same
/// answer. What is printed has no control characters but white space.
pub fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let environment = |name: &str| (name == "SET").then(|| "127.0.0.1:1\n- x: {".to_owned());
    let read = || {
        let source = Source::new("tidegate.yaml", text);
        parse(source, Path::new("/nowhere"), &environment)
    };
    match (read(), read()) {
        (Ok(one), Ok(two)) => {
            check(text, &one.warnings, Severity::Warning);
            assert_eq!(one.warnings, two.warnings);
            let names: Vec<&str> = one.config.upstreams.iter().map(|upstream| upstream.name.as_ref()).collect();
            for (at, name) in names.iter().enumerate() {
                assert!(!names[..at].contains(name), "two upstreams {name}");
            }
            for route in &one.config.routes {
                assert!(names.contains(&route.upstream.as_ref()), "no upstream {}", route.upstream);
            }
            assert!(!one.config.listeners.is_empty());
        }
        (Err(one), Err(two)) => {
            assert!(!one.diagnostics.is_empty());
            check(text, &one, Severity::Error);
            assert_eq!(one, two);
        }
        _ => panic!("good once, and bad once"),
    }
}

fn check(text: &str, report: &Report, severity: Severity) {
    for diagnostic in &report.diagnostics {
        assert!(!diagnostic.message.is_empty());
        assert_eq!(diagnostic.severity, severity, "{}", diagnostic.message);
        let sites = diagnostic.site.iter().chain(diagnostic.related.iter().map(|(site, _)| site));
        for span in sites.filter_map(|site| site.span) {
            // Each break of YAML's ends a line; the end of the file stands behind the last one.
            let lines = text.split(['\n', '\r']).count();
            assert!(span.line >= 1 && span.line as usize <= lines, "{}: {span:?}", diagnostic.message);
            assert!(span.column >= 1 && span.column as usize <= text.len() + 2, "{}: {span:?}", diagnostic.message);
        }
    }
    let printed = report.to_string();
    assert!(printed.len() <= 4096 + COMPLAINTS * text.len(), "{} bytes for {}", printed.len(), text.len());
    assert!(!printed.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')), "{printed:?}");
}
