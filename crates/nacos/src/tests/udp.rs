//! Pushes by UDP.
//!
//! Commands: `poll ADDRESS SERVICE[/CLUSTERS] VERSION`, `answer CONNECTION ID WHAT`, `push CONNECTION SERVICE@VERSION …`, `ack
//! ADDRESS STAMP` (in milliseconds since the beginning), `datagram ADDRESS TEXT`, `wait MS`.

use super::{BEGIN, Scene, answer, check, run, service};
use crate::*;
use ::naming::{Request, ServiceKey};
use base::{ConnectionId, Duration, HybridTime, NodeId, Now, RequestId};
use bytes::Bytes;
use std::{fmt::Write, io::Read, sync::Arc};

fn connection(counter: u64) -> ConnectionId {
    ConnectionId { node: NodeId(1), boot: HybridTime(0), counter }
}

struct UdpStage {
    session: UdpSession,
    scene: Scene,
    now: Now,
    polls: u64,
}

impl UdpStage {
    fn new() -> Self {
        Self { session: UdpSession::default(), scene: Scene::new(), now: BEGIN, polls: 0 }
    }

    fn command(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        let input = match words[0] {
            "poll" => {
                self.polls += 1;
                let (name, clusters) = words[2].split_once('/').unwrap_or((words[2], ""));
                let (namespace, group) = ("public".into(), "DEFAULT_GROUP".into());
                UdpInput::Subscribe {
                    connection: connection(self.polls),
                    subscription: UdpSubscription {
                        address: words[1].parse().unwrap(),
                        agent: "Nacos-Java-Client:v1.4.8".into(),
                        application: "".into(),
                        service: ServiceKey { namespace, group, name: name.into() },
                        clusters: form::clusters(Some(clusters)),
                        shown: words[3].parse().unwrap(),
                    },
                }
            }
            "answer" => UdpInput::Answer {
                connection: connection(words[1].parse().unwrap()),
                id: RequestId(words[2].trim_start_matches('q').parse().unwrap()),
                answer: answer(words[3]),
            },
            "push" => UdpInput::Push {
                connection: connection(words[1].parse().unwrap()),
                view: Arc::new(service(&words[2..].join(" "))),
            },
            "ack" => {
                let stamp = (BEGIN.unix_ms + words[2].parse::<u64>().unwrap()) * 1_000_000;
                let text = format!(r#"{{"type":"push-ack","lastRefTime":"{stamp}","data":""}}"#);
                UdpInput::Datagram { from: words[1].parse().unwrap(), bytes: text.into() }
            }
            "datagram" => UdpInput::Datagram {
                from: words[1].parse().unwrap(),
                bytes: words[2..].join(" ").into(),
            },
            "wait" => {
                self.now = self.now.after(Duration::from_millis(words[1].parse().unwrap()));
                UdpInput::Wake
            }
            other => panic!("unknown command {other}"),
        };
        self.session.step(self.now, &self.scene, input);
        self.session.assert_consistent();
    }

    fn play(&mut self, script: &str) -> String {
        let mut transcript = String::new();
        for line in script.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')) {
            self.command(line);
            while let Some(output) = self.session.poll() {
                writeln!(transcript, "{}", udp_shown(&output)).unwrap();
            }
        }
        transcript
    }
}

fn udp_shown(output: &UdpOutput) -> String {
    match output {
        UdpOutput::Open(connection) => format!("open {}", connection.counter),
        UdpOutput::Ask { connection, id, request } => {
            let from = connection.counter;
            match request {
                Request::Subscribe { service, clusters, subscriber } => {
                    assert!(clusters.is_empty());
                    format!("ask {from} {id} subscribe {} {}", service.name, subscriber.address)
                }
                Request::Unsubscribe { service } => {
                    format!("ask {from} {id} unsubscribe {}", service.name)
                }
                other => panic!("unexpected {other:?}"),
            }
        }
        UdpOutput::Acknowledged { connection, service, version } => {
            format!("acknowledged {} {}@{version}", connection.counter, service.name)
        }
        UdpOutput::Close { connection, reason } => format!("close {} {reason}", connection.counter),
        UdpOutput::Datagram { to, bytes } => format!("send {to} {}", push_shown(bytes)),
    }
}

