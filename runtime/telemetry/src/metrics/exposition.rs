//! From what the collectors write (OpenMetrics text without exemplars) to the forms that others read.
//!
//! Sources: the OpenMetrics specification 1.0.0; Prometheus' "Text-based format", version 0.0.4.

#[cfg(test)]
mod tests;

use std::fmt::{self, Write};

use tidegate_observe::metric::{Exemplar, Family, Histogram, Labels, Point, Series};

use crate::trace_context::write_hex;

/// The exemplars of a histogram, by the family's name and the labels of the series.
pub(super) struct Exemplars<'a> {
    pub(super) family: &'a str,
    pub(super) of: Vec<(Labels, Vec<Exemplar>)>,
}

/// One line that is no comment.
struct Sample<'a> {
    name: &'a str,
    labels: Labels,
    value: &'a str,
}

// === OpenMetrics ===

/// The same text, with exemplars at the buckets that have one.
pub(super) fn openmetrics(raw: &str, exemplars: &Exemplars<'_>, out: &mut impl Write) -> fmt::Result {
    if exemplars.of.is_empty() {
        return out.write_str(raw);
    }
    let mut next = 0;
    let mut before: Option<Labels> = None;
    for line in raw.lines() {
        out.write_str(line)?;
        let bucket = line.strip_prefix(exemplars.family).is_some_and(|rest| rest.starts_with("_bucket{"));
        if let Some(mut sample) = bucket.then(|| sample(line)).flatten() {
            sample.labels.retain(|(name, _)| name != "le");
            // Buckets of a series follow each other, from the first on.
            next = if before.as_ref() == Some(&sample.labels) { next + 1 } else { 0 };
            let found = exemplars.of.iter().find(|(labels, _)| *labels == sample.labels);
            let found = found.and_then(|(_, all)| all.iter().find(|exemplar| exemplar.bucket == next));
            if let Some(exemplar) = found {
                write_exemplar(exemplar, out)?;
            }
            before = Some(sample.labels);
        }
        out.write_char('\n')?;
    }
    Ok(())
}

fn write_exemplar(exemplar: &Exemplar, out: &mut impl Write) -> fmt::Result {
    let (mut trace_id, mut span_id) = ([0; 32], [0; 16]);
    write_hex(&exemplar.trace_id, &mut trace_id);
    write_hex(&exemplar.span_id, &mut span_id);
    let (trace_id, span_id) = (str::from_utf8(&trace_id).unwrap_or("?"), str::from_utf8(&span_id).unwrap_or("?"));
    let (value, at) = (exemplar.value, exemplar.at);
    let (seconds, millis) = (at.as_secs(), at.subsec_millis());
    write!(out, " # {{trace_id=\"{trace_id}\",span_id=\"{span_id}\"}} {value} {seconds}.{millis:03}")
}

// === Prometheus text ===

/// The same in Prometheus' older format: a counter has its whole name in its type, units and the end are
/// not marked.
pub(super) fn prometheus(raw: &str, out: &mut impl Write) -> fmt::Result {
    let mut help = None;
    for line in raw.lines() {
        match comment(line) {
            Some(("HELP", name, text)) => help = Some((name, text)),
            Some(("TYPE", name, kind)) => {
                let suffix = if kind == "counter" { "_total" } else { "" };
                if let Some((_, text)) = help.take().filter(|(of, _)| *of == name) {
                    writeln!(out, "# HELP {name}{suffix} {}", text.replace("\\\"", "\""))?;
                }
                writeln!(out, "# TYPE {name}{suffix} {kind}")?;
            }
            Some(_) => {}
            None if line.starts_with('#') => {}
            None => writeln!(out, "{line}")?,
        }
    }
    Ok(())
}

// === Families ===

