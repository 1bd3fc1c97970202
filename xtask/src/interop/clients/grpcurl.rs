//! The cases that can be said in a command of grpcurl's, and what has to come of each.

use std::process::Output;

use serde_json::Value;

type Judge = fn(&Output) -> Result<(), String>;

/// Method, messages, and what is right; `None` for a case that takes more than a command.
pub(super) fn case(name: &str) -> Option<(&'static str, &'static str, Judge)> {
    Some(match name {
        "empty_unary" => ("EmptyCall", "{}", |output| bodies(output, &[0])),
        "large_unary" => ("UnaryCall", r#"{"responseSize":314159}"#, |output| bodies(output, &[314_159])),
        "client_streaming" => {
            ("StreamingInputCall", r#"{"payload":{"body":"AAAA"}} {"payload":{"body":"AAAAAAAA"}}"#, |output| {
                match &answers(output)?[..] {
                    [answer] if answer["aggregatedPayloadSize"] == 9 => Ok(()),
                    other => Err(format!("answers: {other:?}")),
                }
            })
        }
        "server_streaming" => (
            "StreamingOutputCall",
            r#"{"responseParameters":[{"size":31415},{"size":9},{"size":2653},{"size":58979}]}"#,
            |output| bodies(output, &[31_415, 9, 2653, 58_979]),
        ),
        "ping_pong" => (
            "FullDuplexCall",
            r#"{"responseParameters":[{"size":31415}]} {"responseParameters":[{"size":9}]}"#,
            |output| bodies(output, &[31_415, 9]),
        ),
        "empty_stream" => ("FullDuplexCall", "", |output| bodies(output, &[])),
        "status_code_and_message" => {
            ("UnaryCall", r#"{"responseStatus":{"code":2,"message":"test status message"}}"#, |output| {
                failed(output, 2, "Message: test status message")
            })
        }
        "special_status_message" => (
            "UnaryCall",
            r#"{"responseStatus":{"code":2,"message":"\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n"}}"#,
            |output| failed(output, 2, "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n"),
        ),
        "unimplemented_method" => ("UnimplementedCall", "{}", |output| failed(output, 12, "Code: Unimplemented")),
        _ => return None,
    })
}

/// It succeeded, and the payloads of its answers have these lengths.
fn bodies(output: &Output, lengths: &[usize]) -> Result<(), String> {
    let found: Vec<usize> = answers(output)?.iter().map(body).collect();
    if found == lengths { Ok(()) } else { Err(format!("payloads of {found:?} bytes, should be {lengths:?}")) }
}

/// The length of an answer's payload, which stands there in base64.
fn body(answer: &Value) -> usize {
    let text = answer["payload"]["body"].as_str().unwrap_or_default();
    text.len() / 4 * 3 - text.bytes().rev().take_while(|byte| *byte == b'=').count()
}

fn answers(output: &Output) -> Result<Vec<Value>, String> {
    super::succeeded(output)?;
    let values = serde_json::Deserializer::from_slice(&output.stdout).into_iter();
    values.collect::<Result<_, _>>().map_err(|error| error.to_string())
}

/// It ended with this status (grpcurl's exit code is 64 and the code) and said this.
fn failed(output: &Output, code: i32, said: &str) -> Result<(), String> {
    let text = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(64 + code) && text.contains(said) {
        Ok(())
    } else {
        Err(format!("{}, and it said {text:?}", output.status))
    }
}

#[cfg(test)]
mod tests {
    use super::body;

    #[test]
    fn a_payload_is_as_long_as_its_base64_says() {
        let length = |text: &str| body(&serde_json::json!({ "payload": { "body": text } }));
        assert_eq!((length("AAAA"), length("AAA="), length("AA=="), length("")), (3, 2, 1, 0));
        assert_eq!(body(&serde_json::json!({})), 0);
    }
}