fn push_shown(bytes: &Bytes) -> String {
    let mut text = String::new();
    let packed = bytes.starts_with(&[0x1f, 0x8b]);
    if packed {
        flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap();
    } else {
        text = String::from_utf8(bytes.to_vec()).unwrap();
    }
    assert_eq!(packed, text.len() >= 1_024);
    let push: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(push["type"], "dom");
    let info: serde_json::Value = serde_json::from_str(push["data"].as_str().unwrap()).unwrap();
    let stamp = push["lastRefTime"].as_u64().unwrap() / 1_000_000 - BEGIN.unix_ms;
    let ports: Vec<String> =
        info["hosts"].as_array().unwrap().iter().map(|host| host["port"].to_string()).collect();
    let (name, clusters) = (info["name"].as_str().unwrap(), info["clusters"].as_str().unwrap());
    let version = &info["lastRefTime"];
    format!("+{stamp} {name}/{clusters}@{version} {}", ports.join(","))
}

fn converse(script: &str, expected: &str) {
    check(&UdpStage::new().play(script), expected);
}

/// The list request is answered as ever; beside it the node's UDP session hears of who listens.
#[test]
fn a_list_request_of_a_listening_client_subscribes_it() {
    let target = "/nacos/v1/ns/instance/list?serviceName=s&clusters=b,a&udpPort=700";
    let list = r#"http 1 200 application/json;charset=UTF-8 Stale@7 | {"name":"DEFAULT_GROUP@@s","#;
    for (request, subscribes) in [
        (format!("{target}&clientIP=10.0.0.9&app=shop user-agent=Nacos-Java-Client:v1.4.8"), true),
        (format!("{target}&clientIP=undefined user-agent=Nacos-Java-Client:v1.0.0"), true),
        (format!("{target} client-version=Nacos-Java-Client:v1.4.8"), true),
        (format!("{target}&clientIP=8.8.8.8 user-agent=Nacos-Java-Client:v1.4.8"), false),
        (format!("{target} user-agent=curl/8.0"), false),
        (format!("{target}x user-agent=Nacos-Java-Client:v1.4.8"), false),
    ] {
        let transcript = run(&format!("service s@70 10.1.0.1:80/a\nhttp GET {request}"));
        let lines: Vec<&str> = transcript.lines().collect();
        let (answered, told) = lines.split_last().unwrap();
        assert!(answered.contains(&list[..12]), "{request}: {transcript}");
        assert_eq!(told.len(), usize::from(subscribes), "{request}: {transcript}");
        if subscribes {
            assert!(
                told[0].starts_with("tell Subscribes(UdpSubscription { address: 10.0.0.9:700, ")
            );
            assert!(told[0].ends_with("clusters: [\"b\", \"a\"], shown: 70 })"), "{}", told[0]);
        }
    }
}

