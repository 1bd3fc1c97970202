//! The text of a diagnostic: message, place, the line with a caret below, help.

use super::{Diagnostic, Severity, Site, Span};
use std::fmt;

/// Lines longer than this are cut around the caret.
const MAX_LINE: usize = 160;
/// How much of a cut line stands before the caret.
const LEAD: usize = 60;

pub(super) fn diagnostic(diagnostic: &Diagnostic, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let severity = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    writeln!(f, "{severity}: {}", printable(&diagnostic.message))?;
    let gutter = gutter_width(diagnostic);
    if let Some(site) = &diagnostic.site {
        snippet(f, "-->", site, gutter, '^', diagnostic.label.as_deref())?;
    } else if let Some(label) = &diagnostic.label {
        writeln!(f, "  = {}", printable(label))?;
    }
    if let Some((site, label)) = &diagnostic.related {
        snippet(f, ":::", site, gutter, '-', Some(label))?;
    }
    if let Some(help) = &diagnostic.help {
        writeln!(f, "{:gutter$} = help: {}", "", printable(help))?;
    }
    Ok(())
}

/// Wide enough for the largest line number shown.
fn gutter_width(diagnostic: &Diagnostic) -> usize {
    let sites = diagnostic.site.iter().chain(diagnostic.related.iter().map(|(site, _)| site));
    let lines = sites.filter_map(|site| Some(site.source.locate(site.span?.line).1));
    lines.map(|line| line.to_string().len()).max().unwrap_or(1)
}

fn snippet(
    f: &mut fmt::Formatter<'_>,
    arrow: &str,
    site: &Site,
    gutter: usize,
    mark: char,
    label: Option<&str>,
) -> fmt::Result {
    let Some(span) = site.span else {
        writeln!(f, "{:gutter$}{arrow} {}", "", printable(&site.source.name))?;
        return label.map_or(Ok(()), |label| writeln!(f, "{:gutter$} = {}", "", printable(label)));
    };
    let (name, number) = site.source.locate(span.line);
    writeln!(f, "{:gutter$}{arrow} {}:{number}:{}", "", printable(name), span.column)?;
    let Some(line) = site.source.line(span.line) else {
        return label.map_or(Ok(()), |label| writeln!(f, "{:gutter$} = {}", "", printable(label)));
    };
    let (text, before, width) = cut(line, span);
    let label = label.map(|label| format!(" {}", printable(label))).unwrap_or_default();
    writeln!(f, "{:gutter$} |", "")?;
    writeln!(f, "{number:>gutter$} | {text}")?;
    writeln!(f, "{:gutter$} | {before}{}{label}", "", mark.to_string().repeat(width))
}

/// The line as shown, the white space in front of the caret, and the width of the caret.
fn cut(line: &str, span: Span) -> (String, String, usize) {
    let chars: Vec<char> = line.trim_end().chars().map(|c| if is_hidden(c) { '\u{fffd}' } else { c }).collect();
    let start = (span.column.max(1) as usize - 1).min(chars.len());
    let rest = &chars[start..];
    let width = if span.width > 0 { span.width as usize } else { word(rest) };
    let width = width.clamp(1, rest.len().max(1));
    if chars.len() <= MAX_LINE {
        return (chars.iter().collect(), chars[..start].iter().map(blank).collect(), width);
    }
    let from = start.saturating_sub(LEAD);
    let to = (from + MAX_LINE).min(chars.len());
    let mut text: String = chars[from..to].iter().collect();
    let mut before: String = chars[from..start].iter().map(blank).collect();
    if from > 0 {
        text.insert(0, '…');
        before.insert(0, ' ');
    }
    if to < chars.len() {
        text.push('…');
    }
    (text, before, width.min(to - start).max(1))
}

/// How many characters the YAML word at the start of `rest` has.
fn word(rest: &[char]) -> usize {
    match rest.first() {
        Some(&quote @ ('"' | '\'')) => rest.iter().skip(1).position(|c| *c == quote).map_or(rest.len(), |end| end + 2),
        Some(_) => rest
            .iter()
            .enumerate()
            .position(|(index, c)| {
                c.is_whitespace()
                    || matches!(c, ',' | ']' | '}')
                    || *c == ':' && rest.get(index + 1).is_none_or(|next| next.is_whitespace())
            })
            .unwrap_or(rest.len()),
        None => 1,
    }
}

/// A tab stays a tab, so that the caret stands below its character.
fn blank(c: &char) -> char {
    if *c == '\t' { '\t' } else { ' ' }
}

/// Characters that would move the cursor of a terminal or hide what follows.
fn is_hidden(c: char) -> bool {
    c != '\t'
        && (c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}'))
}

/// Text for one line of a terminal: what would move the cursor is replaced.
pub(super) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c == '\t' || c == '\n' {
                ' '
            } else if is_hidden(c) {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}
