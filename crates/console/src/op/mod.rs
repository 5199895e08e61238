//! One file per operation.

pub(crate) mod config_delete;
pub(crate) mod config_get;
pub(crate) mod config_history;
pub(crate) mod config_list;
pub(crate) mod config_publish;
pub(crate) mod config_put;
pub(crate) mod explain;
pub(crate) mod health;
pub(crate) mod history;
pub(crate) mod instance_beat;
pub(crate) mod instance_delete;
pub(crate) mod instance_get;
pub(crate) mod instance_put;
pub(crate) mod join_token;
pub(crate) mod leader_put;
pub(crate) mod lock_delete;
pub(crate) mod lock_get;
pub(crate) mod lock_list;
pub(crate) mod lock_put;
pub(crate) mod lock_renew;
pub(crate) mod login;
pub(crate) mod member_delete;
pub(crate) mod member_list;
pub(crate) mod namespace_delete;
pub(crate) mod namespace_get;
pub(crate) mod namespace_list;
pub(crate) mod namespace_put;
pub(crate) mod rebalance;
pub(crate) mod service_delete;
pub(crate) mod service_get;
pub(crate) mod service_list;
pub(crate) mod service_put;
pub(crate) mod status;
pub(crate) mod verify;

use crate::{Answer, operation::mismatch, problem::Problem};
use access::{Action, Resource};
use config::ConfigKey;
use naming::ServiceKey;
use std::sync::Arc;

/// The right to do something with a service.
fn service_right(action: Action, key: &ServiceKey) -> crate::operation::Right {
    let resource = Resource::Service {
        namespace: Arc::clone(&key.namespace),
        group: Arc::clone(&key.group),
        name: Arc::clone(&key.name),
    };
    crate::operation::Right::To(action, resource)
}

/// The right to do something with a config.
fn config_right(action: Action, key: &ConfigKey) -> crate::operation::Right {
    let resource = Resource::Config {
        namespace: Arc::clone(&key.namespace),
        group: Arc::clone(&key.group),
        data_id: Arc::clone(&key.data_id),
    };
    crate::operation::Right::To(action, resource)
}

/// The registry's answer.
fn naming_reply(answer: Option<Answer>) -> Result<naming::Reply, Problem> {
    match answer {
        Some(Answer::Naming(
            naming::Reply::Refused(refusal)
            | naming::Reply::Outcome(naming::Outcome::Refused(refusal)),
        )) => Err(naming_refusal(&refusal)),
        Some(Answer::Naming(naming::Reply::Outcome(
            naming::Outcome::Done | naming::Outcome::Edited(_),
        ))) => Ok(naming::Reply::Done),
        Some(Answer::Naming(reply)) => Ok(reply),
        other => mismatch(&other),
    }
}

fn naming_refusal(refusal: &naming::Refusal) -> Problem {
    let why = refusal.to_string();
    match refusal {
        naming::Refusal::UnknownClient => Problem::conflict(
            "nothing was done",
            "the connection is unknown to the registry",
            "connect again",
        ),
        naming::Refusal::NotEphemeral
        | naming::Refusal::TooLong { .. }
        | naming::Refusal::OutOfRange { .. }
        | naming::Refusal::TooManyEdited { .. } => {
            Problem::invalid("nothing was changed", why, "correct it and send it again")
        }
        naming::Refusal::PersistentService(_) | naming::Refusal::EphemeralService(_) => {
            Problem::conflict(
                "nothing was registered",
                why,
                "register it in another service, or remove the instances of this one first",
            )
        }
        naming::Refusal::Full { .. } => {
            Problem::limit("nothing was changed", why, "remove what is no longer used")
        }
        naming::Refusal::NoSuchService(key) => no_service(key),
        naming::Refusal::NoSuchClient | naming::Refusal::NoSuchInstance => {
            Problem::not_found(why, "`trine instance list SERVICE` shows what there is")
        }
        naming::Refusal::Busy { .. } => {
            Problem::limit("nothing was compared", why, "try again in a moment")
        }
        naming::Refusal::NoLink(_) => Problem::conflict(
            "nothing was compared",
            why,
            "`trine cluster members` shows who is alive",
        ),
        naming::Refusal::HealthIsChecked { .. } => Problem::conflict(
            "nothing was changed",
            why,
            "set the health checker of the cluster to NONE first",
        ),
        naming::Refusal::TooManyPatterns { .. } => {
            Problem::limit("nothing is watched", why, "watch fewer patterns")
        }
        naming::Refusal::TooMany { .. } => {
            Problem::limit("nothing was done", why, "use another connection")
        }
        naming::Refusal::ServiceNotEmpty(_) => Problem::conflict(
            "the service was not removed",
            "it has instances",
            "remove them first: `trine instance list SERVICE` shows them",
        ),
        naming::Refusal::ServiceExists(_) => Problem::conflict(
            "the service was not created",
            "there is one of that name",
            "nothing needs to be done",
        ),
        naming::Refusal::ServiceUnknown(name) => no_service(name),
    }
}

fn no_service(name: &dyn std::fmt::Display) -> Problem {
    Problem::not_found(
        format!("there is no service {name}"),
        "`trine service list` shows what there is; check namespace and group",
    )
}

