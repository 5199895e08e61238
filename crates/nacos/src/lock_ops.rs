//! Locks: gRPC `LockOperationRequest`. As in Nacos, a lock of this door knows no owner: whoever releases it has it
//! released, and whoever holds it does not get it again. The lease and its fencing token are those of our own API, under
//! the same key.

use crate::{
    Answer, Ask, Unavailable,
    fault::Fault,
    grpc, json,
    operation::{Context, Event, Need, Next, Operate, Operation, failed},
    reply::{Door, Rendered},
};
use access::Resource;
use base::Duration;
use lock::{Outcome, Reply, Request};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The only type of lock that Nacos 3.0 has.
const NACOS_LOCK: &str = "NACOS_LOCK";
/// How long a lock is held by whoever asks for a negative time.
const TTL_DEFAULT: Duration = Duration::from_secs(30);
/// Whoever asks for more gets this.
const TTL_MAX: Duration = Duration::from_secs(1_800);

#[derive(Debug)]
pub(crate) struct OperateLock {
    wanted: Wanted,
}

#[derive(Debug)]
enum Wanted {
    Acquire {
        key: Arc<str>,
        ttl: Duration,
    },
    Release {
        key: Arc<str>,
    },
    /// What Nacos refuses in words, but only to whoever may ask.
    Wrong {
        key: Arc<str>,
        why: String,
    },
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Body {
    lock_instance: Option<LockInstance>,
    lock_operation_enum: Option<Kind>,
}

#[derive(Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Kind {
    Acquire,
    Release,
    Expire,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct LockInstance {
    #[serde(deserialize_with = "json::text")]
    key: Option<String>,
    /// Milliseconds.
    expired_time: Option<i64>,
    #[serde(deserialize_with = "json::text")]
    lock_type: Option<String>,
}

#[derive(Serialize)]
struct Done {
    result: bool,
}

impl OperateLock {
    pub(crate) fn from_grpc(body: &[u8]) -> Result<Operation, Fault> {
        let Body { lock_instance, lock_operation_enum } = grpc::read(body)?;
        let LockInstance { key, expired_time, lock_type } = lock_instance.unwrap_or_default();
        let named: Arc<str> = key.as_deref().unwrap_or_default().into();
        let wrong = |why: String| Wanted::Wrong { key: named.clone(), why };
        let wanted = match (lock_operation_enum, key, lock_type) {
            (None | Some(Kind::Expire), ..) => {
                wrong("There is no Handler of such operations!".into())
            }
            (Some(_), None, _) | (Some(_), _, None) => wrong("lockType or lockKey is null.".into()),
            (Some(_), Some(_), Some(kind)) if kind != NACOS_LOCK => {
                wrong(format!("lockType: {kind} is not exist."))
            }
            (Some(Kind::Release), ..) => Wanted::Release { key: named },
            (Some(Kind::Acquire), ..) => Wanted::Acquire { key: named, ttl: ttl(expired_time) },
        };
        Ok(Self { wanted }.into())
    }
}

fn ttl(expired_time: Option<i64>) -> Duration {
    match expired_time.map(u64::try_from) {
        Some(Ok(millis)) => Duration::from_millis(millis).clamp(lock::TTL_MIN, TTL_MAX),
        Some(Err(_)) | None => TTL_DEFAULT,
    }
}

impl Operate for OperateLock {
    fn need(&self) -> Need {
        let (Wanted::Acquire { key, .. } | Wanted::Release { key } | Wanted::Wrong { key, .. }) =
            &self.wanted;
        Need::write(Resource::Lock(Arc::clone(key)))
    }

    fn run(&mut self, context: &mut Context<'_>) -> Next {
        Next::Ask(Ask::Lock(match &self.wanted {
            Wanted::Acquire { key, ttl } => {
                // Another one each time: a second request of the same client must not get the lock as well.
                let owner = format!("nacos-{}-{}", context.facts.connection, context.call.0);
                let (key, ttl, wait) = (Arc::clone(key), *ttl, Duration::ZERO);
                Request::Acquire { key, owner: owner.into(), ttl, wait }
            }
            Wanted::Release { key } => Request::Release { key: Arc::clone(key), token: None },
            Wanted::Wrong { why, .. } => return Next::Reply(refusal(context.door, why)),
        }))
    }

    fn resume(&mut self, context: &mut Context<'_>, event: Event) -> Next {
        let Event::Answer(Answer::Lock(reply)) = event else { return failed(event) };
        let done = |result| Next::Reply(context.door.ok(Done { result }));
        match reply {
            Reply::Outcome(
                Outcome::Granted { .. } | Outcome::Renewed { .. } | Outcome::Released,
            ) => done(true),
            Reply::Outcome(
                Outcome::Held { .. } | Outcome::TimedOut | Outcome::NotHeld { .. } | Outcome::Ended,
            ) => done(false),
            Reply::Outcome(Outcome::Full { what, limit }) => {
                let why = format!("there are {limit} {what} already");
                Next::Reply(refusal(context.door, &why))
            }
            Reply::Unknown => Next::Fault(Unavailable::OutcomeUnknown.into()),
            Reply::Refused(why) => Next::Reply(refusal(context.door, &why.to_string())),
        }
    }
}

fn refusal(door: &Door, why: &str) -> Rendered {
    door.answer(500, 0, Some(why), Done { result: false })
}
