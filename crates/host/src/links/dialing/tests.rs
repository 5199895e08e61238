//! Conversations. `at 1.5` sets the clock, in seconds; `open LINK NODE LIFE ADDRESS` says who answered.

use super::*;
use base::HybridTime;
use std::fmt::Write;

struct Talk {
    dialing: Dialing,
    now: Now,
    transcript: String,
}

fn address(text: &str) -> Address {
    Address::new(text).expect("plain text")
}

fn peer(node: &str, life: &str, at: &str) -> Introduction {
    Introduction {
        node: NodeId(node.parse().expect("a number")),
        life: HybridTime(life.parse().expect("a number")),
        cluster: None,
        address: address(at),
        protocols: cluster::PROTOCOLS,
    }
}

fn shown(output: Output) -> String {
    match output {
        Output::Dial { link, address } => format!("dial {address} as {}", link.0),
        Output::HangUp(link) => format!("hang up {}", link.0),
        Output::Up { link, address, peer } => {
            format!("{} is up at {address} by {}", peer.node, link.0)
        }
        Output::Down { node, .. } => format!("{node} is down"),
        Output::Refused { address, why } => format!("{address} is refused: {why:?}"),
    }
}

/// Runs a script of commands and returns the transcript.
fn run(script: &str) -> String {
    let mut talk = Talk {
        dialing: Dialing::new(Rng::from_seed([1; 32])),
        now: Now::START,
        transcript: String::new(),
    };
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        talk.line(line);
    }
    talk.transcript
}

impl Talk {
    fn line(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        let link = || LinkId(words[1].parse().expect("a number"));
        let input = match words[..] {
            ["want", ..] => Input::Want(words[1..].iter().map(|text| address(text)).collect()),
            ["open", _, node, life, at] => {
                Input::Opened { link: link(), peer: peer(node, life, at) }
            }
            ["refuse", _] => Input::Refused { link: link(), why: Refusal::OtherCluster },
            ["redial", _] => Input::Redial { link: link() },
            ["close", _] => Input::Closed { link: link(), why: "closed".to_owned() },
            ["hangup", _] => Input::HangUp { link: link(), why: "full" },
            ["at", seconds] => {
                let seconds: f64 = seconds.parse().expect("a number");
                self.now = Now::START.after(Duration::from_secs_f64(seconds));
                Input::Wake
            }
            _ => panic!("unknown command {line}"),
        };
        writeln!(self.transcript, "> {line}").expect("memory");
        self.dialing.step(self.now, input);
        while let Some(output) = self.dialing.poll() {
            writeln!(self.transcript, "{}", shown(output)).expect("memory");
        }
        if let Some(at) = self.dialing.deadline() {
            writeln!(self.transcript, "until {at}").expect("memory");
        }
        self.check();
    }

    fn check(&self) {
        for (link, address) in &self.dialing.links {
            match &self.dialing.targets[address].state {
                State::Dialing(dialing) => assert_eq!(dialing, link),
                State::Up(up) => assert_eq!(up.link, *link),
                other => panic!("{link:?} leads to {address}: {other:?}"),
            }
        }
        for (node, link) in &self.dialing.peers {
            let up = self.dialing.ups().find(|up| up.link == *link).expect("a peer has a link");
            assert_eq!(up.peer.node, *node);
        }
        for target in self.dialing.targets.values() {
            if let State::Served(node) = target.state {
                assert!(self.dialing.peers.contains_key(&node), "{node} serves nobody");
            }
        }
    }
}

#[test]
fn an_address_is_dialed_until_somebody_answers_after_longer_and_longer_waits() {
    let said = run("want a\nclose 1\nat 0.05\nclose 2\nat 0.2\nclose 3\nat 1\nopen 4 2 1 a");
    assert_eq!(
        said,
        "> want a\ndial a as 1\n\
         > close 1\nuntil +0.029s\n\
         > at 0.05\ndial a as 2\n\
         > close 2\nuntil +0.111s\n\
         > at 0.2\ndial a as 3\n\
         > close 3\nuntil +0.347s\n\
         > at 1\ndial a as 4\n\
         > open 4 2 1 a\nn2 is up at a by 4\n"
    );
}

#[test]
fn a_link_that_stayed_up_forgives_what_was_before_and_one_that_did_not_does_not() {
    let short = run("want a\nclose 1\nat 1\nclose 2\nat 2\nopen 3 2 1 a\nat 6.9\nclose 3");
    assert!(short.ends_with("> close 3\nn2 is down\nuntil +7.047s\n"), "{short}");
    let long = run("want a\nclose 1\nat 1\nclose 2\nat 2\nopen 3 2 1 a\nat 7\nclose 3");
    assert!(long.ends_with("> close 3\nn2 is down\nuntil +7.037s\n"), "{long}");
}

