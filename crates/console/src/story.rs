//! What the events of a subject, and how it stands now, come to in a plain sentence.

use crate::{dates::moment, words};
use base::NodeId;
use config::{ConfigKey, Entry};
use journal::{Cause, Event, Kind, Subject};
use naming::Instance;

/// What a story is told from.
pub(crate) struct Teller<'a> {
    /// The node that is asked.
    pub(crate) node: NodeId,
    /// Wall clock, milliseconds.
    pub(crate) now_ms: u64,
    /// Of whom.
    pub(crate) subject: &'a Subject,
    /// Oldest first; those of the subject, and what belongs to its story.
    pub(crate) events: &'a [Event],
    /// Events that are not known any more.
    pub(crate) dropped: u64,
}

impl Teller<'_> {
    /// The newest event of the subject itself that is one of these.
    fn last(&self, wanted: impl Fn(&Kind) -> bool) -> Option<&Event> {
        self.events.iter().rev().find(|one| one.subject == *self.subject && wanted(&one.kind))
    }

    /// The first and the last registration since the instance was last gone: it may be registered anew while it is
    /// listed.
    fn stay(&self) -> Option<(&Event, &Event)> {
        let came = |one: &&Event| {
            one.subject == *self.subject && matches!(one.kind, Kind::Registered | Kind::Adopted)
        };
        let gone = self.events.iter().rposition(|one| {
            one.subject == *self.subject && comes_or_goes(&one.kind) && !came(&one)
        });
        let since = &self.events[gone.map_or(0, |index| index + 1)..];
        Some((since.iter().find(came)?, since.iter().rev().find(came)?))
    }

    fn when(&self, event: &Event) -> String {
        moment(event.unix_ms, self.now_ms)
    }

    /// Why a connection closed.
    fn closing(&self, cause: &Cause) -> Option<&Event> {
        let Cause::Connection(id) = cause else { return None };
        self.events.iter().rev().find(|one| {
            one.subject == Subject::Connection(*id) && matches!(one.kind, Kind::Closed(_))
        })
    }

    /// Why the events do not tell.
    fn silence(&self) -> String {
        if self.dropped > 0 {
            return format!(
                "the journal of {} does not reach back far enough: it dropped {} older events",
                self.node, self.dropped
            );
        }
        let start = self.events.iter().rev().find(|one| matches!(one.kind, Kind::Started));
        match start {
            Some(start) => {
                format!(
                    "nothing was heard of it since {} started at {}",
                    self.node,
                    self.when(start)
                )
            }
            None => format!("nothing was heard of it since {} started", self.node),
        }
    }
}

/// Of an instance; `name` is how it is called, `listed` how it is shown now.
pub(crate) fn of_instance(teller: &Teller<'_>, name: &str, listed: Option<&Instance>) -> String {
    match listed {
        Some(instance) => instance_listed(teller, name, instance),
        None => instance_missing(teller, name),
    }
}

fn instance_listed(teller: &Teller<'_>, name: &str, instance: &Instance) -> String {
    let node = teller.node;
    let mut text = match teller.stay() {
        Some((first, last)) => format!(
            "{node} lists {name} since {}; registered by {}",
            teller.when(first),
            words::cause(&last.cause)
        ),
        None => {
            format!("{node} lists {name}; how it came there is not known: {}", teller.silence())
        }
    };
    if let Some(orphaned) = teller.last(turns_orphan)
        && orphaned.kind == Kind::Orphaned
    {
        text += &format!(
            ". Its owner is gone since {}: it will be hidden unless its client comes back",
            teller.when(orphaned)
        );
    }
    if !instance.healthy {
        text += &match teller.last(|kind| *kind == Kind::BecameUnhealthy) {
            Some(event) => format!(
                ". It is unhealthy since {}: no beat came; it will be removed unless one comes",
                teller.when(event)
            ),
            None => ". It is unhealthy: it registered so, or no beat came".to_owned(),
        };
    }
    if !instance.enabled {
        text += ". It is disabled: callers do not see it";
    }
    if instance.weight == 0.0 {
        text += ". Its weight is 0: it gets no traffic";
    }
    text + "."
}

fn turns_orphan(kind: &Kind) -> bool {
    matches!(kind, Kind::Orphaned | Kind::Adopted | Kind::Registered)
}

