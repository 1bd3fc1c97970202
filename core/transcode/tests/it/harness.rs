//! Rules and requests as text, answers as text.

use http::Method;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use tidegate_protojson::{Schema, reencode, wire_to_json};
use tidegate_transcode::frame::Deframer;
use tidegate_transcode::{HttpRule, Miss, Router, RouterBuilder, RuleMethod, RuleProblem, TranscodeOptions};

/// The schema of `tests/proto`.
pub(crate) static SCHEMA: LazyLock<Arc<Schema>> = LazyLock::new(|| {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let google = here.join("../../adapters/schema/proto");
    let mut compiler = protox::Compiler::new([here.join("tests/proto"), google]).expect("the folders are there");
    compiler.include_imports(true);
    for file in ["test.proto", "google/rpc/error_details.proto", "google/rpc/status.proto"] {
        compiler.open_file(Path::new(file)).expect("the test's protos compile");
    }
    Arc::new(Schema::compile(&[&compiler.encode_file_descriptor_set()]).expect("the test's descriptors compile"))
});

/// Reads `get: /v1/{name} body: * response: nested`; a method of its own is `custom: HEAD /v1/{name}`.
/// A line may begin with the RPC (`Other`, `Second.Do`), which is `Do` otherwise.
pub(crate) fn rule(text: &str) -> HttpRule {
    let mut rule = HttpRule { selector: "t.v1.Main.Do".into(), ..HttpRule::default() };
    let mut words = text.split_whitespace().peekable();
    if let Some(rpc) = words.next_if(|word| !word.ends_with(':')) {
        rule.selector = if rpc.contains('.') { format!("t.v1.{rpc}") } else { format!("t.v1.Main.{rpc}") };
    }
    while let Some(key) = words.next() {
        let value = words.next().unwrap_or_default();
        let method = match key {
            "get:" => RuleMethod::Get,
            "put:" => RuleMethod::Put,
            "post:" => RuleMethod::Post,
            "delete:" => RuleMethod::Delete,
            "patch:" => RuleMethod::Patch,
            "custom:" => {
                rule.template = words.next().unwrap_or_default().into();
                rule.method = RuleMethod::Custom(value.into());
                continue;
            }
            "body:" => {
                rule.body = value.into();
                continue;
            }
            "response:" => {
                rule.response_body = value.into();
                continue;
            }
            other => panic!("{other} is no part of a rule"),
        };
        (rule.method, rule.template) = (method, value.into());
    }
    rule
}

/// One rule per line; rules of one RPC after its first are additional bindings.
pub(crate) fn rules(text: &str) -> Vec<HttpRule> {
    let mut rules: Vec<HttpRule> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let rule = rule(line);
        match rules.iter_mut().find(|first| first.selector == rule.selector) {
            Some(first) => first.additional.push(rule),
            None => rules.push(rule),
        }
    }
    rules
}

/// Builds a router of the services `Main` and `Second`.
pub(crate) fn build(text: &str) -> Result<Router, Vec<RuleProblem>> {
    let rules = rules(text);
    let mut builder = RouterBuilder::new();
    builder.add_service(&SCHEMA, "t.v1.Main", &rules, 1)?;
    builder.add_service(&SCHEMA, "t.v1.Second", &rules, 2)?;
    builder.build()
}

pub(crate) fn router(text: &str) -> Router {
    build(text).unwrap_or_else(|problems| panic!("{}", show(&problems)))
}

pub(crate) fn show(problems: &[RuleProblem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// `POST /path?query {"body":1}`, with `[content/type]` in front of the body.
pub(crate) struct Request<'t> {
    pub(crate) method: Method,
    pub(crate) path: &'t str,
    pub(crate) query: Option<&'t str>,
    pub(crate) content_type: Option<&'t str>,
    pub(crate) body: &'t [u8],
}

pub(crate) fn request(text: &str) -> Request<'_> {
    let (method, rest) = text.split_once(' ').expect("a request has a method");
    let (target, mut body) = rest.split_once(' ').unwrap_or((rest, ""));
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let mut content_type = None;
    if let Some((value, behind)) = body.strip_prefix("[type ").and_then(|rest| rest.split_once(']')) {
        (content_type, body) = (Some(value), behind);
    }
    let method = method.parse().expect("a request has a method");
    Request { method, path, query, content_type, body: body.as_bytes() }
}

/// What a request becomes: `Do {"id":"7"}`, or `400 …`.
pub(crate) fn answer(router: &Router, text: &str, options: &TranscodeOptions) -> String {
    let request = request(text);
    let found = match router.find(&request.method, request.path) {
        Ok(found) => found,
        Err(Miss::NotFound) => return "404".into(),
        Err(Miss::MethodNotAllowed { allow }) => return format!("405 {allow}"),
        Err(Miss::BadPath(status)) => return format!("{} {}", status.http_status().as_u16(), status.message),
    };
    let before = b"what was there before";
    let mut out = before.to_vec();
    let (query, content_type) = (request.query, request.content_type);
    let written = found.write_request(&SCHEMA, query, content_type, request.body, options, &mut out);
    assert_eq!(&out[..before.len()], before);
    if let Err(refusal) = written {
        assert_eq!(out.len(), before.len(), "a refusal leaves the output as it was");
        return format!("{} {}", refusal.http.as_u16(), without_offset(&refusal.status.message));
    }
    let mut deframer = Deframer::new(usize::MAX);
    deframer.push(out.split_off(before.len()).into());
    let frame = deframer.next().expect("the frame is well-formed").expect("the frame is complete");
    assert_eq!((deframer.finish(), frame.compressed), (Ok(()), false));
    let mut shown = found.binding.rpc.trim_start_matches("/t.v1.").replace("Main/", "").replace('/', ".");
    let (mut canonical, mut json) = (Vec::new(), Vec::new());
    // Fields in their order, parts merged.
    reencode(&SCHEMA, found.binding.input, &frame.payload, &mut canonical).expect("the message is well-formed");
    let print = tidegate_protojson::PrintOptions { allow_partial: true, ..options.print.clone() };
    match wire_to_json(&SCHEMA, found.binding.input, &canonical, &print, &mut json) {
        Ok(()) => write!(shown, " {}", String::from_utf8_lossy(&json)).expect("a String takes all"),
        Err(error) => write!(shown, " unreadable: {error}").expect("a String takes all"),
    }
    shown
}

/// A message without the byte that it names, which is the affair of the tests in `places`.
fn without_offset(message: &str) -> &str {
    match message.rsplit_once(" (byte ") {
        Some((rest, place)) if place.ends_with(" of the path)") || place.ends_with(" of the query)") => rest,
        _ => message,
    }
}

/// Checks what a request becomes under some rules and the default options.
#[track_caller]
pub(crate) fn check(rules: &str, request: &str, want: &str) {
    check_with(&TranscodeOptions::default(), rules, request, want);
}

#[track_caller]
pub(crate) fn check_with(options: &TranscodeOptions, rules: &str, request: &str, want: &str) {
    assert_eq!(answer(&router(rules), request, options), want, "{request} under {rules}");
}

/// Checks that rules are refused, with these texts.
#[track_caller]
pub(crate) fn check_refused(rules: &str, want: &str) {
    match build(rules) {
        Ok(_) => panic!("{rules} was accepted"),
        Err(problems) => assert_eq!(show(&problems), want),
    }
}
