//! Liveness and readiness under Nacos's names. Open to everyone, and without a version in them.

use crate::{
    NodeState, Views,
    fault::Fault,
    form::Form,
    operation::{Context, Need, Next, Operate, Operation},
    reply::{self, Rendered},
};
use cluster::Formation;
use http::StatusCode;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probe {
    Liveness,
    Readiness,
    /// Spring's `actuator/health`.
    Actuator,
}

impl Probe {
    pub(crate) fn liveness(_: &Form) -> Result<Operation, Fault> {
        Ok(Self::Liveness.into())
    }

    pub(crate) fn readiness(_: &Form) -> Result<Operation, Fault> {
        Ok(Self::Readiness.into())
    }

    pub(crate) fn actuator(_: &Form) -> Result<Operation, Fault> {
        Ok(Self::Actuator.into())
    }
}

impl Operate for Probe {
    fn need(&self) -> Need {
        Need::Nothing
    }

    fn run(&mut self, context: &mut Context<'_>) -> Next {
        let ready = match context.views.state() {
            NodeState::Ready => true,
            NodeState::Starting | NodeState::Draining => false,
        };
        let fine = if context.door.is_wrapped() { "ok" } else { "OK" };
        let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        let response = match (self, ready) {
            (Self::Liveness, _) => reply::http(StatusCode::OK, Some(reply::TEXT), fine),
            (Self::Readiness, true) => reply::http(status, Some(reply::TEXT), fine),
            (Self::Readiness, false) => {
                reply::http(status, Some(reply::TEXT), reason(context.views))
            }
            (Self::Actuator, true) => reply::http(status, Some(reply::JSON), r#"{"status":"UP"}"#),
            (Self::Actuator, false) => {
                reply::http(status, Some(reply::JSON), r#"{"status":"OUT_OF_SERVICE"}"#)
            }
        };
        Next::Reply(Rendered::Http(response))
    }
}

/// Why the node does not serve; nothing that a stranger must not know.
fn reason(views: &dyn Views) -> &'static str {
    let view = views.cluster();
    match (views.state(), view.as_ref().map(|view| &view.formation)) {
        (NodeState::Draining, _) => "the node is stopping",
        (_, Some(Formation::Fresh | Formation::Adopted { .. })) => {
            "the node waits for others to form a cluster with"
        }
        (_, Some(Formation::Joining { .. })) => "the node waits to be taken into the cluster",
        (_, Some(Formation::Formed { .. }) | None) => "the node is starting",
    }
}
