//! `${NAME}` and `${NAME:-default}` in values.
//!
//! Values are replaced after the file is parsed, so whatever a variable holds stays one value: it can
//! neither add keys nor break the file, and places stay those of the file. `$${` is a literal `${`.
//! A variable that is set to nothing counts as not set, as it does in a shell's `:-`.

use crate::diagnostics::{Diagnostic, Source, Span};
use crate::yaml::{Kind, Node};
use std::sync::Arc;

/// Gives the value of an environment variable.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Replaces the variables in every value below `node`; keys stay as they are.
/// Problems: variables that are not set and have no default, and references that are not well-formed.
pub(crate) fn interpolate(
    node: &mut Node,
    environment: Environment<'_>,
    source: &Arc<Source>,
    problems: &mut Vec<Diagnostic>,
) {
    match &mut node.kind {
        Kind::Null | Kind::Unknown => {}
        Kind::Scalar(text) => {
            if text.contains("${") {
                match expand(text, environment) {
                    Ok(value) => *text = value,
                    Err(errors) => {
                        problems.extend(errors.into_iter().map(|error| error.diagnostic(source, node.span)));
                        node.kind = Kind::Unknown;
                    }
                }
            }
        }
        Kind::List(items) => {
            for item in items {
                interpolate(item, environment, source, problems);
            }
        }
        Kind::Map(entries) => {
            for entry in entries {
                interpolate(&mut entry.value, environment, source, problems);
            }
        }
    }
}

/// What is wrong with a reference.
#[derive(Debug, PartialEq, Eq)]
struct Bad {
    /// The reference, as written.
    reference: String,
    message: String,
    help: Option<String>,
}

impl Bad {
    /// Points at the reference itself where the value stands as written on one line.
    fn diagnostic(self, source: &Arc<Source>, value: Span) -> Diagnostic {
        let skip = (value.column as usize).saturating_sub(1);
        let span = source.line(value.line).and_then(|line| {
            let start = line.char_indices().nth(skip)?.0;
            let at = line[start..].find(&self.reference)?;
            let before = u32::try_from(line[start..start + at].chars().count()).ok()?;
            let width = u32::try_from(self.reference.chars().count()).ok()?;
            Some(Span { line: value.line, column: value.column + before, width })
        });
        let diagnostic = Diagnostic::error(self.message).at(source, span.unwrap_or(value));
        match self.help {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        }
    }
}

fn expand(text: &str, environment: Environment<'_>) -> Result<String, Vec<Bad>> {
    let mut value = String::with_capacity(text.len());
    let mut bad = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, reference) = rest.split_at(at);
        if let Some(literal) = before.strip_suffix('$') {
            value.push_str(literal);
            value.push_str("${");
            rest = &reference[2..];
            continue;
        }
        value.push_str(before);
        let Some(end) = reference.find('}') else {
            bad.push(Bad {
                reference: "${".to_owned(),
                message: "`${` without `}`".to_owned(),
                help: Some("a literal `${` is written `$${`".to_owned()),
            });
            break;
        };
        let (reference, behind) = reference.split_at(end + 1);
        rest = behind;
        match lookup(reference, environment) {
            Ok(found) => value.push_str(&found),
            Err(error) => bad.push(error),
        }
    }
    value.push_str(rest);
    if bad.is_empty() { Ok(value) } else { Err(bad) }
}

/// `reference` is `${…}`.
fn lookup(reference: &str, environment: Environment<'_>) -> Result<String, Bad> {
    let inner = &reference[2..reference.len() - 1];
    let (name, default) = match inner.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inner, None),
    };
    let well_formed = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !well_formed {
        return Err(Bad {
            reference: reference.to_owned(),
            message: format!("`{reference}` is no reference to a variable"),
            help: Some("write `${NAME}` or `${NAME:-default}`; a literal `${` is written `$${`".to_owned()),
        });
    }
    environment(name).filter(|value| !value.is_empty()).or_else(|| default.map(str::to_owned)).ok_or_else(|| Bad {
        reference: reference.to_owned(),
        message: format!("the environment variable `{name}` is not set"),
        help: Some(format!("set it, or give a default: `${{{name}:-…}}`")),
    })
}