/// What was read is not pushed; what comes after is, once, until it is confirmed from the right place with the right stamp.
#[test]
fn a_change_is_pushed_and_confirmed() {
    converse(
        r#"
        poll 10.0.0.9:700 s 70
        answer 1 q1 done
        push 1 s@70 10.1.0.1:80
        push 1 s@71 10.1.0.1:80 10.1.0.1:81
        # Somebody else, the wrong stamp, junk: nothing.
        ack 10.0.0.8:700 0
        ack 10.0.0.9:701 0
        ack 10.0.0.9:700 1
        datagram 10.0.0.9:700 {"type":"push-ack"
        ack [::ffff:10.0.0.9]:700 0
        ack 10.0.0.9:700 0
        push 7 s@72 10.1.0.1:80
        wait 20000
        "#,
        "
        open 1
        ask 1 q1 subscribe s 10.0.0.9:700
        send 10.0.0.9:700 +0 DEFAULT_GROUP@@s/@71 80,81
        acknowledged 1 s@71
        ",
    );
}

/// Sent twice at most, 10 s apart; a newer view takes the place after 1 s, or as soon as the former is confirmed.
#[test]
fn a_lost_push_is_repeated_once_and_gives_way_to_a_newer_one() {
    converse(
        "
        poll 10.0.0.9:700 s 70
        push 1 s@71 10.1.0.1:80
        wait 9999
        wait 1
        poll 10.0.0.9:700 s 70
        wait 10000
        wait 10000
        push 1 s@72 10.1.0.1:80
        push 1 s@73 10.1.0.1:80
        push 1 s@74 10.1.0.1:80
        wait 999
        wait 1
        push 1 s@75 10.1.0.1:80
        ack 10.0.0.9:700 31000
        # A poll that saw it confirms it as well.
        poll 10.0.0.9:700 s 75
        wait 15000
        ",
        "
        open 1
        ask 1 q1 subscribe s 10.0.0.9:700
        send 10.0.0.9:700 +0 DEFAULT_GROUP@@s/@71 80
        send 10.0.0.9:700 +0 DEFAULT_GROUP@@s/@71 80
        send 10.0.0.9:700 +30000 DEFAULT_GROUP@@s/@72 80
        send 10.0.0.9:700 +31000 DEFAULT_GROUP@@s/@74 80
        acknowledged 1 s@74
        send 10.0.0.9:700 +31001 DEFAULT_GROUP@@s/@75 80
        ",
    );
}

/// Each set of clusters is a list of its own, named as it was asked for; the registry is asked once.
#[test]
fn clusters_are_lists_of_their_own() {
    converse(
        "
        poll 10.0.0.9:700 s/b,a 70
        poll 10.0.0.9:700 s 70
        poll 10.0.0.9:701 s 70
        push 1 s@71 10.1.0.1:80/a 10.1.0.1:81/c
        ",
        "
        open 1
        ask 1 q1 subscribe s 10.0.0.9:700
        open 3
        ask 3 q2 subscribe s 10.0.0.9:701
        send 10.0.0.9:700 +0 DEFAULT_GROUP@@s/@71 80,81
        send 10.0.0.9:700 +1 DEFAULT_GROUP@@s/b,a@71 80
        ",
    );
}

/// What is not renewed for 30 s ends; with the last list of a service its subscription, with the last of all the connection.
#[test]
fn who_polls_no_more_is_forgotten() {
    converse(
        "
        poll 10.0.0.9:700 s 70
        poll 10.0.0.9:700 t 70
        wait 20000
        poll 10.0.0.9:700 t 70
        wait 10000
        push 1 s@71 10.1.0.1:80
        push 1 t@71 10.1.0.1:80
        wait 20000
        poll 10.0.0.9:700 t 70
        ",
        "
        open 1
        ask 1 q1 subscribe s 10.0.0.9:700
        ask 1 q2 subscribe t 10.0.0.9:700
        ask 1 q3 unsubscribe s
        send 10.0.0.9:700 +30000 DEFAULT_GROUP@@t/@71 80
        close 1 it polls no more
        open 4
        ask 4 q4 subscribe t 10.0.0.9:700
        ",
    );
}

#[test]
fn a_refused_subscription_is_made_again_by_the_next_poll() {
    converse(
        "
        poll 10.0.0.9:700 s 70
        answer 1 q1 no-leader
        answer 1 q1 done
        poll 10.0.0.9:700 s 70
        ",
        "
        open 1
        ask 1 q1 subscribe s 10.0.0.9:700
        close 1 the registry refused its subscription
        open 2
        ask 2 q2 subscribe s 10.0.0.9:700
        ",
    );
}

/// Compressed from 1,024 bytes on; what does not fit into a datagram is left to the poll.
#[test]
fn large_lists_are_packed_and_too_large_ones_are_not_pushed() {
    let mut stage = UdpStage::new();
    stage.play("poll 10.0.0.9:700 s 70");
    let list = |count: u32| {
        let mut line = format!("push 1 s@{}", 70 + count);
        for n in 0..count {
            // Addresses without a pattern, so that they pack badly.
            let noise = u64::from(n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
            let [a, b, c, d, ..] = noise;
            write!(line, " {a}.{b}.{c}.{d}:80").unwrap();
        }
        line
    };
    assert_eq!(stage.play(&list(20)).lines().count(), 1);
    stage.play("ack 10.0.0.9:700 0");
    assert_eq!(stage.play(&list(8_000)), "");
    assert_eq!(stage.play(&format!("wait 1\n{}", list(8_001))), "");
}

#[test]
fn the_number_of_lists_and_of_subscribers_is_limited() {
    let mut stage = UdpStage::new();
    for n in 0..=SUBSCRIPTIONS_PER_SUBSCRIBER_MAX {
        stage.session.step(
            BEGIN,
            &stage.scene,
            UdpInput::Subscribe {
                connection: connection(n as u64),
                subscription: subscription("10.0.0.9:700", &format!("s{n}")),
            },
        );
    }
    let asked = std::iter::from_fn(|| stage.session.poll()).count();
    assert_eq!(asked, 1 + SUBSCRIPTIONS_PER_SUBSCRIBER_MAX);
    for n in 1..=SUBSCRIBERS_MAX {
        let address = format!("10.1.{}.{}:7", n / 256, n % 256);
        let subscription = subscription(&address, "s");
        let connection = connection(10_000 + n as u64);
        stage.session.step(BEGIN, &stage.scene, UdpInput::Subscribe { connection, subscription });
    }
    let asked = std::iter::from_fn(|| stage.session.poll()).count();
    assert_eq!(asked, 2 * (SUBSCRIBERS_MAX - 1));
    assert_eq!(stage.session.refused_count(), 2, "one list and one subscriber too many");
    stage.session.assert_consistent();
}

fn subscription(address: &str, name: &str) -> UdpSubscription {
    let (namespace, group) = ("public".into(), "DEFAULT_GROUP".into());
    UdpSubscription {
        address: address.parse().unwrap(),
        agent: "".into(),
        application: "".into(),
        service: ServiceKey { namespace, group, name: name.into() },
        clusters: Arc::from([]),
        shown: 0,
    }
}

proptest::proptest! {
    /// Whatever happens: the indexes agree with the slots, each open is closed once, and nobody is pushed to who has no
    /// open connection.
    #[test]
    fn indexes_agree_and_only_subscribers_are_pushed_to(
        commands in proptest::collection::vec((0_u8..6, 0_u8..4, 1_u64..9, 0_u32..12_000), 1..60),
    ) {
        let mut stage = UdpStage::new();
        let mut open = std::collections::BTreeSet::new();
        let mut stamps = Vec::new();
        for (what, who, n, ms) in commands {
            let address = format!("10.0.0.{}:7", who % 2);
            let list = ["s", "s/a", "t"][usize::from(who) % 3];
            let name = &list[..1];
            let stamp = stamps.get(ms as usize % stamps.len().max(1)).copied().unwrap_or(0_u64);
            let line = match what {
                0 | 1 => format!("poll {address} {list} {n}"),
                2 => format!("push {n} {name}@{ms} 10.1.0.1:80"),
                3 => format!("ack {address} {stamp}"),
                4 => format!("answer {n} q{n} {}", ["done", "no-leader"][usize::from(who) % 2]),
                _ => format!("wait {ms}"),
            };
            for line in stage.play(&line).lines() {
                let words: Vec<&str> = line.split(' ').collect();
                match words[0] {
                    "open" => assert!(open.insert(words[1].to_owned())),
                    "close" => assert!(open.remove(words[1])),
                    "send" => {
                        assert!(!open.is_empty());
                        stamps.push(words[2][1..].parse().unwrap());
                    }
                    _ => {}
                }
            }
        }
    }
}