fn instance_missing(teller: &Teller<'_>, name: &str) -> String {
    let node = teller.node;
    let text = format!("{node} does not list {name}: ");
    let Some(event) = teller.last(comes_or_goes) else {
        return text + &teller.silence() + ".";
    };
    let when = teller.when(event);
    let why = match &event.kind {
        Kind::Deregistered => {
            format!("it was taken back at {when} by {}", words::cause(&event.cause))
        }
        Kind::ConnectionLost => {
            let reason = match teller.closing(&event.cause).map(|closed| &closed.kind) {
                Some(Kind::Closed(reason)) => format!(" ({reason})"),
                Some(_) | None => String::new(),
            };
            format!("the connection that held it closed at {when}{reason}")
        }
        Kind::Expired => format!("no beat came, so it was removed at {when}"),
        Kind::OrphanHidden => {
            format!(
                "its owner was gone and its client did not come back, so it was hidden at {when}"
            )
        }
        Kind::Orphaned => {
            format!("its owner is gone since {when}, and its client did not come back")
        }
        Kind::Registered | Kind::Adopted => match teller.closing(&event.cause) {
            Some(closed) => format!(
                "it was registered at {when} by {}, which is {} at {}",
                words::cause(&event.cause),
                words::kind(&closed.kind),
                teller.when(closed)
            ),
            None => format!(
                "it was registered at {when} by {}, and the journal does not say how it left; \
                 perhaps it stands under another cluster name",
                words::cause(&event.cause)
            ),
        },
        other => words::kind(other),
    };
    text + &why + "."
}

fn comes_or_goes(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::Registered
            | Kind::Adopted
            | Kind::Deregistered
            | Kind::ConnectionLost
            | Kind::Expired
            | Kind::Orphaned
            | Kind::OrphanHidden
    )
}

/// Of a config; `entry` is how it is now.
pub(crate) fn of_config(teller: &Teller<'_>, key: &ConfigKey, entry: Option<&Entry>) -> String {
    let node = teller.node;
    let mut text = match entry {
        Some(entry) => format!(
            "{node} has {key} at revision {} (md5 {}), published at {} by {}",
            entry.revision.0,
            entry.md5,
            moment(entry.modified_ms, teller.now_ms),
            author(&entry.author)
        ),
        None => match teller
            .last(|kind| matches!(kind, Kind::Published { .. } | Kind::Removed { .. }))
        {
            Some(event @ Event { kind: Kind::Removed { revision }, .. }) => format!(
                "{node} does not have {key}: it was removed at {} (revision {revision})",
                teller.when(event)
            ),
            Some(_) | None => format!("{node} does not have {key}: {}", teller.silence()),
        },
    };
    let changed = |kind: &Kind| {
        matches!(kind, Kind::Published { .. } | Kind::Removed { .. } | Kind::Refused(_))
    };
    if let Some(event @ Event { kind: Kind::Refused(why), .. }) = teller.last(changed) {
        text += &format!(". A later write was refused at {}: {why}", teller.when(event));
    }
    text + "."
}

/// Of a lock; `view` is how it is now, if somebody holds it.
pub(crate) fn of_lock(teller: &Teller<'_>, key: &str, view: Option<&lock::View>) -> String {
    let node = teller.node;
    if let Some(lock::View { lease, waiters, .. }) = view {
        let mut text = format!(
            "{node} has the lock {key} held by {} with token {} since {}; the lease is of {} ms, renewed at {}",
            lease.owner,
            lease.token,
            moment(lease.granted_ms, teller.now_ms),
            lease.ttl_ms,
            moment(lease.renewed_ms, teller.now_ms)
        );
        match waiters {
            0 => {}
            1 => text += ". One waits for it",
            waiters => text += &format!(". {waiters} wait for it"),
        }
        return text + ".";
    }
    let text = format!("{node} has the lock {key} held by nobody: ");
    let ended = |kind: &Kind| matches!(kind, Kind::Released { .. } | Kind::LeaseEnded { .. });
    let event = teller.last(ended);
    let (event, token, why) = match event.map(|event| (event, &event.kind)) {
        Some((event, Kind::Released { token })) => (event, *token, "was released"),
        Some((event, Kind::LeaseEnded { token })) => {
            (event, *token, "ended, since it was not renewed,")
        }
        Some(_) | None => return text + &teller.silence() + ".",
    };
    let granted = |kind: &Kind| matches!(kind, Kind::Granted { token: of, .. } if *of == token);
    let of = match teller.last(granted).map(|event| &event.kind) {
        Some(Kind::Granted { owner, .. }) => format!("of {owner} "),
        Some(_) | None => String::new(),
    };
    text + &format!("the lease {of}with token {token} {why} at {}.", teller.when(event))
}

fn author(author: &config::Author) -> String {
    match (&*author.user, &*author.address) {
        ("", "") => "an unknown client".to_owned(),
        ("", address) => format!("a client at {address} that was not logged in"),
        (user, "") => user.to_owned(),
        (user, address) => format!("{user} from {address}"),
    }
}
