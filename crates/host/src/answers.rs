//! The node's replies in each edge's words. The edges must not know the node, so the host translates; there is nothing to
//! decide in it.

use crate::{
    Host,
    sessions::{Door, Message},
    work::TaskResult,
};
use base::RequestId;
use node::{Reply, Unavailable};
use std::sync::atomic::Ordering;

impl Host {
    /// A reply as the message for the edge that asked.
    pub(crate) fn answer(&self, id: RequestId, reply: Reply) -> Message {
        match Door::inner(id) {
            (Door::Nacos, id) => {
                Message::Nacos(nacos::Input::Answer { id, answer: to_nacos(reply) })
            }
            (Door::Console, id) => {
                let answer = self.to_console(reply);
                Message::Console(console::Input::Answer { id, answer })
            }
        }
    }

    /// The result of work as the message for the edge that asked; remembers a right password.
    pub(crate) fn work_answer(&self, door: Door, id: RequestId, result: TaskResult) -> Message {
        match result {
            TaskResult::Verified { user, password, right, revision } => {
                if right {
                    self.views.credentials.remember(revision, &user, &password);
                }
                match door {
                    Door::Nacos => {
                        let answer = nacos::Answer::Verified(right);
                        Message::Nacos(nacos::Input::Answer { id, answer })
                    }
                    Door::Console => {
                        let answer = console::Answer::Verified(right);
                        Message::Console(console::Input::Answer { id, answer })
                    }
                }
            }
            TaskResult::Hashed(hash) => {
                Message::Nacos(nacos::Input::Answer { id, answer: nacos::Answer::Hashed(hash) })
            }
            TaskResult::Inspected(archive) => {
                let answer = nacos::Answer::Inspected(archive);
                Message::Nacos(nacos::Input::Answer { id, answer })
            }
            TaskResult::Packed(archive) => {
                let answer = nacos::Answer::Packed(archive);
                Message::Nacos(nacos::Input::Answer { id, answer })
            }
            TaskResult::Secrets(_) => unreachable!("asked by the node, not by a session"),
        }
    }

    fn to_console(&self, reply: Reply) -> console::Answer {
        match reply {
            Reply::Naming(reply) => console::Answer::Naming(reply),
            Reply::Config(reply) => console::Answer::Config(reply),
            Reply::Access(reply) => console::Answer::Access(reply),
            Reply::Lock(reply) => console::Answer::Lock(reply),
            Reply::Fresh(freshness) => console::Answer::Fresh(freshness),
            Reply::Cluster(reply) => console::Answer::Cluster(reply),
            Reply::Events { events, dropped, silent } => {
                console::Answer::Explained { events, dropped, silent }
            }
            Reply::Crowds { crowds, silent } => console::Answer::Crowds { crowds, silent },
            Reply::Moved { clients, silent } => console::Answer::Shifted { clients, silent },
            Reply::Status(status) => console::Answer::Status(Box::new(self.status(*status))),
            Reply::Unavailable(why) => console::Answer::Unavailable(match why {
                Unavailable::Starting => console::Unavailable::Starting,
                Unavailable::NoLeader => console::Unavailable::NoLeader,
                Unavailable::OutcomeUnknown => console::Unavailable::OutcomeUnknown,
                Unavailable::DiskFull => console::Unavailable::DiskFull,
                Unavailable::Overloaded => console::Unavailable::Overloaded,
            }),
        }
    }

    fn status(&self, status: node::Status) -> console::Status {
        console::Status {
            node: status.node,
            state: console::Views::state(&self.views),
            term: status.term,
            leader: status.leader,
            commit: status.commit,
            applied: status.applied,
            voters: status.voters,
            lags: status.lags,
            behind: status.behind,
            uptime: status.uptime,
            counts: status.counts,
            configs: self.views.configs_len(),
            connections: self.connections_open.load(Ordering::Relaxed),
            doors: self.settings.doors.clone(),
            disk_kept: self.settings.disk_kept,
            disk_low: status.disk_full,
            auth: self.settings.auth,
            version: self.settings.version,
        }
    }
}

fn to_nacos(reply: Reply) -> nacos::Answer {
    match reply {
        Reply::Naming(reply) => nacos::Answer::Naming(reply),
        Reply::Config(reply) => nacos::Answer::Config(reply),
        Reply::Access(reply) => nacos::Answer::Access(reply),
        Reply::Lock(reply) => nacos::Answer::Lock(reply),
        Reply::Fresh(freshness) => nacos::Answer::Fresh(freshness),
        Reply::Unavailable(why) => nacos::Answer::Unavailable(match why {
            Unavailable::Starting => nacos::Unavailable::Starting,
            Unavailable::NoLeader => nacos::Unavailable::NoLeader,
            Unavailable::OutcomeUnknown => nacos::Unavailable::OutcomeUnknown,
            Unavailable::DiskFull => nacos::Unavailable::DiskFull,
            Unavailable::Overloaded => nacos::Unavailable::Overloaded,
        }),
        Reply::Crowds { crowds, silent } => nacos::Answer::Crowds { crowds, silent },
        Reply::Moved { clients, silent } => nacos::Answer::Shifted { clients, silent },
        Reply::Events { .. } | Reply::Status(_) | Reply::Cluster(_) => {
            unreachable!("the Nacos edge asks for neither journal nor status nor members")
        }
    }
}
