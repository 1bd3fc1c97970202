//! gRPC codes, and the one table that pairs them with HTTP statuses.

use http::StatusCode;

/// A gRPC status code (`google/rpc/code.proto`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[expect(missing_docs, reason = "the names are gRPC's own")]
pub enum Code {
    Ok = 0,
    Cancelled = 1,
    Unknown = 2,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    AlreadyExists = 6,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    Aborted = 10,
    OutOfRange = 11,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    DataLoss = 15,
    Unauthenticated = 16,
}

/// One line of [`TABLE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The gRPC code.
    pub code: Code,
    /// Its name in `google/rpc/code.proto`.
    pub name: &'static str,
    /// The HTTP status that the "HTTP Mapping" comments of that file give it.
    pub http: StatusCode,
}

/// Every gRPC code with its HTTP status, by code.
pub const TABLE: [Row; 17] = [
    row(Code::Ok, "OK", 200),
    row(Code::Cancelled, "CANCELLED", 499),
    row(Code::Unknown, "UNKNOWN", 500),
    row(Code::InvalidArgument, "INVALID_ARGUMENT", 400),
    row(Code::DeadlineExceeded, "DEADLINE_EXCEEDED", 504),
    row(Code::NotFound, "NOT_FOUND", 404),
    row(Code::AlreadyExists, "ALREADY_EXISTS", 409),
    row(Code::PermissionDenied, "PERMISSION_DENIED", 403),
    row(Code::ResourceExhausted, "RESOURCE_EXHAUSTED", 429),
    row(Code::FailedPrecondition, "FAILED_PRECONDITION", 400),
    row(Code::Aborted, "ABORTED", 409),
    row(Code::OutOfRange, "OUT_OF_RANGE", 400),
    row(Code::Unimplemented, "UNIMPLEMENTED", 501),
    row(Code::Internal, "INTERNAL", 500),
    row(Code::Unavailable, "UNAVAILABLE", 503),
    row(Code::DataLoss, "DATA_LOSS", 500),
    row(Code::Unauthenticated, "UNAUTHENTICATED", 401),
];

/// The code in the body of an answer of our own whose HTTP status no code of [`TABLE`] has, or that
/// several have: the other direction of the table.
pub const OWN_ANSWERS: [(StatusCode, Code); 14] = [
    (StatusCode::BAD_REQUEST, Code::InvalidArgument),
    (StatusCode::METHOD_NOT_ALLOWED, Code::Unimplemented),
    (StatusCode::NOT_ACCEPTABLE, Code::InvalidArgument),
    (StatusCode::REQUEST_TIMEOUT, Code::DeadlineExceeded),
    (StatusCode::CONFLICT, Code::Aborted),
    (StatusCode::LENGTH_REQUIRED, Code::InvalidArgument),
    (StatusCode::PAYLOAD_TOO_LARGE, Code::ResourceExhausted),
    (StatusCode::URI_TOO_LONG, Code::ResourceExhausted),
    (StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::InvalidArgument),
    (StatusCode::EXPECTATION_FAILED, Code::InvalidArgument),
    (StatusCode::MISDIRECTED_REQUEST, Code::NotFound),
    (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, Code::ResourceExhausted),
    (StatusCode::INTERNAL_SERVER_ERROR, Code::Internal),
    (StatusCode::BAD_GATEWAY, Code::Internal),
];

const fn row(code: Code, name: &'static str, http: u16) -> Row {
    match StatusCode::from_u16(http) {
        Ok(http) => Row { code, name, http },
        Err(_) => panic!("invariant: the table's statuses lie in 100..=999"),
    }
}

// === impl Code ===

impl Code {
    /// The code with this number; [`Code::Unknown`] for a number that gRPC does not define.
    #[must_use]
    pub fn from_u32(number: u32) -> Self {
        TABLE.get(number as usize).map_or(Self::Unknown, |row| row.code)
    }

    /// Its number, 0..=16.
    #[must_use]
    pub fn as_u32(self) -> u32 {
        u32::from(self as u8)
    }

    /// `NOT_FOUND`, as in `google/rpc/code.proto`.
    #[must_use]
    pub fn name(self) -> &'static str {
        TABLE[self as usize].name
    }

    /// The HTTP status of an answer with this code.
    #[must_use]
    pub fn http_status(self) -> StatusCode {
        TABLE[self as usize].http
    }

    /// The code in the body of an answer of our own with this HTTP status: [`OWN_ANSWERS`], then
    /// [`TABLE`], else [`Code::Unknown`].
    #[must_use]
    pub fn of_answer(http: StatusCode) -> Self {
        let own = OWN_ANSWERS.iter().find(|(status, _)| *status == http).map(|(_, code)| *code);
        own.or_else(|| TABLE.iter().find(|row| row.http == http).map(|row| row.code)).unwrap_or(Self::Unknown)
    }
}
