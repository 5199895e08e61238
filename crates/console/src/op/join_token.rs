//! POST /v1/cluster/join-token: invite one more node. The token is shown once.

use super::{cluster_reply, too_many_tokens};
use crate::{
    Answer, Ask,
    dates::rfc3339,
    operation::{Asked, Context, Next, Operation, Plan, Reply, Right, mismatch},
    problem::Problem,
    shape::{Invitation, InvitationTerms},
};
use access::{Action, Resource};
use base::Duration;
use cluster::Outcome;

/// How long an invitation holds if nothing else is asked for.
const TTL_DEFAULT: Duration = Duration::from_secs(24 * 3_600);

pub(crate) fn parse(asked: &mut Asked) -> Result<Plan, Problem> {
    let terms: InvitationTerms =
        if asked.body.is_empty() { InvitationTerms::default() } else { asked.json()? };
    let ttl = terms.ttl_s.map_or(TTL_DEFAULT, Duration::from_secs);
    if ttl == Duration::ZERO {
        return Err(Problem::invalid(
            "no token was made",
            "`ttl_s` is 0: it would be over at once",
            "give a time in seconds, or leave it out",
        ));
    }
    Ok(Plan::new(Right::To(Action::Write, Resource::Server), MakeToken { ttl }))
}

#[derive(Debug)]
struct MakeToken {
    ttl: Duration,
}

impl Operation for MakeToken {
    fn go(&mut self, cx: &Context<'_>, answer: Option<Answer>) -> Result<Next, Problem> {
        if answer.is_none() {
            return Ok(Next::Ask(Ask::Cluster(cluster::Request::MakeToken { ttl: self.ttl })));
        }
        match cluster_reply(answer)? {
            cluster::Reply::Outcome(Outcome::Token(token)) => {
                let view = cx.views.cluster();
                // The plane stamps the end itself, and its view may show it already: what others go by.
                let expires_ms = view
                    .as_ref()
                    .and_then(|view| view.tokens.get(&token.id))
                    .map_or_else(|| self.until(cx), |token| token.expires_ms);
                let address = view.map(|view| view.me.address.as_str().to_owned());
                let token = token.text();
                let join = address.map(|at| format!("trine server --join {at} --token {token}"));
                Ok(Reply::json(&Invitation { token, expires_at: rfc3339(expires_ms), join }))
            }
            cluster::Reply::Outcome(Outcome::TooManyTokens) => Err(too_many_tokens()),
            other => mismatch(&Some(Answer::Cluster(other))),
        }
    }
}

impl MakeToken {
    fn until(&self, cx: &Context<'_>) -> u64 {
        let ttl_ms = u64::try_from(self.ttl.as_millis()).unwrap_or(u64::MAX);
        cx.now.unix_ms.saturating_add(ttl_ms)
    }
}