/// The same as plain values.
pub(super) fn families(raw: &str, exemplars: &Exemplars<'_>) -> Vec<Family> {
    let mut families: Vec<Family> = Vec::new();
    let mut begun: Option<(&str, &str)> = None;
    for line in raw.lines() {
        match comment(line) {
            Some(("HELP", name, text)) => begun = Some((name, text)),
            Some(("TYPE", name, kind)) => {
                let help = begun.filter(|(of, _)| *of == name).map_or("", |(_, text)| text);
                families.push(family(name, help, kind));
            }
            Some(("UNIT", _, unit)) => {
                if let Some(family) = families.last_mut() {
                    unit.clone_into(&mut family.unit);
                }
            }
            Some(_) => {}
            None => {
                if let (Some(family), Some(sample)) = (families.last_mut(), sample(line)) {
                    add(family, sample);
                }
            }
        }
    }
    for family in &mut families {
        attach(family, exemplars);
        let suffix = format!("_{}", family.unit);
        if let Some(name) = family.name.strip_suffix(&suffix).filter(|_| !family.unit.is_empty()) {
            family.name = name.to_owned();
        }
    }
    families.retain(|family| match &family.series {
        Series::Counters(points) | Series::Gauges(points) => !points.is_empty(),
        Series::Histograms(histograms) => !histograms.is_empty(),
    });
    families
}

fn family(name: &str, help: &str, kind: &str) -> Family {
    let series = match kind {
        "counter" => Series::Counters(Vec::new()),
        "histogram" => Series::Histograms(Vec::new()),
        _ => Series::Gauges(Vec::new()),
    };
    Family { name: name.to_owned(), help: help.trim_end_matches('.').to_owned(), unit: String::new(), series }
}

fn add(family: &mut Family, sample: Sample<'_>) {
    let Ok(value) = sample.value.parse::<f64>() else { return };
    match &mut family.series {
        Series::Counters(points) | Series::Gauges(points) => points.push(Point { labels: sample.labels, value }),
        Series::Histograms(histograms) => add_to_histogram(histograms, &family.name, sample, value),
    }
}

fn add_to_histogram(histograms: &mut Vec<Histogram>, name: &str, mut sample: Sample<'_>, value: f64) {
    let bound = sample.labels.iter().position(|(name, _)| name == "le").map(|at| sample.labels.remove(at).1);
    if histograms.last().is_none_or(|last| last.labels != sample.labels) {
        let labels = sample.labels;
        histograms.push(Histogram { labels, bounds: vec![], counts: vec![], sum: 0.0, exemplars: vec![] });
    }
    let Some(histogram) = histograms.last_mut() else { return };
    match (sample.name.strip_prefix(name), bound) {
        (Some("_sum"), _) => histogram.sum = value,
        (Some("_bucket"), Some(bound)) => {
            // The text has them cumulative.
            let below: u64 = histogram.counts.iter().sum();
            histogram.counts.push((value as u64).saturating_sub(below));
            histogram.bounds.extend(bound.parse::<f64>().ok().filter(|bound| bound.is_finite()));
        }
        _ => {}
    }
}

fn attach(family: &mut Family, exemplars: &Exemplars<'_>) {
    let Series::Histograms(histograms) = &mut family.series else { return };
    if family.name != exemplars.family {
        return;
    }
    for histogram in histograms {
        let found = exemplars.of.iter().find(|(labels, _)| *labels == histogram.labels);
        histogram.exemplars = found.map(|(_, found)| found.clone()).unwrap_or_default();
    }
}

// === lines ===

/// The word, the name and the rest of a comment that means something.
fn comment(line: &str) -> Option<(&str, &str, &str)> {
    let (word, rest) = line.strip_prefix("# ")?.split_once(' ')?;
    let (name, rest) = rest.split_once(' ')?;
    Some((word, name, rest))
}

fn sample(line: &str) -> Option<Sample<'_>> {
    let end = line.find(['{', ' '])?;
    let (name, rest) = line.split_at(end);
    let mut labels = Labels::new();
    let Some(mut rest) = rest.strip_prefix('{') else {
        return Some(Sample { name, labels, value: rest.trim_start() });
    };
    loop {
        if let Some(value) = rest.strip_prefix('}') {
            return Some(Sample { name, labels, value: value.trim_start() });
        }
        let (label, after) = rest.strip_prefix(',').unwrap_or(rest).split_once("=\"")?;
        let (value, after) = quoted(after)?;
        labels.push((label.to_owned(), value));
        rest = after;
    }
}

/// The text before the closing quote, without escapes, and what follows the quote.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut out = String::new();
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Some((out, &text[at + 1..])),
            '\\' => out.push(match chars.next()?.1 {
                'n' => '\n',
                other => other,
            }),
            other => out.push(other),
        }
    }
    None
}
