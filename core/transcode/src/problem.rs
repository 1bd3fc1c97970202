//! What can be wrong with http rules.

use crate::template::TemplateError;
use std::fmt;
use tidegate_protojson::wire::WireError;

/// A rule that was refused at load.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {kind}")]
pub struct RuleProblem {
    /// The rule.
    pub place: RulePlace,
    /// What is wrong with it.
    #[source]
    pub kind: RuleProblemKind,
}

/// Which rule: as much of it as is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RulePlace {
    /// `pkg.Service.Method`, or `pkg.Service`.
    pub selector: String,
    /// The `.proto` file of an annotation, or of the method that a configured rule overrides; may be empty.
    pub file: String,
    /// `GET`; empty if the problem is not that of one binding.
    pub method: String,
    /// The path template; may be empty.
    pub template: String,
}

/// What is wrong with a rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RuleProblemKind {
    /// The schema has no such service.
    #[error("the schema has no such service")]
    NoService,
    /// A configured rule selects a method that the service does not have.
    #[error("the service has no such method")]
    NoMethod,
    /// The method's options cannot be read.
    #[error("the method's options are malformed")]
    Options(#[source] WireError),
    /// The path template is malformed.
    #[error("{0}")]
    Template(TemplateError),
    /// `custom { kind }` is no HTTP method.
    #[error("`{0}` is not an HTTP method")]
    BadMethod(String),
    /// An additional binding has additional bindings.
    #[error("an additional binding cannot have additional bindings")]
    NestedAdditional,
    /// A field path names a field that there is not.
    #[error("`{path}`: {message} has no field `{field}`")]
    NoField {
        /// The path, as the rule has it.
        path: String,
        /// The message that lacks the field.
        message: String,
        /// The component of the path.
        field: String,
    },
    /// A path goes through, or ends at, a list or a map.
    #[error("`{0}` is a list or map, which a path variable cannot bind")]
    RepeatedVariable(String),
    /// A path goes through a field that is no message.
    #[error("`{path}`: `{field}` is not a message")]
    NotMessage {
        /// The path, as the rule has it.
        path: String,
        /// The component of the path.
        field: String,
    },
    /// A path variable is a message without a form as text.
    #[error("`{0}` is a message, which a path variable cannot bind")]
    MessageVariable(String),
    /// Two variables bind the same field, or one binds a part of the other.
    #[error("`{first}` and `{second}` bind the same field")]
    BoundTwice {
        /// One variable.
        first: String,
        /// The other, or the rule's body.
        second: String,
    },
    /// Two variables bind members of one oneof.
    #[error("`{first}` and `{second}` belong to one oneof")]
    OneofTwice {
        /// One variable.
        first: String,
        /// The other.
        second: String,
    },
    /// `body` or `response_body` is a path.
    #[error("`{0}` must be a field of the message itself, not of one in it")]
    NotTopLevel(String),
    /// Another rule matches the same requests.
    #[error("matches the same requests as {0}")]
    Conflict(RulePlace),
}

impl fmt::Display for RulePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.template.is_empty() {
            write!(f, "`{} {}` of ", self.method, self.template)?;
        }
        f.write_str(&self.selector)?;
        if self.file.is_empty() { Ok(()) } else { write!(f, " ({})", self.file) }
    }
}