#[test]
fn two_addresses_of_one_node_are_one_link_and_the_other_takes_over_when_it_is_gone() {
    let said = run("want a b\nopen 1 2 1 b\nopen 2 2 1 b\nclose 1\nopen 3 2 1 b");
    assert_eq!(
        said,
        "> want a b\ndial a as 1\ndial b as 2\n\
         > open 1 2 1 b\nn2 is up at a by 1\n\
         > open 2 2 1 b\nhang up 2\n\
         > close 1\nn2 is down\ndial b as 3\nuntil +0.029s\n\
         > open 3 2 1 b\nn2 is up at b by 3\nuntil +0.029s\n"
    );
}

#[test]
fn a_link_found_by_a_seed_stays_when_only_the_advertised_address_is_wanted() {
    let said = run("want seed\nopen 1 2 1 b\nwant seed b\nwant b\nclose 1\nwant");
    assert_eq!(
        said,
        "> want seed\ndial seed as 1\n\
         > open 1 2 1 b\nn2 is up at seed by 1\n\
         > want seed b\n\
         > want b\n\
         > close 1\nn2 is down\nuntil +0.029s\n\
         > want\n"
    );
}

#[test]
fn what_is_wanted_no_more_is_hung_up_and_a_late_answer_too() {
    let said = run("want a b\nopen 1 2 1 a\nwant\nopen 2 3 1 b\nclose 1");
    assert_eq!(
        said,
        "> want a b\ndial a as 1\ndial b as 2\n\
         > open 1 2 1 a\nn2 is up at a by 1\n\
         > want\nhang up 1\nn2 is down\nhang up 2\n\
         > open 2 3 1 b\nhang up 2\n\
         > close 1\n"
    );
}

#[test]
fn a_later_life_takes_the_place_of_the_former_and_an_earlier_one_does_not() {
    let said = run("want a b\nopen 1 2 5 x\nopen 2 2 6 x");
    assert!(
        said.ends_with(
            "> open 2 2 6 x\nhang up 1\nn2 is down\nn2 is up at b by 2\nuntil +0.029s\n"
        ),
        "{said}"
    );
    let said = run("want a b\nopen 1 2 5 x\nopen 2 2 4 x");
    assert!(said.ends_with("> open 2 2 4 x\nhang up 2\n"), "{said}");
}

#[test]
fn whom_this_node_may_not_talk_to_is_left_alone_for_long_and_a_welcome_is_used_at_once() {
    let said = run("want a\nredial 1\nrefuse 2\nat 15\nhangup 9");
    assert_eq!(
        said,
        "> want a\ndial a as 1\n\
         > redial 1\nhang up 1\ndial a as 2\n\
         > refuse 2\nhang up 2\na is refused: OtherCluster\nuntil +17.628s\n\
         > at 15\nuntil +17.628s\n\
         > hangup 9\nhang up 9\nuntil +17.628s\n"
    );
}

#[test]
fn waits_double_from_50_ms_to_5_s_and_no_two_nodes_wait_alike() {
    let waits: Vec<u128> = (1..10).map(|failures| backoff(failures).as_millis()).collect();
    assert_eq!(waits, [50, 100, 200, 400, 800, 1600, 3200, 5000, 5000]);
    assert_eq!(backoff(u32::MAX), BACKOFF_MAX);
    let mut rng = Rng::from_seed([1; 32]);
    let drawn: Vec<Duration> = (0..100).map(|_| jittered(BACKOFF_MAX, &mut rng)).collect();
    assert!(drawn.iter().all(|wait| (BACKOFF_MAX / 2..=BACKOFF_MAX).contains(wait)));
    let distinct: std::collections::BTreeSet<_> = drawn.iter().collect();
    assert!(distinct.len() > 90, "{}", distinct.len());
}

mod laws {
    use super::*;
    use proptest::prelude::*;

    fn command() -> impl Strategy<Value = String> {
        prop_oneof![
            proptest::collection::btree_set("[abc]", 0..4)
                .prop_map(|set| set.into_iter().fold("want".to_owned(), |w, a| w + " " + &a)),
            (1..30u64, 2..4u64, 1..4u64, "[abcx]")
                .prop_map(|(link, node, life, at)| format!("open {link} {node} {life} {at}")),
            (1..30u64, prop_oneof!["close", "refuse", "hangup", "redial"])
                .prop_map(|(link, what)| format!("{what} {link}")),
            Just("wake".to_owned()),
        ]
    }

    proptest! {
        /// Whatever happens: the invariants hold after each step, and a node is up and down in turns.
        #[test]
        fn a_node_is_up_and_down_in_turns(commands in proptest::collection::vec(command(), 1..60)) {
            let mut script = String::new();
            for (step, command) in commands.iter().enumerate() {
                match command.as_str() {
                    "wake" => writeln!(script, "at {step}").expect("memory"),
                    other => writeln!(script, "{other}").expect("memory"),
                }
            }
            let mut up: BTreeMap<String, bool> = BTreeMap::new();
            for line in run(&script).lines().filter(|line| !line.starts_with('>')) {
                if let Some((node, rest)) = line.split_once(" is ")
                    && node.starts_with('n')
                {
                    let now_up = rest.starts_with("up");
                    prop_assert_ne!(up.insert(node.to_owned(), now_up).unwrap_or(false), now_up);
                }
            }
        }
    }
}
