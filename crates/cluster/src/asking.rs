//! Requests: members, invitations, removal, the change of the leader.

use crate::{Body, Cluster, Command, Output, Reply, Request, Secret, TokenId, Why};
use base::{ConnectionId, Duration, Instant, NodeId, RequestId};

/// How long the change of the leader may take.
pub const TRANSFER_TIMEOUT: Duration = Duration::from_secs(2);
/// How long an invitation may hold.
pub const TTL_MAX: Duration = Duration::from_secs(30 * 24 * 3600);
/// How many may wait for another leader at once; one more is told that it took too long.
pub const TRANSFERS_MAX: usize = 64;
/// An invitation whose time is over is taken out of the log after this: nobody takes it any more, so there is no hurry.
const TIDY_INTERVAL: Duration = Duration::from_secs(10);

/// Somebody waits until a node leads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Transfer {
    to: ConnectionId,
    id: RequestId,
    next: NodeId,
    until: Instant,
}

impl Cluster {
    pub(crate) fn request(&mut self, to: ConnectionId, id: RequestId, request: Request) {
        let asked = match request {
            Request::Members => {
                self.refresh_view();
                return self.reply(to, id, Reply::Members(self.view.clone()));
            }
            // Whoever has no vote yet can be asked as well: what is decided goes through the log.
            _ if self.membership.voters.is_empty() => Err(Why::NotFormed),
            Request::MakeToken { ttl } => self.make_token(ttl),
            Request::EndToken(token) if !self.agreed.tokens.contains_key(&token) => {
                Err(Why::UnknownToken(token))
            }
            Request::EndToken(token) => Ok(Command::EndTokens(vec![token])),
            Request::Remove(node) => self.check_removal(node).map(|()| Command::Remove(node)),
            Request::TransferLeader(next) => return self.transfer(to, id, next),
        };
        match asked {
            Ok(command) => self.outputs.push_back(Output::Propose { to, id, command }),
            Err(why) => self.reply(to, id, Reply::Refused(why)),
        }
    }

    fn reply(&mut self, to: ConnectionId, id: RequestId, reply: Reply) {
        self.outputs.push_back(Output::Reply { to, id, reply });
    }

    fn make_token(&mut self, ttl: Duration) -> Result<Command, Why> {
        if ttl > TTL_MAX {
            return Err(Why::TtlTooLong);
        }
        if self.secret().is_none() {
            // From now on there is something that members can prove; whoever comes by the token receives it.
            self.wanted.secret = Some(Secret::random(&mut self.rng));
            self.keep();
        }
        let expires_ms = self.now.unix_ms.saturating_add(ttl.as_millis() as u64);
        let (id, key) = (TokenId(self.rng.next_u64()), Secret::random(&mut self.rng));
        Ok(Command::MakeToken { id, key, expires_ms })
    }

    fn check_removal(&self, node: NodeId) -> Result<(), Why> {
        if self.agreed.removed.contains(&node) {
            return Ok(());
        }
        let known = self.membership.is_member(node)
            || self.gossip.as_ref().is_some_and(|gossip| gossip.member(node).is_some());
        if !known {
            return Err(Why::UnknownNode(node));
        }
        if !self.membership.voters.contains(&node) {
            return Ok(());
        }
        if self.membership.voters.len() == 1 {
            return Err(Why::LastVoter);
        }
        if self.can_do_without(node) { Ok(()) } else { Err(Why::NoMajority) }
    }

    /// Whether of the voters that would be left without a node most are alive.
    pub(crate) fn can_do_without(&self, node: NodeId) -> bool {
        let left: Vec<&NodeId> =
            self.membership.voters.iter().filter(|voter| **voter != node).collect();
        let alive = left.iter().filter(|voter| self.is_alive(***voter)).count();
        alive * 2 > left.len()
    }

    fn transfer(&mut self, to: ConnectionId, id: RequestId, next: NodeId) {
        if self.membership.leader == Some(next) {
            return self.reply(to, id, Reply::Leads(next));
        }
        let can = self.membership.voters.contains(&next)
            && self.is_alive(next)
            && !self.agreed.removed.contains(&next);
        if !can {
            return self.reply(to, id, Reply::Refused(Why::CannotLead(next)));
        }
        if self.transfers.len() >= TRANSFERS_MAX {
            return self.reply(to, id, Reply::Refused(Why::TimedOut));
        }
        let until = self.now.instant.after(TRANSFER_TIMEOUT);
        self.transfers.push(Transfer { to, id, next, until });
        match self.membership.leader {
            Some(leader) if leader == self.me.node => {
                self.outputs.push_back(Output::TransferLeader(next));
            }
            // Lost: whoever asked is told that it took too long.
            Some(leader) => self.say(leader, Body::TransferLeader(next)),
            None => {}
        }
    }

    pub(crate) fn asked_to_hand_over(&mut self, next: NodeId) {
        if self.membership.leads && self.membership.voters.contains(&next) {
            self.outputs.push_back(Output::TransferLeader(next));
        }
    }

    /// The leader is another one now.
    pub(crate) fn answer_transfers(&mut self) {
        let leader = self.membership.leader;
        let (done, wait): (Vec<Transfer>, Vec<Transfer>) =
            self.transfers.drain(..).partition(|transfer| Some(transfer.next) == leader);
        self.transfers = wait;
        for Transfer { to, id, next, until: _ } in done {
            self.reply(to, id, Reply::Leads(next));
        }
    }

    pub(crate) fn end_transfers(&mut self) {
        let now = self.now.instant;
        let (over, wait): (Vec<Transfer>, Vec<Transfer>) =
            self.transfers.drain(..).partition(|transfer| transfer.until <= now);
        self.transfers = wait;
        for Transfer { to, id, .. } in over {
            self.reply(to, id, Reply::Refused(Why::TimedOut));
        }
    }

    pub(crate) fn transfers_deadline(&self) -> Option<Instant> {
        self.transfers.iter().map(|transfer| transfer.until).min()
    }

    /// Takes invitations whose time is over out of the log.
    pub(crate) fn tidy_tokens(&mut self) {
        let now = self.now;
        if !self.membership.leads
            || self.tidied.is_some_and(|at| now.instant.since(at) < TIDY_INTERVAL)
        {
            return;
        }
        let over = self.agreed.tokens.iter().filter(|(_, token)| token.expires_ms <= now.unix_ms);
        let over: Vec<TokenId> = over.map(|(id, _)| *id).collect();
        if !over.is_empty() {
            self.tidied = Some(now.instant);
            self.outputs.push_back(Output::Tidy(Command::EndTokens(over)));
        }
    }
}