fn no_config(key: &ConfigKey) -> Problem {
    Problem::not_found(
        format!("there is no config {key}"),
        "`trine config list` shows what there is; check namespace and group",
    )
}

fn no_namespace(id: &str) -> Problem {
    Problem::not_found(format!("there is no namespace {id}"), "`trine ns list` shows what there is")
}

/// The config center's answer.
fn config_reply(answer: Option<Answer>) -> Result<config::Reply, Problem> {
    match answer {
        Some(Answer::Config(config::Reply::Refused(refusal))) => Err(config_refusal(&refusal)),
        Some(Answer::Config(reply)) => Ok(reply),
        other => mismatch(&other),
    }
}

fn config_refusal(refusal: &config::Refusal) -> Problem {
    match refusal {
        config::Refusal::ContentTooLarge { .. } => Problem::new(
            413,
            "too-large",
            "nothing was published",
            refusal.to_string(),
            "split the config",
        ),
        config::Refusal::TooManyListeners { .. } | config::Refusal::TooManyPatterns { .. } => {
            Problem::limit("nothing is watched", refusal.to_string(), "use another connection")
        }
        config::Refusal::Unreadable(_) => Problem::new(
            500,
            "unreadable",
            "the history could not be read",
            refusal.to_string(),
            "look at the node's log and disk",
        ),
        refusal => Problem::invalid(
            "nothing was published",
            refusal.to_string(),
            "correct it and publish again",
        ),
    }
}

/// The right to do something with a lock.
fn lock_right(action: Action, key: &str) -> crate::operation::Right {
    crate::operation::Right::To(action, Resource::Lock(key.into()))
}

/// What the log made of a request about a lock.
fn lock_outcome(answer: Option<Answer>) -> Result<lock::Outcome, Problem> {
    match answer {
        Some(Answer::Lock(lock::Reply::Outcome(lock::Outcome::Full { what, limit }))) => {
            Err(Problem::limit(
                "the lock was not granted",
                format!("there are {limit} {what} already"),
                "try again later, or wait with fewer",
            ))
        }
        Some(Answer::Lock(lock::Reply::Outcome(outcome))) => Ok(outcome),
        Some(Answer::Lock(lock::Reply::Unknown)) => {
            Err(Problem::unavailable(crate::Unavailable::OutcomeUnknown))
        }
        Some(Answer::Lock(lock::Reply::Refused(refusal))) => Err(Problem::invalid(
            "nothing was changed",
            refusal.to_string(),
            "correct it and send it again",
        )),
        other => mismatch(&other),
    }
}

/// No grant with this token holds the lock.
fn not_held(key: &str, current: Option<lock::Token>) -> Problem {
    let why = match current {
        Some(token) => format!("it is held with token {token}"),
        None => "it is free".to_owned(),
    };
    Problem::new(
        409,
        "not-held",
        format!("the lock {key} is not held with this token"),
        why,
        "stop what you do under this lock; acquire it again",
    )
}

/// What the log made of a config write.
fn config_outcome(answer: Option<Answer>) -> Result<config::Outcome, Problem> {
    match config_reply(answer)? {
        config::Reply::Outcome(outcome) => Ok(outcome),
        other => mismatch(&Some(Answer::Config(other))),
    }
}

/// The cluster's answer.
fn cluster_reply(answer: Option<Answer>) -> Result<cluster::Reply, Problem> {
    match answer {
        Some(Answer::Cluster(cluster::Reply::Refused(why))) => Err(cluster_refusal(&why)),
        Some(Answer::Cluster(reply)) => Ok(reply),
        other => mismatch(&other),
    }
}

fn cluster_refusal(why: &cluster::Why) -> Problem {
    use cluster::Why;
    match why {
        Why::NotFormed => Problem::new(
            503,
            "not-formed",
            "nothing was done",
            "this node belongs to no cluster yet",
            "wait until /readyz?verbose says that it does, or ask a member",
        ),
        Why::UnknownNode(node) => Problem::not_found(
            format!("there is no member {node}"),
            "`trine cluster members` shows who there is",
        ),
        Why::UnknownToken(id) => Problem::not_found(
            format!("there is no join token {id}"),
            "`trine cluster members -o json` shows the open ones",
        ),
        Why::LastVoter => Problem::conflict(
            "the member was not removed",
            "it is the only one that decides",
            "let another node join first",
        ),
        Why::NoMajority => Problem::conflict(
            "the member was not removed",
            "too few of the voters that would remain are alive: nothing could be decided any more",
            "bring other members back first; `trine cluster members` shows them",
        ),
        Why::CannotLead(node) => Problem::conflict(
            "the leader is as it was",
            format!("{node} has no vote, or is not alive"),
            "name a voter that is alive; `trine cluster members` shows them",
        ),
        Why::TimedOut => Problem::new(
            504,
            "timeout",
            "the leader has not handed over",
            "it did not do so in time; it may yet",
            "look at `trine cluster members`, and ask again",
        ),
        Why::TtlTooLong => Problem::invalid(
            "no token was made",
            format!("a join token holds {} days at most", cluster::TTL_MAX.as_secs() / 86_400),
            "ask for a shorter time",
        ),
        Why::TooManyTokens => too_many_tokens(),
    }
}

fn too_many_tokens() -> Problem {
    Problem::limit(
        "no token was made",
        "there are too many open ones",
        "use one of them, or wait until they end",
    )
}
