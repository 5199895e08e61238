use super::*;
use base::{LogIndex, Now};
use cluster::{Address, Founder};
use node::consensus::{Consensus, Output, Settings};
use storage::{LogWrite, SimDisk, Survivors};

const FATES: [Survivors; 5] =
    [Survivors::None, Survivors::All, Survivors::TornLast, Survivors::Random, Survivors::Random];

fn rng(seed: u8) -> Rng {
    Rng::from_seed([seed; 32])
}

/// The first write of a node whose cluster has these voters.
fn founded(me: u64, voters: &[u64]) -> LogWrite {
    let voters = voters.iter().copied().map(NodeId).collect();
    let settings = Settings::new(NodeId(me), voters, 7);
    let mut engine =
        Consensus::recover(settings, Now::START, consensus::Recovered::default()).expect("blank");
    loop {
        match engine.poll().expect("the beginning of the log is written") {
            Output::Persist { write, .. } => return crate::disk::to_storage(write),
            _ => continue,
        }
    }
}

/// The disk of node 1, in a cluster with these voters.
fn disk(voters: &[u64]) -> SimDisk {
    let sim = SimDisk::new(rng(1));
    let (mut disk, _) = Disk::open(Place::Simulated(sim.clone())).expect("empty");
    let founder = |node: &u64| Founder { node: NodeId(*node), address: Address::new("n:1").ok() };
    let founders: Vec<Founder> = voters.iter().map(founder).collect();
    let cluster = ClusterId::of_founders(&founders);
    let formation = cluster::Formation::Formed { cluster, founders };
    let identity = Identity { formation, ..Identity::fresh(NodeId(1)) };
    disk.set_identity(&identity.encode()).expect("room");
    disk.append(&[founded(1, voters)]).expect("room");
    sim
}

fn open(sim: &SimDisk) -> Result<Survivor, NotLeft> {
    Survivor::open(Place::Simulated(sim.clone()))
}

#[test]
fn a_survivor_tells_whom_it_forgets_and_is_alone_afterwards() {
    let sim = disk(&[1, 2, 3]);
    let survivor = open(&sim).expect("one of three");
    assert_eq!((survivor.node(), survivor.has_no_vote()), (NodeId(1), false));
    assert_eq!(survivor.forgotten(), [NodeId(2), NodeId(3)]);
    assert_eq!(survivor.standing().last, LogIndex(1));
    let before = survivor.cluster();
    assert!(matches!(open(&sim), Err(NotLeft::Disk(storage::Error::InUse { .. }))));
    let after = survivor.go_alone(&mut rng(2)).expect("room");
    assert_ne!(before, after);
    assert!(matches!(open(&sim), Err(NotLeft::SoleVoter)), "a second run changes nothing");
    let (_disk, recovered) = Disk::open(Place::Simulated(sim)).expect("it is whole");
    let identity = Identity::decode(&recovered.identity.expect("kept")).expect("whole");
    assert_eq!((identity.node, identity.formation.cluster()), (NodeId(1), Some(after)));
    assert_eq!(recovered.entries.len(), 2, "two removals");
}

#[test]
fn who_needs_no_others_or_has_nothing_of_them_is_no_survivor() {
    assert!(matches!(open(&disk(&[1])), Err(NotLeft::SoleVoter)));
    let nothing = SimDisk::new(rng(1));
    assert!(matches!(open(&nothing), Err(NotLeft::NoNode)));
    assert_eq!(nothing.operations(), 0, "a look makes no files");
    let (mut disk, _) = Disk::open(Place::Simulated(nothing.clone())).expect("empty");
    disk.set_identity(&Identity::fresh(NodeId(1)).encode()).expect("room");
    drop(disk);
    assert!(matches!(open(&nothing), Err(NotLeft::NeverFormed)));
    let (mut disk, _) = Disk::open(Place::Simulated(nothing.clone())).expect("whole");
    disk.append(&[founded(2, &[2, 3])]).expect("room");
    let joined = cluster::Formation::Joining { cluster: ClusterId(7) };
    let identity = Identity { formation: joined, ..Identity::fresh(NodeId(1)) };
    disk.set_identity(&identity.encode()).expect("room");
    drop(disk);
    assert!(matches!(open(&nothing), Err(NotLeft::NoMember)));
}

/// Whenever the power goes: one of three, or alone in another cluster; and what is left can be recovered, or need not be.
#[test]
fn a_power_cut_at_any_moment_leaves_the_old_state_or_the_new_one() {
    let start = disk(&[1, 2, 3]);
    let before = open(&start).expect("one of three").cluster();
    let mut outcomes = [0, 0];
    for cut in 0_u64.. {
        let mut is_done = false;
        for fate in FATES {
            let sim = start.copy();
            sim.crash_after(cut);
            if let Ok(survivor) = open(&sim) {
                is_done = survivor.go_alone(&mut rng(2)).is_ok();
            }
            sim.crash(fate);
            match open(&sim) {
                Ok(survivor) => {
                    assert!(!is_done, "an acknowledged recovery is lost");
                    assert_eq!(survivor.cluster(), before);
                    survivor.go_alone(&mut rng(3)).expect("the second run");
                    outcomes[0] += 1;
                }
                Err(NotLeft::SoleVoter) => outcomes[1] += 1,
                Err(other) => panic!("after {cut} operations, {fate:?}: {other}"),
            }
            let (_disk, recovered) = Disk::open(Place::Simulated(sim)).expect("it is whole");
            let identity = Identity::decode(&recovered.identity.expect("kept")).expect("whole");
            assert_ne!(identity.formation.cluster(), Some(before));
        }
        if is_done {
            break;
        }
    }
    assert!(outcomes.iter().all(|count| *count > 5), "{outcomes:?}");
}
