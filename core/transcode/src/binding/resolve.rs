//! Rule → binding: every name in it is looked up, and every promise of `http.proto` checked.

use super::{Binding, Body, Idempotency, Variable};
use crate::problem::RuleProblemKind;
use crate::request::has_required;
use crate::rule::HttpRule;
use crate::template::{self, Segment, Template};
use std::sync::Arc;
use tidegate_protojson::schema::{Cardinality, Kind, Method, WellKnown};
use tidegate_protojson::{FieldId, MessageId, Schema};

/// The message whose HTTP form is its bytes.
const HTTP_BODY: &str = "google.api.HttpBody";

/// The method that a rule is bound to.
#[derive(Clone, Debug)]
pub(crate) struct Context<'s> {
    pub(crate) schema: &'s Schema,
    pub(crate) method: &'s Method,
    pub(crate) tag: u32,
    pub(crate) rpc: Arc<str>,
    pub(crate) selector: Arc<str>,
    pub(crate) file: Arc<str>,
    pub(crate) idempotency: Idempotency,
}

/// Resolves one rule (not its additional bindings).
pub(crate) fn resolve(context: &Context<'_>, rule: &HttpRule) -> Result<(Binding, Template), Vec<RuleProblemKind>> {
    let Context { schema, method, .. } = *context;
    let mut problems = Vec::new();
    let mut keep = |kind| problems.push(kind);
    let template = Template::parse(&rule.template).map_err(|error| keep(RuleProblemKind::Template(error))).ok();
    let bad_method = |_| RuleProblemKind::BadMethod(rule.method.as_str().into());
    let http_method = rule.method.to_http().map_err(|error| keep(bad_method(error))).ok();
    let body = body(schema, method.input, &rule.body).map_err(&mut keep).ok();
    let response_body = top_level(schema, method.output, &rule.response_body).map_err(&mut keep).ok();
    let mut variables = Vec::new();
    for variable in template.iter().flat_map(|template| &template.variables) {
        match resolve_variable(schema, method.input, variable, template.as_ref()) {
            Ok(variable) => variables.push(variable),
            Err(problem) => keep(problem),
        }
    }
    if let Some(body) = body {
        disjoint(schema, &variables, body).into_iter().for_each(&mut keep);
    }
    let (Some(template), Some(http_method), Some(body), Some(response_body), true) =
        (template, http_method, body, response_body, problems.is_empty())
    else {
        return Err(problems);
    };
    let is_http_body = |message: MessageId| &*schema.message(message).full_name == HTTP_BODY;
    let field_is_http_body = |field: FieldId| match (schema.field(field).cardinality, schema.field(field).kind) {
        (Cardinality::Singular, Kind::Message(message)) => is_http_body(message),
        _ => false,
    };
    let binding = Binding {
        tag: context.tag,
        rpc: Arc::clone(&context.rpc),
        selector: Arc::clone(&context.selector),
        file: Arc::clone(&context.file),
        template: rule.template.clone(),
        http_method,
        input: method.input,
        output: method.output,
        client_streaming: method.client_streaming,
        server_streaming: method.server_streaming,
        body,
        response_body,
        idempotency: context.idempotency,
        raw_body: match body {
            Body::None => false,
            Body::Whole => is_http_body(method.input),
            Body::Field(field) => field_is_http_body(field),
        },
        raw_reply: response_body.map_or_else(|| is_http_body(method.output), field_is_http_body),
        required: has_required(schema, method.input),
        variables: variables.into(),
    };
    Ok((binding, template))
}

fn body(schema: &Schema, input: MessageId, name: &str) -> Result<Body, RuleProblemKind> {
    match name {
        "*" => Ok(Body::Whole),
        name => Ok(top_level(schema, input, name)?.map_or(Body::None, Body::Field)),
    }
}

