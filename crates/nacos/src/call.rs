//! One request from its arrival to its answer: authenticate, freshness, authorize, run.

use crate::{
    Answer, Ask, CallId, Denial, Facts, Login, NodeState, Password, Views,
    client::Client,
    credential::{Credential, may_be_tried},
    fault::Fault,
    operation::{Context, Event, Need, Next, Operate, Operation, failed},
    reply::Door,
};
use access::{Action, Principal, Resource};
use base::{Consistency, Freshness, Instant, LogIndex, Now};
use std::sync::Arc;

/// Said to whoever cannot prove a name: the same for an unknown user and a wrong password.
pub(crate) const WRONG_CREDENTIAL: &str = "user not found!";

/// A request that is not answered yet.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) door: Door,
    pub(crate) operation: Operation,
    credential: Credential,
    stage: Stage,
    principal: Principal,
    /// The client's tag, for gray versions of configs.
    tag: Option<Arc<str>>,
    reader: Reader,
    /// What the answer of a read is stamped with.
    pub(crate) freshness: Option<Freshness>,
    /// When a held answer is due.
    pub(crate) due: Option<Instant>,
}

/// What who reads says of how fresh it must be.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reader {
    /// As asked for; else as the operation has it.
    pub(crate) wanted: Option<Consistency>,
    /// Through which entry the log was seen, on this connection or as the client says.
    pub(crate) seen: LogIndex,
}

/// How far a request has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It has just arrived.
    New,
    /// Waits whether a password may be tried.
    Attempt,
    /// Waits for the check of the password.
    Verify,
    /// Waits until the attempt is noted.
    Noted { right: bool },
    /// Waits for fresh views.
    Fresh,
    /// The operation has begun.
    Running,
}

/// What a step of a call may use of its session.
pub(crate) struct Surroundings<'a> {
    pub(crate) views: &'a dyn Views,
    pub(crate) now: Now,
    pub(crate) facts: &'a Facts,
    pub(crate) call: CallId,
    pub(crate) client: &'a mut Client,
}

impl Call {
    pub(crate) fn new(
        door: Door,
        operation: Operation,
        credential: Credential,
        tag: Option<Arc<str>>,
        reader: Reader,
    ) -> Self {
        let principal = Principal::Anonymous;
        Self {
            door,
            operation,
            credential,
            stage: Stage::New,
            principal,
            tag,
            reader,
            freshness: None,
            due: None,
        }
    }

    /// Whether the operation holds its answer for a change.
    pub(crate) fn is_held(&self) -> bool {
        self.due.is_some()
    }

    /// Whether the operation waits for a change, or for the answer that it may wait. Its planes may be quicker with
    /// the change than with the answer.
    pub(crate) fn listens(&self) -> bool {
        self.stage == Stage::Running && matches!(self.operation, Operation::Poll(_))
    }

    pub(crate) fn begin(&mut self, around: &mut Surroundings<'_>) -> Next {
        let need = self.operation.need();
        if need == Need::Nothing {
            return self.run(around);
        }
        if around.views.state() == NodeState::Starting {
            return Next::Fault(Fault::starting());
        }
        match (need, around.facts.login) {
            (Need::Right { .. }, Login::Required) => self.authenticate(around),
            (Need::Right { .. }, Login::Open) => {
                self.principal = Principal::Open;
                self.refresh(around)
            }
            (Need::Ready | Need::Nothing, Login::Required | Login::Open) => self.run(around),
        }
    }

    pub(crate) fn resume(&mut self, around: &mut Surroundings<'_>, event: Event) -> Next {
        self.due = None;
        match (self.stage, event) {
            (Stage::Running, event) => {
                let (operation, mut context) = self.split(around);
                operation.resume(&mut context, event)
            }
            (Stage::Attempt, Event::Answer(Answer::Access(access::Reply::Proceed))) => {
                let Some((user, password)) = self.named() else { return self.wrong() };
                let hash = around.views.access().password_hash(&user).map(Into::into);
                self.stage = Stage::Verify;
                Next::Ask(Ask::Verify { user, password, hash })
            }
            (Stage::Attempt, Event::Answer(Answer::Access(reply))) => {
                Next::Fault(throttled(&reply))
            }
            (Stage::Verify, Event::Answer(Answer::Verified(right))) => {
                let Some((user, _)) = self.named() else { return self.wrong() };
                self.stage = Stage::Noted { right };
                let address = around.facts.remote.ip().to_canonical().to_string().into();
                Next::Ask(Ask::Access(access::Request::Attempted { user, address, right }))
            }
            // Whether the attempt was noted or not: the password was right or wrong.
            (Stage::Noted { right: true }, Event::Answer(_)) => match self.named() {
                Some((user, _)) => {
                    self.principal = Principal::User(user);
                    self.refresh(around)
                }
                None => self.wrong(),
            },
            (Stage::Noted { right: false }, Event::Answer(_)) => self.wrong(),
            (Stage::Fresh, Event::Answer(Answer::Fresh(freshness))) => {
                self.authorize(around, freshness)
            }
            (
                Stage::New | Stage::Attempt | Stage::Verify | Stage::Noted { .. } | Stage::Fresh,
                event,
            ) => failed(event),
        }
    }

