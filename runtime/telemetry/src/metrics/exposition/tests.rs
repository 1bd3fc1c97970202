use std::time::Duration;

use tidegate_observe::metric::{Exemplar, Family, Histogram, Labels, Point, Series};

use super::{Exemplars, families, openmetrics, prometheus};

const RAW: &str = r#"# HELP t_lines Lines "taken".
# TYPE t_lines counter
t_lines_total 7
# HELP t_level Levels.
# TYPE t_level gauge
t_level{name="a\"b\\c\nd,e}"} -2
t_level{name=""} 3
# HELP t_took_seconds Time.
# TYPE t_took_seconds histogram
# UNIT t_took_seconds seconds
t_took_seconds_sum{r="x"} 1.5
t_took_seconds_count{r="x"} 3
t_took_seconds_bucket{le="0.1",r="x"} 1
t_took_seconds_bucket{le="1.0",r="x"} 3
t_took_seconds_bucket{le="+Inf",r="x"} 3
t_took_seconds_sum{r="y"} 0.0
t_took_seconds_count{r="y"} 0
t_took_seconds_bucket{le="0.1",r="y"} 0
t_took_seconds_bucket{le="1.0",r="y"} 0
t_took_seconds_bucket{le="+Inf",r="y"} 0
# HELP t_none Nothing.
# TYPE t_none counter
# EOF
"#;

const EXEMPLAR: Exemplar = Exemplar {
    bucket: 1,
    value: 0.25,
    at: Duration::from_millis(1_700_000_000_042),
    trace_id: [0xab; 16],
    span_id: [0x0c; 8],
};

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn exemplars() -> Exemplars<'static> {
    Exemplars { family: "t_took_seconds", of: vec![(labels(&[("r", "x")]), vec![EXEMPLAR])] }
}

#[test]
fn an_exemplar_stands_at_its_bucket_and_nothing_else_changes() {
    let mut out = String::new();
    openmetrics(RAW, &exemplars(), &mut out).unwrap();
    let bucket = "t_took_seconds_bucket{le=\"1.0\",r=\"x\"} 3";
    let exemplar = format!(r#"# {{trace_id="{}",span_id="{}"}} 0.25 1700000000.042"#, "ab".repeat(16), "0c".repeat(8));
    assert_eq!(out, RAW.replace(bucket, &format!("{bucket} {exemplar}")));
}

#[test]
fn the_older_format_names_counters_whole() {
    let mut out = String::new();
    prometheus(RAW, &mut out).unwrap();
    let want = RAW
        .replace("# HELP t_lines ", "# HELP t_lines_total ")
        .replace("# TYPE t_lines ", "# TYPE t_lines_total ")
        .replace("# HELP t_none ", "# HELP t_none_total ")
        .replace("# TYPE t_none ", "# TYPE t_none_total ")
        .replace("# UNIT t_took_seconds seconds\n", "")
        .replace("# EOF\n", "");
    assert_eq!(out, want);
}

#[test]
fn families_have_the_same_figures() {
    let point = |pairs: &[(&str, &str)], value| Point { labels: labels(pairs), value };
    let family = |name: &str, help: &str, unit: &str, series| Family {
        name: name.to_owned(),
        help: help.to_owned(),
        unit: unit.to_owned(),
        series,
    };
    let histogram = |r, counts: [u64; 3], sum, exemplars| Histogram {
        labels: labels(&[("r", r)]),
        bounds: vec![0.1, 1.0],
        counts: counts.to_vec(),
        sum,
        exemplars,
    };
    let want = [
        family("t_lines", "Lines \"taken\"", "", Series::Counters(vec![point(&[], 7.0)])),
        family(
            "t_level",
            "Levels",
            "",
            Series::Gauges(vec![point(&[("name", "a\"b\\c\nd,e}")], -2.0), point(&[("name", "")], 3.0)]),
        ),
        family(
            "t_took",
            "Time",
            "seconds",
            Series::Histograms(vec![
                histogram("x", [1, 2, 0], 1.5, vec![EXEMPLAR]),
                histogram("y", [0, 0, 0], 0.0, vec![]),
            ]),
        ),
    ];
    assert_eq!(families(RAW, &exemplars()), want);
}
