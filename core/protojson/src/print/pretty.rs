//! Line breaks and indents for JSON that has none.

/// Appends `json`, which must be valid and without white space, in lines, two spaces a level. Empty
/// objects and lists stay on their line. False once `out` would grow by more than `max_output`.
pub(super) fn indent(json: &[u8], max_output: usize, out: &mut Vec<u8>) -> bool {
    let limit = out.len().saturating_add(max_output);
    let mut level = 0usize;
    let mut at = 0;
    while let Some(&byte) = json.get(at) {
        match byte {
            b'"' => {
                let end = string_end(json, at);
                out.extend_from_slice(json.get(at..end).unwrap_or_default());
                at = end;
                continue;
            }
            b'{' | b'[' => {
                out.push(byte);
                if json.get(at + 1).is_some_and(|next| matches!(next, b'}' | b']')) {
                    out.extend(json.get(at + 1));
                    at += 1;
                } else {
                    level += 1;
                    line(out, level);
                }
            }
            b'}' | b']' => {
                level = level.saturating_sub(1);
                line(out, level);
                out.push(byte);
            }
            b',' => {
                out.push(byte);
                line(out, level);
            }
            b':' => out.extend_from_slice(b": "),
            other => out.push(other),
        }
        if out.len() > limit {
            return false;
        }
        at += 1;
    }
    out.len() <= limit
}

/// Behind the closing quote of the string that starts at `start`.
fn string_end(json: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(&byte) = json.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    json.len()
}

fn line(out: &mut Vec<u8>, level: usize) {
    out.push(b'\n');
    out.resize(out.len() + 2 * level, b' ');
}
