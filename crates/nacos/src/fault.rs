//! A refusal, before it is known through which door it leaves: Nacos words the same fault differently per door and layer.

use crate::{Denial, Unavailable};
use base::Limit;
use http::StatusCode;
use std::borrow::Cow;

/// Why a request is not served. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// How it is worded.
    pub(crate) shape: Shape,
    /// The status over HTTP.
    pub(crate) status: StatusCode,
    /// `errorCode` over gRPC.
    pub(crate) code: u16,
    /// For people.
    pub(crate) text: Cow<'static, str>,
    /// What is wrong, where an answer is wrapped; by the status when it is not said.
    pub(crate) error: Option<ErrorCode>,
    /// The parameter that is missing, and its type in the words of Nacos.
    pub(crate) missing: Option<(String, String)>,
    /// The limit of this edge that it is about. Those of the planes count themselves.
    pub(crate) limit: Option<Limit>,
    /// Why who asks was not let in.
    pub(crate) denial: Option<Denial>,
}

/// Codes of Nacos's `Result`, from v2 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorCode {
    ParameterMissing,
    ParameterInvalid,
    NotFound,
    Conflict,
    TooManyGrays,
    Weight,
    InstanceNotFound,
    ServiceExists,
    ServiceUnknown,
    ServiceNotEmpty,
    NamespaceIllegal,
    NamespaceUnknown,
    StateIllegal,
    ServerError,
}

impl ErrorCode {
    /// The number, and the text that always comes with it.
    pub(crate) fn told(self) -> (u32, &'static str) {
        match self {
            Self::ParameterMissing => (10_000, "parameter missing"),
            Self::ParameterInvalid => (20_002, "parameter validate error"),
            Self::NotFound => (20_004, "resource not found"),
            Self::Conflict => (20_005, "resource conflict"),
            Self::TooManyGrays => (20_010, "config gray version version over max count"),
            Self::Weight => (21_001, "weight error"),
            Self::InstanceNotFound => (21_003, "instance not found"),
            Self::ServiceExists => (21_007, "service already exist"),
            Self::ServiceUnknown => (21_008, "service not exist"),
            Self::ServiceNotEmpty => (21_009, "service delete failure"),
            Self::NamespaceIllegal => (22_000, "illegal namespace"),
            Self::NamespaceUnknown => (22_001, "namespace not exist"),
            Self::StateIllegal => (23_000, "illegal state"),
            Self::ServerError => (30_000, "server error"),
        }
    }

    pub(crate) fn of(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::NotFound,
            StatusCode::CONFLICT => Self::Conflict,
            status if status.is_client_error() => Self::ParameterInvalid,
            _ => Self::ServerError,
        }
    }
}

/// In which of Nacos's error styles a fault is worded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// The parameter filter: bare text over HTTP, `Param check invalid:` over gRPC.
    Filter,
    /// Bare text.
    Plain,
    /// `caused: …;`, the form of the config center.
    Caused,
    /// JSON with `timestamp, status, error, message, path`, the form of the web framework.
    Framework,
    /// `ErrorResponse` over gRPC instead of the request's own response: SDKs treat it as a fault of the connection.
    Error {
        /// `resultCode`, which is not always 500.
        result: u16,
    },
}

impl Fault {
    pub(crate) fn new(
        shape: Shape,
        status: StatusCode,
        code: u16,
        text: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            shape,
            status,
            code,
            text: text.into(),
            error: None,
            missing: None,
            limit: None,
            denial: None,
        }
    }

    /// The same, with the code that it has where answers are wrapped.
    pub(crate) fn with(self, error: ErrorCode) -> Self {
        Self { error: Some(error), ..self }
    }

    /// The same, at this limit.
    pub(crate) fn at(self, limit: Limit) -> Self {
        Self { limit: Some(limit), ..self }
    }

    /// A parameter breaks the rules of its kind.
    pub(crate) fn filter(text: String) -> Self {
        Self::new(Shape::Filter, StatusCode::BAD_REQUEST, 400, text)
    }

    /// The request is wrong.
    pub(crate) fn plain(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Shape::Plain, StatusCode::BAD_REQUEST, 400, text)
    }

    /// The request is wrong, says the config center.
    pub(crate) fn caused(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Shape::Caused, StatusCode::BAD_REQUEST, 400, text)
    }

    /// Naming over HTTP: a parameter is missing or empty.
    pub(crate) fn required(name: &str) -> Self {
        let missing = Some((name.to_owned(), "String".to_owned()));
        Self { missing, ..Self::plain(format!("Param '{name}' is required.")) }
    }

    /// Config over HTTP: a parameter is missing. Official 2.5.1 answers 500, and so do we: clients branch on it.
    pub(crate) fn missing(name: &str) -> Self {
        Self::missing_of(name, "String")
    }

    /// As `missing`, of a parameter that is no text.
    pub(crate) fn missing_of(name: &str, kind: &str) -> Self {
        let text = format!(
            "Required request parameter &#39;{name}&#39; for method parameter type {kind} is not present"
        );
        let missing = Some((name.to_owned(), kind.to_owned()));
        Self { missing, ..Self::new(Shape::Caused, StatusCode::INTERNAL_SERVER_ERROR, 400, text) }
    }

    /// Who asks may not, for want of the right unless `because` says otherwise.
    pub(crate) fn forbidden(text: impl Into<Cow<'static, str>>) -> Self {
        let fault = Self::new(Shape::Framework, StatusCode::FORBIDDEN, 403, text);
        Self { denial: Some(Denial::NoRight), ..fault }
    }

    /// The same, for this reason.
    pub(crate) fn because(self, denial: Denial) -> Self {
        Self { denial: Some(denial), ..self }
    }

    /// Known to Nacos, not to us yet: never a silent success.
    pub(crate) fn not_served(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Shape::Framework, StatusCode::NOT_IMPLEMENTED, 501, text)
    }

    /// A body that is not the JSON of its type.
    pub(crate) fn deserialize() -> Self {
        let text = "errCode: 101, errMsg: Nacos deserialize failed.  ";
        Self::new(Shape::Error { result: 500 }, StatusCode::BAD_REQUEST, 502, text)
    }

    /// The node does not serve yet. Never "not found": clients take that for "deleted".
    pub(crate) fn starting() -> Self {
        let text = "server is starting, please try again later!";
        Self::new(Shape::Error { result: 500 }, StatusCode::SERVICE_UNAVAILABLE, 300, text)
    }
}

impl From<Unavailable> for Fault {
    fn from(why: Unavailable) -> Self {
        let code = match why {
            Unavailable::Starting => return Self::starting(),
            Unavailable::Overloaded => 503,
            Unavailable::NoLeader
            | Unavailable::OutcomeUnknown
            | Unavailable::DiskFull
            | Unavailable::Stopping => 500,
        };
        let status = match why {
            Unavailable::DiskFull => StatusCode::INSUFFICIENT_STORAGE,
            Unavailable::Starting
            | Unavailable::NoLeader
            | Unavailable::OutcomeUnknown
            | Unavailable::Overloaded
            | Unavailable::Stopping => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(Shape::Plain, status, code, why.to_string())
    }
}
