//! Content negotiation, for three answers.

use super::Framing;

/// In the order in which they are preferred when a header asks for them alike.
const OFFERS: [(Framing, &str, &str); 5] = [
    (Framing::JsonArray, "application", "json"),
    (Framing::Ndjson, "application", "x-ndjson"),
    (Framing::Ndjson, "application", "ndjson"),
    (Framing::Ndjson, "application", "jsonl"),
    (Framing::Sse, "text", "event-stream"),
];

/// How well a header speaks for an offer; the greatest wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Wish {
    /// In thousandths.
    quality: u16,
    /// 2 for the type itself, 1 for `type/*`, 0 for `*/*`.
    precision: u8,
    /// The earlier, the greater.
    earliness: isize,
}

/// The offer that `header` speaks for best; `None` if it accepts none.
pub(super) fn negotiate(header: &str) -> Option<Framing> {
    let mut best: Option<(Wish, Framing)> = None;
    for (framing, kind, subtype) in OFFERS {
        let Some(wish) = wish(header, kind, subtype) else { continue };
        // Of equal wishes (a wildcard) the offer listed first stays.
        if wish.quality > 0 && best.is_none_or(|(other, _)| wish > other) {
            best = Some((wish, framing));
        }
    }
    best.map(|(_, framing)| framing)
}

/// What `header` says of one media type: its most precise range decides (RFC 9110, section 12.5.1).
fn wish(header: &str, kind: &str, subtype: &str) -> Option<Wish> {
    let mut found: Option<Wish> = None;
    for (index, range) in (0..).zip(header.split(',')) {
        let mut parts = range.split(';');
        let Some((range_kind, range_subtype)) = parts.next().and_then(|media| media.trim().split_once('/')) else {
            continue;
        };
        let precision = match (range_kind, range_subtype) {
            ("*", "*") => 0,
            (k, "*") if k.eq_ignore_ascii_case(kind) => 1,
            (k, s) if k.eq_ignore_ascii_case(kind) && s.eq_ignore_ascii_case(subtype) => 2,
            _ => continue,
        };
        let quality = parts.find_map(quality).unwrap_or(1000);
        let wish = Wish { quality, precision, earliness: -index };
        if found.is_none_or(|other| wish.precision > other.precision) {
            found = Some(wish);
        }
    }
    found
}

/// The quality in a `q=0.5` parameter, in thousandths; a malformed one is 0. `None` for another parameter.
fn quality(parameter: &str) -> Option<u16> {
    let (name, value) = parameter.split_once('=')?;
    if !name.trim().eq_ignore_ascii_case("q") {
        return None;
    }
    let value = value.trim();
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    let digits = fraction.len() <= 3 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let thousandths = format!("{fraction:0<3}").parse().unwrap_or(0);
    Some(match whole {
        "1" if digits && thousandths == 0 => 1000,
        "0" if digits => thousandths,
        _ => 0,
    })
}
