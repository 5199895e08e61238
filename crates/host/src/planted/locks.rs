//! Bugs of locks.

use super::{Planted, Planting};
use lock::{Outcome, Token};
use node::{Input, Output, Reply, Request};

impl Planting {
    /// What becomes of a request.
    pub(super) fn of_locks(&mut self, input: Input) -> Option<Input> {
        let Input::Request { from, id, request: Request::Lock(mut request) } = input else {
            return Some(input);
        };
        match (self.planted, &mut request) {
            (Planted::LostRenewal, lock::Request::Renew { token, ttl, .. }) => {
                let ttl_ms = ttl.map_or(0, |ttl| ttl.as_millis() as u64);
                let outcome = Outcome::Renewed { token: *token, ttl_ms };
                let reply = Reply::Lock(lock::Reply::Outcome(outcome));
                self.late.push_back(Output::Reply { to: from, id, reply });
                return None;
            }
            (
                Planted::OwnTokens,
                lock::Request::Renew { token, .. }
                | lock::Request::Release { token: Some(token), .. },
            ) => *token = self.tokens.get(&token.0).copied().unwrap_or(*token),
            _ => {}
        }
        Some(Input::Request { from, id, request: Request::Lock(request) })
    }

    /// With a token of this node instead of the log's.
    pub(super) fn own_token(&mut self, output: Output) -> Output {
        let Output::Reply { to, id, reply: Reply::Lock(lock::Reply::Outcome(mut outcome)) } =
            output
        else {
            return output;
        };
        if let Outcome::Granted { token, .. } | Outcome::Renewed { token, .. } = &mut outcome {
            let known = self.tokens.iter().find(|(_, real)| *real == token);
            let own = known.map_or(self.tokens.len() as u64 + 1, |(own, _)| *own);
            self.tokens.insert(own, *token);
            *token = Token(own);
        }
        Output::Reply { to, id, reply: Reply::Lock(lock::Reply::Outcome(outcome)) }
    }
}
