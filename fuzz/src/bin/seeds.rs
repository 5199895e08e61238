//! Writes the seeds that nobody can write by hand: what a node of this build puts on its disk. `run seeds`, after the format
//! of log or tables has changed.
#![no_main]
#![forbid(unsafe_code)]

use base::{HybridTime, NodeId, ProposalId, Rng, Term};
use bytes::Bytes;
use cluster::Introduction;
use fuzz::{Machine, record};
use node::{NotProposed, PeerMessage, ProposalMessage, Said};
use std::{fs, path::Path};
use storage::{Disk, Place, Row, SimDisk};

/// One change of each kind that enters the log.
const REQUESTS: &[&str] = &[
    "POST cs/configs?dataId=a&group=G&content=one&type=text&desc=d&config_tags=t,u&appName=x",
    "POST cs/configs?dataId=a&group=G&content=two&src_user=u",
    "POST cs/configs?dataId=a&group=G&content=blue&tag=blue",
    "POST cs/configs?dataId=b&group=G&tenant=n&content=%E5%80%BC",
    "DELETE cs/configs?dataId=b&group=G&tenant=n",
    "POST ns/instance?serviceName=s&ip=10.0.0.1&port=80&ephemeral=false&weight=2&metadata=a%3Db&clusterName=c",
    "PUT ns/instance?serviceName=s&ip=10.0.0.1&port=80&ephemeral=false&enabled=false&clusterName=c",
    "POST ns/service?serviceName=t&groupName=G&protectThreshold=0.5&metadata=a%3Db",
    "PUT ns/service?serviceName=t&groupName=G&protectThreshold=0.1",
    "DELETE ns/instance?serviceName=s&ip=10.0.0.1&port=80&ephemeral=false&clusterName=c",
    "DELETE ns/service?serviceName=t&groupName=G",
    "POST console/namespaces?customNamespaceId=n&namespaceName=name&namespaceDesc=text",
    "POST auth/roles?role=r&username=nacos",
    "POST auth/permissions?role=r&resource=public:*:*&action=rw",
    "DELETE auth/permissions?role=r&resource=public:*:*&action=rw",
    "DELETE auth/roles?role=r",
    "DELETE console/namespaces?namespaceId=n",
];

// A fuzz target like the others, since what is compiled for them links with nothing else; whatever its input.
libfuzzer_sys::fuzz_target!(|_data: &[u8]| write_all());

fn write_all() {
    let mut machine = Machine::serving(false);
    let mut tables = Vec::new();
    for line in REQUESTS {
        let (verb, target) = line.split_once(' ').expect("they are written so");
        let request = http::Request::builder().method(verb).uri(format!("/nacos/v1/{target}"));
        let before = machine.disk.writes.len();
        let sent = machine.http(request.body(Bytes::new()).expect("they are written so"));
        assert!(machine.disk.writes.len() > before, "{line}: not in the log: {sent:?}");
        tables.push(machine.disk.tables.clone());
    }
    let entries = machine.disk.writes.iter().flat_map(|write| &write.entries);
    let commands: Vec<Vec<u8>> = entries.filter_map(|(_, entry)| command(entry)).collect();
    for (number, command) in commands.iter().enumerate() {
        write("log", &format!("command-{number:02}"), &record(1, command));
    }
    let log: Vec<u8> = commands.iter().flat_map(|command| record(1, command)).collect();
    let last = machine.disk.writes.iter().rev().find_map(|write| write.hard_state.as_ref());
    write("log", "hard-state", &record(2, last.expect("a leader writes one")));
    write("log", "all", &log);
    for (number, rows) in tables.iter().enumerate() {
        let rows = rows.iter().flat_map(|((table, key), value)| {
            let len = u8::try_from(key.len()).expect("keys of seeds are short");
            record(*table, &[&[len], key.as_slice(), value].concat())
        });
        write("tables", &format!("after-{number:02}"), &rows.collect::<Vec<u8>>());
    }
    let rows = tables.last().expect("there are requests").iter();
    let rows: Vec<Row> = rows
        .map(|((table, key), value)| Row {
            table: *table,
            key: key.clone(),
            value: Some(value.clone()),
        })
        .collect();
    write_peers(&commands);
    write("snapshot", "right", &record(0, &snapshot(&rows)));
    write("snapshot", "mended", &record(1, &snapshot(&rows[..2])));
}

/// What another node says.
fn write_peers(commands: &[Vec<u8>]) {
    let (proposal, term) = (ProposalId(1), Term(1));
    let entry = commands.first().expect("there are some").clone();
    let messages = [
        ProposalMessage::Propose { proposal, term, entry },
        ProposalMessage::NotProposed { proposal, why: NotProposed::NotLeader },
        ProposalMessage::Unknown { proposal },
    ];
    for (number, message) in messages.into_iter().enumerate() {
        let message = PeerMessage { at: HybridTime(1 << 40), said: Said::Proposal(message) };
        let frame = [vec![1], message.encode()].concat();
        write("peer", &format!("proposal-{number}"), &record(2, &frame));
    }
    let me = Machine::serving(false).host.introduction().expect("it serves");
    let peer = Introduction { node: NodeId(9), ..me };
    write("peer", "introduction", &record(3, &peer.encode()));
    let piece = [&[3][..], &[0; 16], b"piece"].concat();
    write(
        "peer",
        "piece",
        &[record(2, &piece), record(1, &[1, 1, 0]), record(0, b"1234")].concat(),
    );
}

/// The command in an entry; `None` for the empty one of a new leader.
fn command(entry: &[u8]) -> Option<Vec<u8>> {
    let mut rest = &entry[1..];
    for _ in ["term", "index", "kind", "length"] {
        let len = rest.iter().position(|byte| byte & 0x80 == 0)? + 1;
        rest = &rest[len..];
    }
    (!rest.is_empty()).then(|| rest.to_vec())
}

fn snapshot(rows: &[Row]) -> Vec<u8> {
    let place = Place::Simulated(SimDisk::new(Rng::from_seed([7; 32])));
    let (mut disk, _) = Disk::open(place).expect("it is new");
    disk.apply_rows(7, rows).expect("there is room");
    let mut reader = disk.snapshot_reader().expect("the tables are there");
    reader.next_piece().expect("its rows are right").expect("there is a first one")
}

fn write(target: &str, name: &str, bytes: &[u8]) {
    let folder = Path::new("corpus").join(target);
    fs::create_dir_all(&folder).expect("it is run in its folder");
    fs::write(folder.join(name), bytes).expect("the folder is there");
}
