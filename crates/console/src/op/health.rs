//! GET /livez, GET /readyz: what load balancers and orchestrators ask, without a login and without a lock.

use crate::{
    Answer, Check, NodeState,
    operation::{Asked, Context, Next, Operation, Plan, Reply, Right},
    problem::Problem,
    shape::state_word,
};
use serde::Serialize;

pub(crate) fn live(_asked: &mut Asked) -> Result<Plan, Problem> {
    Ok(Plan::new(Right::Everyone, Live))
}

pub(crate) fn ready(asked: &mut Asked) -> Result<Plan, Problem> {
    let verbose = match asked.params.take("verbose").as_deref() {
        None | Some("false" | "0") => false,
        Some("" | "true" | "1") => true,
        Some(other) => {
            return Err(Problem::invalid(
                format!("parameter `verbose` is `{other}`"),
                "it must be `true` or `false`",
                "correct it or leave it out",
            ));
        }
    };
    Ok(Plan::new(Right::Everyone, Ready { verbose }))
}

#[derive(Debug)]
struct Live;

#[derive(Debug)]
struct Ready {
    verbose: bool,
}

/// No version and no names of anything: strangers may read it.
#[derive(Serialize)]
struct Health {
    state: &'static str,
    /// Why it does not serve.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    checks: Option<Vec<CheckLine>>,
}

#[derive(Serialize)]
struct CheckLine {
    name: &'static str,
    passed: bool,
    detail: String,
}

impl Operation for Live {
    fn go(&mut self, _cx: &Context<'_>, _answer: Option<Answer>) -> Result<Next, Problem> {
        Ok(Reply::json(&Health { state: "alive", reason: None, checks: None }))
    }
}

impl Operation for Ready {
    fn go(&mut self, cx: &Context<'_>, _answer: Option<Answer>) -> Result<Next, Problem> {
        let state = cx.views.state();
        let ready = state == NodeState::Ready;
        let checks: Vec<CheckLine> = cx
            .views
            .checks()
            .into_iter()
            .map(|Check { name, passed, detail }| CheckLine { name, passed, detail })
            .collect();
        let failed = checks.iter().find(|check| !check.passed);
        let reason = failed.filter(|_| !ready).map(|check| check.detail.clone());
        let status = if ready { 200 } else { 503 };
        let checks = self.verbose.then_some(checks);
        let health = Health { state: state_word(state), reason, checks };
        Ok(Next::Reply(Reply::of(status, "application/json", &health)))
    }
}
