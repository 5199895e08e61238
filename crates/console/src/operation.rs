//! What every operation has in common: it reads a request into a plan, and then goes on from answer to answer.

use crate::{Answer, Ask, CallId, Facts, Views, params::Params, problem::Problem, stream::Watch};
use access::{Action, Principal, Resource};
use base::{Consistency, Now};
use bytes::Bytes;
use http::HeaderMap;
use serde::{Serialize, de::DeserializeOwned};
use std::fmt::Debug;

/// A request as an operation reads it.
#[derive(Debug)]
pub(crate) struct Asked {
    /// Its number: a config watch listens under it.
    pub(crate) call: CallId,
    /// What stands at the `{}` of the route's path, percent-decoded, in order.
    pub(crate) segments: Vec<String>,
    /// The query.
    pub(crate) params: Params,
    /// The headers.
    pub(crate) headers: HeaderMap,
    /// The body.
    pub(crate) body: Bytes,
}

impl Asked {
    /// The text at the `index`-th `{}`.
    pub(crate) fn segment(&self, index: usize) -> &str {
        &self.segments[index]
    }

    /// The body as JSON.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        serde_json::from_slice(&self.body).map_err(|error| {
            Problem::invalid(
                "the body is not the JSON that this route takes",
                error.to_string(),
                "correct the body",
            )
        })
    }
}

/// What may be done by whom.
#[derive(Clone, Debug)]
pub(crate) enum Right {
    /// By everyone, logged in or not.
    Everyone,
    /// By whom the access tables allow it.
    To(Action, Resource),
    /// By whom the access tables allow it on all of these.
    ToAll(Action, Vec<Resource>),
}

/// What a request comes to.
#[derive(Debug)]
pub(crate) struct Plan {
    /// What it needs.
    pub(crate) right: Right,
    /// How fresh the views must be first; `None` for what reads none.
    pub(crate) fresh: Option<Consistency>,
    /// What is done then.
    pub(crate) operation: Box<dyn Operation>,
}

impl Plan {
    pub(crate) fn new(right: Right, operation: impl Operation + 'static) -> Self {
        Self { right, fresh: None, operation: Box::new(operation) }
    }

    /// The same, after the views are fresh.
    pub(crate) fn fresh(mut self, wanted: Consistency) -> Self {
        self.fresh = Some(wanted);
        self
    }
}

/// What an operation may look at.
pub(crate) struct Context<'a> {
    pub(crate) now: Now,
    pub(crate) facts: &'a Facts,
    pub(crate) views: &'a dyn Views,
    pub(crate) principal: &'a Principal,
}

impl Context<'_> {
    /// For the history: who asks.
    pub(crate) fn author(&self) -> config::Author {
        let user = match self.principal {
            Principal::User(name) => name.clone(),
            Principal::Anonymous | Principal::Open => "".into(),
        };
        config::Author { user, address: self.facts.remote.ip().to_string().into() }
    }
}

/// What comes next.
#[derive(Debug)]
pub(crate) enum Next {
    /// The answer.
    Reply(Reply),
    /// Ask this, and go on with its answer.
    Ask(Ask),
    /// Answer with a stream of events.
    Watch(Watch),
}

/// One request on its way: a resumable record.
pub(crate) trait Operation: Debug + Send {
    /// Goes on: at first without an answer, then with the one to the last `Next::Ask` (never `Unavailable`).
    fn go(&mut self, cx: &Context<'_>, answer: Option<Answer>) -> Result<Next, Problem>;
}

/// An answer with a body.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) body: Bytes,
    /// The entity tag, without its quotes.
    pub(crate) etag: Option<String>,
    /// What the path does take, for 405.
    pub(crate) allow: Option<Box<str>>,
}

impl Reply {
    /// 200 with JSON.
    pub(crate) fn json(shape: &impl Serialize) -> Next {
        Next::Reply(Self::of(200, "application/json", shape))
    }

    /// The same, with an entity tag.
    pub(crate) fn tagged(shape: &impl Serialize, etag: &str) -> Next {
        let mut reply = Self::of(200, "application/json", shape);
        reply.etag = Some(etag.to_owned());
        Next::Reply(reply)
    }

    /// Any status with any JSON.
    pub(crate) fn of(status: u16, content_type: &'static str, shape: &impl Serialize) -> Self {
        let body = serde_json::to_vec(shape).expect("our shapes have text keys and finite numbers");
        Self { status, content_type, body: body.into(), etag: None, allow: None }
    }
}

/// An answer of another kind than the question: the host broke its word, and nothing true can be said any more.
pub(crate) fn mismatch(answer: &Option<Answer>) -> ! {
    panic!("the host must answer each question in kind, but it gave {answer:?}");
}
