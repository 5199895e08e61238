//! Another implementation of SWIM, `foca`, in the same scenario: a death must be noticed about as soon here as there. It has
//! no local health and its suspicions have one length, which is the shortest of ours.

use crate::measures::{Detection, detection, mean, seconds};
use crate::network::Faults;
use base::{Duration, Instant, Rng};
use foca::{AccumulatingRuntime, Config, Foca, Member, OwnedNotification, PostcardCodec, Timer};
use std::{
    collections::BTreeMap,
    convert::Infallible,
    net::{Ipv4Addr, SocketAddrV4},
    num::NonZeroU32,
};

/// Our generator with the traits of theirs.
struct Chance(Rng);

impl rand::TryRng for Chance {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.0.next_u64() as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.0.next_u64())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(bytes);
        Ok(())
    }
}

type Peer = Foca<SocketAddrV4, PostcardCodec, Chance, foca::NoCustomBroadcast>;

enum Happening {
    Arrival(Vec<u8>),
    Timer(Timer<SocketAddrV4>),
}

/// Their nodes under our clock and delays.
struct Others {
    now: Instant,
    rng: Rng,
    peers: Vec<Option<Peer>>,
    happenings: BTreeMap<(Instant, u64), (usize, Happening)>,
    count: u64,
    /// When who was told that somebody is down.
    down: Vec<(Instant, usize)>,
}

fn place(index: usize) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(10, 20, 0, index as u8 + 1), 7848)
}

impl Others {
    fn formed(seed: u64, count: usize) -> Self {
        let mut bytes = [9; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let mut rng = Rng::from_seed(bytes);
        let size = NonZeroU32::new(count as u32).expect("there are nodes");
        let peers = (0..count)
            .map(|index| {
                let chance = Chance(rng.fork());
                Some(Foca::new(place(index), Config::new_lan(size), chance, PostcardCodec))
            })
            .collect();
        let mut others = Self {
            now: Instant::START,
            rng,
            peers,
            happenings: BTreeMap::new(),
            count: 0,
            down: Vec::new(),
        };
        for index in 0..count {
            // They start at random moments of one period, so that they do not probe together.
            others.now = others.now.after(Duration::from_millis(1000 / count as u64));
            let members = (0..count).filter(|other| *other != index).map(place).map(Member::alive);
            others.with(index, |peer, runtime| peer.apply_many(members, false, runtime));
        }
        others
    }

    fn with<R>(
        &mut self,
        index: usize,
        act: impl FnOnce(&mut Peer, &mut AccumulatingRuntime<SocketAddrV4>) -> R,
    ) {
        let Some(peer) = &mut self.peers[index] else { return };
        let mut runtime = AccumulatingRuntime::new();
        act(peer, &mut runtime);
        while let Some((to, bytes)) = runtime.to_send() {
            let delay = Duration::from_micros(200 + self.rng.below(1800));
            let to = usize::from(to.ip().octets()[3]) - 1;
            self.plan(delay, to, Happening::Arrival(bytes.to_vec()));
        }
        while let Some((delay, timer)) = runtime.to_schedule() {
            self.plan(delay, index, Happening::Timer(timer));
        }
        while let Some(notification) = runtime.to_notify() {
            if matches!(notification, OwnedNotification::MemberDown(_)) {
                self.down.push((self.now, index));
            }
        }
    }

    fn plan(&mut self, delay: Duration, index: usize, happening: Happening) {
        self.count += 1;
        self.happenings.insert((self.now.after(delay), self.count), (index, happening));
    }

    fn run(&mut self, end: Instant) {
        while let Some(entry) = self.happenings.first_entry().filter(|entry| entry.key().0 <= end) {
            self.now = entry.key().0;
            let (index, happening) = entry.remove();
            self.with(index, |peer, runtime| match happening {
                Happening::Arrival(bytes) => peer.handle_data(&bytes, runtime),
                Happening::Timer(timer) => peer.handle_timer(timer, runtime),
            });
        }
        self.now = end;
    }
}

/// When the first and when all others took the dead one for down, in seconds.
fn their_detection(count: usize, seed: u64) -> (f64, f64) {
    let mut others = Others::formed(seed, count);
    let phase = Duration::from_millis(others.rng.below(1000));
    others.run(others.now.after(Duration::from_secs(4) + phase));
    assert!(others.down.is_empty(), "nobody has died");
    let victim = others.rng.below(count as u64) as usize;
    others.peers[victim] = None;
    let died = others.now;
    others.run(died.after(Duration::from_secs(60)));
    assert_eq!(others.down.len(), count - 1, "seed {seed}: everybody notices once");
    let after = |at: Option<&(Instant, usize)>| seconds(at.expect("all noticed").0.since(died));
    (after(others.down.first()), after(others.down.last()))
}

#[test]
fn a_death_is_noticed_as_soon_as_by_foca() {
    for (count, seeds) in [(3, 50), (10, 50), (50, 4)] {
        let theirs: Vec<(f64, f64)> = (0..seeds).map(|seed| their_detection(count, seed)).collect();
        let ours: Vec<Detection> =
            (0..seeds).map(|seed| detection(count, seed, Faults::NONE)).collect();
        let of_theirs =
            |pick: fn(&(f64, f64)) -> f64| mean(&theirs.iter().map(pick).collect::<Vec<_>>());
        let of_ours = |pick: fn(&Detection) -> Duration| {
            mean(&ours.iter().map(|found| seconds(pick(found))).collect::<Vec<_>>())
        };
        let (first_theirs, all_theirs) = (of_theirs(|t| t.0), of_theirs(|t| t.1));
        let (first, all) = (of_ours(|found| found.down_first), of_ours(|found| found.down_all));
        println!(
            "{count} nodes: first down after {first:.2} s (foca {first_theirs:.2}), everywhere after {all:.2} s (foca {all_theirs:.2})"
        );
        assert!((0.7..1.3).contains(&(first / first_theirs)), "{count}: {first} {first_theirs}");
        assert!((0.5..1.3).contains(&(all / all_theirs)), "{count}: {all} {all_theirs}");
    }
}