/// The field called `name` of the message itself; `None` for no name.
fn top_level(schema: &Schema, message: MessageId, name: &str) -> Result<Option<FieldId>, RuleProblemKind> {
    if name.is_empty() {
        return Ok(None);
    }
    if name.contains('.') {
        return Err(RuleProblemKind::NotTopLevel(name.into()));
    }
    find(schema, message, name, name).map(Some)
}

fn find(schema: &Schema, message: MessageId, path: &str, field: &str) -> Result<FieldId, RuleProblemKind> {
    schema.find_field(message, field).ok_or_else(|| RuleProblemKind::NoField {
        path: path.into(),
        message: schema.message(message).full_name.as_ref().into(),
        field: field.into(),
    })
}

fn resolve_variable(
    schema: &Schema,
    input: MessageId,
    variable: &template::Variable,
    template: Option<&Template>,
) -> Result<Variable, RuleProblemKind> {
    let name = &variable.field_path;
    let mut path = Vec::new();
    let mut message = Some(input);
    let mut previous = "";
    for component in name.split('.') {
        let Some(holder) = message else {
            return Err(RuleProblemKind::NotMessage { path: name.clone(), field: previous.into() });
        };
        let id = find(schema, holder, name, component)?;
        let field = schema.field(id);
        if field.cardinality != Cardinality::Singular {
            return Err(RuleProblemKind::RepeatedVariable(name.clone()));
        }
        message = match field.kind {
            Kind::Message(held) | Kind::Group(held) => Some(held),
            _ => None,
        };
        path.push(id);
        previous = component;
    }
    if message.is_some_and(|message| !has_text_form(schema, message)) {
        return Err(RuleProblemKind::MessageVariable(name.clone()));
    }
    let segments = template.map_or(&[][..], |template| &template.segments);
    let last = segments.get(variable.first + variable.count - 1);
    let rest = last == Some(&Segment::Rest);
    Ok(Variable {
        name: name.as_str().into(),
        path: path.into(),
        first: variable.first as u32,
        count: (!rest).then_some(variable.count as u32),
        multi: rest || variable.count > 1,
    })
}

/// Messages that the text of a parameter can stand for.
pub(crate) fn has_text_form(schema: &Schema, message: MessageId) -> bool {
    matches!(
        schema.message(message).well_known,
        WellKnown::Timestamp | WellKnown::Duration | WellKnown::FieldMask | WellKnown::Wrapper
    )
}

/// "Leaf request fields are classified into three categories": no field is in two of them.
fn disjoint(schema: &Schema, variables: &[Variable], body: Body) -> Vec<RuleProblemKind> {
    let mut problems = Vec::new();
    for (index, second) in variables.iter().enumerate() {
        for first in &variables[..index] {
            let names = || (String::from(&*first.name), String::from(&*second.name));
            match relate(schema, &first.path, &second.path) {
                Relation::Overlap => {
                    let (first, second) = names();
                    problems.push(RuleProblemKind::BoundTwice { first, second });
                }
                Relation::Oneof => {
                    let (first, second) = names();
                    problems.push(RuleProblemKind::OneofTwice { first, second });
                }
                Relation::Apart => {}
            }
        }
        if let Body::Field(field) = body
            && second.path[..] == [field]
        {
            let second = String::from(&*second.name);
            problems.push(RuleProblemKind::BoundTwice { first: format!("body: {second}"), second });
        }
    }
    problems
}

/// How two field paths from the same message stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relation {
    /// They are equal, or one leads to a part of the other.
    Overlap,
    /// They part at two members of one oneof: setting one clears the other.
    Oneof,
    /// They can both be set.
    Apart,
}

/// Relates two field paths from the same message.
pub(crate) fn relate(schema: &Schema, one: &[FieldId], other: &[FieldId]) -> Relation {
    match one.iter().zip(other).find(|(a, b)| a != b) {
        None => Relation::Overlap,
        Some((&a, &b)) => match (schema.field(a).oneof, schema.field(b).oneof) {
            (Some(a), Some(b)) if a == b => Relation::Oneof,
            _ => Relation::Apart,
        },
    }
}
