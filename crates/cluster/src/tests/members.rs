//! Who lives, who comes, who is removed, who leads.

use super::world::{World, check};
use crate::{Command, Input, Refusal, Request, TokenId};
use base::{Duration, LogIndex};

/// The commands about members. The engine is played by the script.
pub(super) fn command(world: &mut World, words: &[&str]) {
    match words {
        ["lead", name] => {
            let leader = world.node(name);
            let names: Vec<String> = world.machines.keys().cloned().collect();
            for other in names {
                let is_self = other == *name;
                world.step(&other, Input::Leader { leader: Some(leader), is_self });
            }
        }
        ["members", voters, learners @ ..] => {
            let nodes = |list: &str| list.split(',').map(|name| world.node(name)).collect();
            let voters: Vec<_> = nodes(voters);
            let learners: Vec<_> = learners.first().map(|list| nodes(list)).unwrap_or_default();
            let names: Vec<String> = world.machines.keys().cloned().collect();
            for name in names {
                let (voters, learners) = (voters.clone(), learners.clone());
                world.step(&name, Input::Members { voters, learners });
            }
        }
        ["remove", asked, name] => {
            let node = world.node(name);
            world.ask(asked, Request::Remove(node));
        }
        ["removed", name] => {
            let command = Command::Remove(world.node(name));
            let names: Vec<String> = world.machines.keys().cloned().collect();
            for other in names {
                if let Some(cluster) =
                    world.machines.get_mut(&other).and_then(|machine| machine.cluster.as_mut())
                {
                    cluster.apply(LogIndex(9), &command);
                }
                world.step(&other, Input::Applied(LogIndex(9)));
            }
        }
        ["transfer", asked, name] => {
            let node = world.node(name);
            world.ask(asked, Request::TransferLeader(node));
        }
        ["token", asked, seconds] => {
            let ttl = Duration::from_secs(seconds.parse().expect("seconds"));
            world.ask(asked, Request::MakeToken { ttl });
        }
        ["end", asked] => world.ask(asked, Request::EndToken(TokenId(1))),
        ["unfit", name] => world.step(name, Input::Unfit("its disk is full")),
        ["refused", name] => {
            let address = super::world::address("x");
            world.step(name, Input::PeerRefused { address, why: Refusal::Removed });
        }
        _ => panic!("unknown command {words:?}"),
    }
}

/// Three nodes that founded a cluster; `a` leads.
const THREE: &str = "> machine a join a,b,c expect 3
    > machine b join a,b,c expect 3
    > machine c join a,b,c expect 3
    > start a
    > start b
    > start c
    > wait 3000
    > lead a
    ";

#[test]
fn a_dead_node_is_gone_everywhere_within_five_seconds() {
    check(&format!(
        "{THREE}
         > kill c
         > wait 2500
         > wait 2500
         a: c is gone, last heard 5.0 s ago
         b: c is gone, last heard 4.4 s ago
         > start c
         > wait 1000
         > show
         a formed #1 3/3 alive, b formed #1 3/3 alive, c formed #1 3/3 alive"
    ));
}
