//! Tables: events and the present on one side, the sentence on the other.

use super::fake::{event, events, subject};
use crate::story::{Teller, of_config, of_instance, of_lock};
use base::NodeId;
use journal::{Cause, Event, Kind, Subject};
use naming::Instance;
use std::collections::BTreeMap;

const NOW_MS: u64 = 1_795_232_695_824;
const BY: Cause = Cause::Connection(super::CONNECTION);

fn told(events: &[Event], dropped: u64, listed: Option<&Instance>) -> String {
    let subject = subject();
    let teller = Teller { node: NodeId(1), now_ms: NOW_MS, subject: &subject, events, dropped };
    of_instance(&teller, "10.0.0.1:8080", listed)
}

fn instance() -> Instance {
    Instance {
        ip: "10.0.0.1".into(),
        port: 8080,
        cluster_name: "DEFAULT".into(),
        weight: 1.0,
        healthy: true,
        enabled: true,
        ephemeral: true,
        metadata: BTreeMap::new(),
        instance_id: None,
    }
}

#[test]
fn an_instance_that_is_listed() {
    let registered = event(30, BY, Kind::Registered, subject());
    let anew = event(10, BY, Kind::Registered, subject());
    assert_eq!(
        told(&[registered.clone(), anew], 0, Some(&instance())),
        "n1 lists 10.0.0.1:8080 since 03:44:25 UTC (30 s ago); \
         registered by connection 1-b007-7."
    );
    let silent = event(5, Cause::Timer, Kind::BecameUnhealthy, subject());
    let ill = Instance { healthy: false, enabled: false, weight: 0.0, ..instance() };
    assert_eq!(
        told(&[registered.clone(), silent], 0, Some(&ill)),
        "n1 lists 10.0.0.1:8080 since 03:44:25 UTC (30 s ago); registered by connection 1-b007-7. \
         It is unhealthy since 03:44:50 UTC (5 s ago): no beat came; it will be removed unless one \
         comes. It is disabled: callers do not see it. Its weight is 0: it gets no traffic."
    );
    let orphaned = event(2, Cause::Timer, Kind::Orphaned, subject());
    let text = told(&[registered, orphaned], 0, Some(&instance()));
    assert!(text.contains("Its owner is gone since 03:44:53 UTC (2 s ago)"), "{text}");
    assert_eq!(
        told(&[], 12, Some(&instance())),
        "n1 lists 10.0.0.1:8080; how it came there is not known: the journal of n1 does not reach \
         back far enough: it dropped 12 older events."
    );
}

#[test]
fn an_instance_that_is_not_listed() {
    assert_eq!(
        told(&events(), 0, None),
        "n1 does not list 10.0.0.1:8080: the connection that held it closed at 03:44:52 UTC \
         (3 s ago) (reset by peer)."
    );
    let table = [
        (Kind::Deregistered, "it was taken back at 03:44:52 UTC (3 s ago) by connection 1-b007-7."),
        (Kind::Expired, "no beat came, so it was removed at 03:44:52 UTC (3 s ago)."),
        (
            Kind::OrphanHidden,
            "its owner was gone and its client did not come back, so it was hidden at \
             03:44:52 UTC (3 s ago).",
        ),
    ];
    for (kind, ending) in table {
        let text = told(&[event(3, BY, kind, subject())], 0, None);
        assert_eq!(text, format!("n1 does not list 10.0.0.1:8080: {ending}"));
    }
    let started = event(60, Cause::Start, Kind::Started, Subject::Node);
    assert_eq!(
        told(&[started], 0, None),
        "n1 does not list 10.0.0.1:8080: nothing was heard of it since n1 started at \
         03:43:55 UTC (60 s ago)."
    );
}

#[test]
fn a_config_and_the_write_that_was_refused() {
    let key = super::key();
    let subject = Subject::Config {
        namespace: "public".into(),
        group: "DEFAULT_GROUP".into(),
        data_id: "app".into(),
    };
    let log = Cause::Log(base::LogIndex(12));
    let removed = event(9, log, Kind::Removed { revision: 12 }, subject.clone());
    let refused = event(4, log, Kind::Refused("its md5 is another".into()), subject.clone());
    let events = [removed, refused];
    let teller =
        Teller { node: NodeId(1), now_ms: NOW_MS, subject: &subject, events: &events, dropped: 0 };
    assert_eq!(
        of_config(&teller, &key, None),
        "n1 does not have public/DEFAULT_GROUP/app: it was removed at 03:44:46 UTC (9 s ago) \
         (revision 12). A later write was refused at 03:44:51 UTC (4 s ago): its md5 is another."
    );
}

#[test]
fn a_lock_that_is_held_and_one_that_is_free() {
    let subject = Subject::Lock("job".into());
    let log = Cause::Log(base::LogIndex(41));
    let granted = Kind::Granted { owner: "alice".into(), token: 41 };
    let granted = event(9, log, granted, subject.clone());
    let told = |events: &[Event], view: Option<&lock::View>| {
        let teller =
            Teller { node: NodeId(1), now_ms: NOW_MS, subject: &subject, events, dropped: 0 };
        of_lock(&teller, "job", view)
    };
    let mut fake = super::fake::Fake::new();
    fake.put_lock();
    assert_eq!(
        told(std::slice::from_ref(&granted), fake.lock.as_deref()),
        "n1 has the lock job held by alice with token 41 since 03:44:50 UTC (5 s ago); the lease is of 10000 ms, \
         renewed at 03:44:51 UTC (4 s ago). 2 wait for it."
    );
    let table = [
        (Kind::LeaseEnded { token: 41 }, "ended, since it was not renewed, at"),
        (Kind::Released { token: 41 }, "was released at"),
    ];
    for (kind, why) in table {
        let ended = event(4, log, kind, subject.clone());
        assert_eq!(
            told(&[granted.clone(), ended], None),
            format!(
                "n1 has the lock job held by nobody: the lease of alice with token 41 {why} 03:44:51 UTC (4 s ago)."
            )
        );
    }
    assert_eq!(
        told(&[], None),
        "n1 has the lock job held by nobody: nothing was heard of it since n1 started."
    );
}
