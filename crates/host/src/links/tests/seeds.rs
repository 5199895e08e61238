//! The seeds of the fuzz target `peer`: one real frame of each kind of message. Here, since here are nodes that send them.
//! `UPDATE_SEEDS=1` writes them anew, after the form of a message has changed.

use super::net::Net;
use crate::links::frame::{self, Frame};
use base::Duration;
use bytes::Bytes;
use node::{Lane, Said};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// As long as an input of the target may be, with the head of a record and room for others.
const FRAME_BYTES_MAX: usize = 2048;
const PREFIX: &str = "message-";

/// What a message is, in words that can name a file.
fn kind(message: &Said) -> String {
    let text = format!("{message:?}");
    let said = match message {
        Said::Consensus(message) => return format!("consensus-{:?}", message.kind()),
        Said::Cluster(_) => text.split_once("body: ").expect("it has one").1,
        Said::Naming(_) | Said::Gather(_) | Said::Proposal(_) => &text,
    };
    let words = said.split(|c: char| !c.is_ascii_alphanumeric());
    let names = words.filter(|word| word.starts_with(|c: char| c.is_ascii_uppercase()));
    let names: Vec<&str> = names.filter(|name| *name != "PeerMessage").take(3).collect();
    match message {
        Said::Cluster(_) => format!("cluster-{}", names[..names.len().min(2)].join("-")),
        Said::Gather(_) | Said::Proposal(_) => names[..2].join("-"),
        Said::Naming(_) | Said::Consensus(_) => names.join("-"),
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/peer")
}

/// What three nodes say to each other from their first moment on.
fn conversation() -> Vec<Bytes> {
    let mut net = Net::fresh(3);
    net.kept = Some(Vec::new());
    net.run_until_ready();
    let register = |net: &mut Net, machine, n: usize| {
        let uri = format!("/nacos/v1/ns/instance?serviceName=s{n}&ip=10.1.1.{n}&port=80");
        net.ask(machine, "POST", &uri);
    };
    for n in 0..6 {
        net.publish(n % 3, &format!("d{n}"), "content");
        register(&mut net, n % 3, n);
        net.ask(
            n % 3,
            "PUT",
            &format!("/nacos/v1/ns/instance/beat?serviceName=s{n}&ip=10.1.1.{n}&port=80"),
        );
    }
    net.ask(0, "GET", "/v1/configs/d0/explain?group=g");
    net.ask(0, "GET", "/v1/cluster/verify");
    net.ask(0, "POST", "/v1/cluster/repair");
    let leader = net.leader().expect("they serve");
    net.isolate(leader);
    net.run(Duration::from_secs(20));
    register(&mut net, (leader + 1) % 3, 7);
    net.heal();
    net.run(Duration::from_secs(20));
    net.kept.take().expect("kept")
}

fn write() {
    let mut seeds: BTreeMap<String, (Lane, Bytes)> = BTreeMap::new();
    for carried in conversation() {
        let Ok(Frame::Message(message)) = frame::decode(&carried) else { continue };
        let plain = frame::of_message(&message);
        let of_kind = seeds.entry(kind(&message.said)).or_insert((message.lane(), plain.clone()));
        // The longest one that fits says most.
        if (of_kind.1.len()..=FRAME_BYTES_MAX).contains(&plain.len()) {
            of_kind.1 = plain;
        }
    }
    for (kind, (lane, frame)) in seeds.into_iter().filter(|(_, (_, f))| f.len() <= FRAME_BYTES_MAX)
    {
        let lane = match lane {
            Lane::Urgent => 1,
            Lane::Bulk => 2,
        };
        let len = u16::try_from(frame.len()).expect("short").to_le_bytes();
        let record = [&[lane], &len[..], &frame].concat();
        fs::write(folder().join(format!("{PREFIX}{kind}")), record).expect("the folder is there");
    }
}

#[test]
fn a_seed_of_every_kind_of_message_still_reads() {
    if std::env::var_os("UPDATE_SEEDS").is_some() {
        write();
    }
    let mut kinds = Vec::new();
    for file in fs::read_dir(folder()).expect("the seeds are checked in") {
        let file = file.expect("it is there");
        let name = file.file_name().into_string().expect("plain text");
        let Some(named) = name.strip_prefix(PREFIX) else { continue };
        let record = fs::read(file.path()).expect("it reads");
        let frame = Bytes::from(record).slice(3..);
        match frame::decode(&frame) {
            Ok(Frame::Message(message)) => assert_eq!(kind(&message.said), named),
            other => panic!("{name}: {other:?}; UPDATE_SEEDS=1 writes it anew"),
        }
        kinds.push(named.to_owned());
    }
    for needed in
        ["consensus-Append", "consensus-Heartbeat", "consensus-Vote", "Naming-Offers-Delta"]
    {
        assert!(kinds.iter().any(|kind| kind == needed), "{needed} is not among {kinds:?}");
    }
    for needed in ["Naming", "cluster", "Gather", "Proposal"] {
        assert!(
            kinds.iter().any(|kind| kind.starts_with(needed)),
            "{needed} is not among {kinds:?}"
        );
    }
    assert!(kinds.len() >= 20, "{kinds:?}");
}