    fn named(&self) -> Option<(Arc<str>, Password)> {
        match &self.credential {
            Credential::Password { user, password } => {
                Some((user.as_str().into(), Password(password.clone())))
            }
            Credential::None | Credential::Token(_) => None,
        }
    }

    fn wrong(&self) -> Next {
        let why = match self.credential {
            Credential::None => Denial::NoCredential,
            Credential::Token(_) | Credential::Password { .. } => Denial::WrongPassword,
        };
        Next::Fault(Fault::forbidden(WRONG_CREDENTIAL).because(why))
    }

    fn authenticate(&mut self, around: &mut Surroundings<'_>) -> Next {
        match &self.credential {
            Credential::None => self.wrong(),
            Credential::Token(token) => {
                match around.views.access().authenticate(token, around.now.unix_ms) {
                    Ok(principal) => {
                        self.principal = principal;
                        self.refresh(around)
                    }
                    Err(access::TokenError::Expired) => Next::Fault(
                        Fault::forbidden("token expired!").because(Denial::TokenExpired),
                    ),
                    Err(_) => Next::Fault(
                        Fault::forbidden("token invalid!").because(Denial::TokenInvalid),
                    ),
                }
            }
            Credential::Password { user, password } if !may_be_tried(user, password) => {
                self.wrong()
            }
            Credential::Password { user, password } => {
                let user: Arc<str> = user.as_str().into();
                if around.views.remembered(&user, password) {
                    self.principal = Principal::User(user);
                    return self.refresh(around);
                }
                self.stage = Stage::Attempt;
                let address = around.facts.remote.ip().to_canonical().to_string().into();
                Next::Ask(Ask::Access(access::Request::Attempt { user, address }))
            }
        }
    }

    fn refresh(&mut self, around: &mut Surroundings<'_>) -> Next {
        let Need::Right { action, consistency, .. } = self.operation.need() else {
            return self.run(around);
        };
        let asked = self.reader.wanted.filter(|_| action == Action::Read);
        let consistency = asked.unwrap_or(consistency);
        match around.views.freshness(around.now, consistency, self.reader.seen) {
            Some(freshness) => self.authorize(around, freshness),
            None => {
                self.stage = Stage::Fresh;
                Next::Ask(Ask::Fresh(consistency))
            }
        }
    }

    /// Whether a read was answered with less than its operation asks for.
    pub(crate) fn is_staler_than_wanted(&self) -> bool {
        match (self.operation.need(), &self.freshness) {
            (Need::Right { consistency, .. }, Some(fresh)) => fresh.level < consistency,
            (_, _) => false,
        }
    }

    fn authorize(&mut self, around: &mut Surroundings<'_>, freshness: Freshness) -> Next {
        if let Need::Right { action, resources, consistency } = self.operation.need() {
            let access = around.views.access();
            if resources.iter().any(|r| access.allows(&self.principal, action, r).is_err()) {
                return Next::Fault(Fault::forbidden("authorization failed!"));
            }
            if action == Action::Read {
                let wanted = self.reader.wanted.unwrap_or(consistency);
                self.freshness = Some(if of_registry(&resources) {
                    around.views.registry_freshness()
                } else {
                    freshness.meeting(wanted, self.reader.seen).unwrap_or(freshness)
                });
            }
        }
        self.run(around)
    }

    /// Whether it may have brought something into the log.
    pub(crate) fn may_have_written(&self) -> bool {
        match self.operation.need() {
            Need::Right { action: Action::Write, resources, .. } => !of_registry(&resources),
            Need::Right { .. } | Need::Ready | Need::Nothing => false,
        }
    }

    fn run(&mut self, around: &mut Surroundings<'_>) -> Next {
        self.stage = Stage::Running;
        let (operation, mut context) = self.split(around);
        operation.run(&mut context)
    }

    fn split<'a>(
        &'a mut self,
        around: &'a mut Surroundings<'_>,
    ) -> (&'a mut Operation, Context<'a>) {
        let context = Context {
            views: around.views,
            now: around.now,
            facts: around.facts,
            door: &self.door,
            call: around.call,
            principal: &self.principal,
            tag: self.tag.as_ref(),
            client: around.client,
        };
        (&mut self.operation, context)
    }
}

fn of_registry(resources: &[Resource]) -> bool {
    matches!(resources.first(), Some(Resource::Service { .. }))
}

/// Why a password may not be tried. No hint whether the user exists.
pub(crate) fn throttled(reply: &access::Reply) -> Fault {
    match reply {
        access::Reply::TooManyFailures { retry_after } => Fault::forbidden(format!(
            "too many failed logins: try again in {} s",
            retry_after.as_millis().div_ceil(1_000)
        ))
        .because(Denial::TooManyFailures),
        access::Reply::Outcome(_)
        | access::Reply::Proceed
        | access::Reply::Noted
        | access::Reply::Refused(_) => {
            Fault::forbidden(WRONG_CREDENTIAL).because(Denial::WrongPassword)
        }
    }
}
