//! What makes budgets different: `header:x-user-id`, `path:id`, `peer`, …

use super::Sources;
use crate::fields::Context;
use crate::value::{self, Wrong};
use crate::yaml::{Kind, Node};
use tidegate_limit::rules::{PEER, Source};

const HINT: &str = "write `header:NAME`, `path:VARIABLE`, `query:NAME`, `field:NAME.NAME`, `peer`, `path`, `route`, \
                    `method` or `constant:TEXT`";

/// `key`: a source, or a list of them.
pub(super) fn read(node: &Node, sources: &mut Sources, cx: &mut Context) -> Vec<Source> {
    let found = match &node.kind {
        Kind::Scalar(_) => cx.scalar("key", node, source).into_iter().collect(),
        Kind::List(items) if items.is_empty() => {
            cx.error_with(node.span, "`key` is empty", |d| d.label("remove it: then there is one budget for all"));
            return Vec::new();
        }
        _ => cx.scalars("key", node, source).unwrap_or_default(),
    };
    sources.extend(found.iter().map(|source| (source.value.clone(), source.span)));
    found.into_iter().map(|source| source.value).collect()
}

/// Where a value of a request comes from.
pub(super) fn source(text: &str) -> Result<Source, Wrong> {
    let wrong = |hint: String| Wrong { expected: "something of a request", hint };
    let Some((kind, name)) = text.split_once(':') else {
        return match text {
            "peer" => Ok(PEER),
            "route" => Ok(Source::Route),
            "method" => Ok(Source::Method),
            "path" => Ok(Source::Path),
            _ => Err(wrong(match crate::diagnostics::nearest(text, ["peer", "route", "method", "path"]) {
                Some(near) => format!("did you mean `{near}`?"),
                None => HINT.into(),
            })),
        };
    };
    if name.is_empty() {
        return Err(wrong(format!("a name is missing behind `{kind}:`")));
    }
    let owned = || name.to_owned();
    match kind {
        "header" => match value::header_name(name) {
            Ok(name) => Ok(Source::Header(name.as_str().to_owned())),
            Err(_) => Err(wrong("the name of a header, as `header:x-user-id`".into())),
        },
        "path" => Ok(Source::PathVariable(owned())),
        "query" => Ok(Source::Query(owned())),
        "field" => Ok(Source::Field(owned())),
        "constant" => Ok(Source::Constant(owned())),
        "identity" | "claim" => Ok(Source::Identity(owned())),
        _ => {
            let kinds = ["header", "path", "query", "field", "constant"];
            Err(wrong(match crate::diagnostics::nearest(kind, kinds) {
                Some(near) => format!("did you mean `{near}:{name}`?"),
                None => HINT.into(),
            }))
        }
    }
}
