//! Frames that are nearly right. Whoever sends them has proven the secret, so it is a node of ours with a defect, or of
//! another build: its connection ends, and the node that reads it lives.

use super::net::Net;
use crate::{Host, InboundId, Lane, links::frame};
use base::Rng;
use bytes::Bytes;
use cluster::Introduction;
use std::sync::Arc;
use storage::SimDisk;

const FRAMES: usize = 8_000;

/// Frames of all kinds that nodes have sent to each other.
fn real_frames() -> (Net, Vec<Bytes>) {
    let mut net = Net::new(3, crate::LOG_BYTES_MAX);
    net.kept = Some(Vec::new());
    net.run_until_ready();
    for n in 0..5 {
        net.publish(n % 3, &format!("d{n}"), &"content".repeat(1 + n * 50));
        let uri = format!("/nacos/v1/ns/instance?serviceName=s{n}&ip=10.1.1.1&port=80");
        net.ask(n % 3, "POST", &uri);
    }
    net.run(base::Duration::from_secs(3));
    let mut frames = net.kept.take().expect("kept");
    frames.sort();
    frames.dedup();
    for number in 0..3 {
        frames.push(frame::of_piece(base::LogIndex(5), number, &[0; 40]));
    }
    (net, frames)
}

fn damaged(frame: &Bytes, rng: &mut Rng) -> Bytes {
    let mut frame = frame.to_vec();
    for _ in 0..=rng.below(3) {
        if frame.is_empty() {
            break;
        }
        let at = rng.below(frame.len() as u64) as usize;
        match rng.below(5) {
            0 => frame[at] ^= 1 << rng.below(8),
            1 => frame[at] = rng.below(256) as u8,
            2 => frame.truncate(at),
            3 => frame.insert(at, rng.below(256) as u8),
            _ => {
                let piece = frame[at..].to_vec();
                frame.extend(piece.into_iter().take(rng.below(20) as usize));
            }
        }
    }
    frame.into()
}

/// A connection of this peer to a host that lives. One that was told to halt in words that it has to believe is started
/// again as it was before.
fn connect(net: &mut Net, disk: &SimDisk, peer: &Introduction) -> (Arc<Host>, InboundId) {
    if net.host(1).halted().is_some() {
        net.crash(1);
        net.machines[1].disk = disk.copy();
        net.start(1);
        net.run_until("it runs", |net| net.host(1).introduction().is_some());
    }
    let host = net.host(1).clone();
    let inbound = host.accept(peer, Lane::Bulk).expect("a member");
    (host, inbound)
}

#[test]
fn frames_that_are_nearly_right_end_a_connection_at_most() {
    let (mut net, frames) = real_frames();
    let peer = net.host(0).introduction().expect("it runs");
    net.isolate(1);
    let mut rng = Rng::from_seed([1; 32]);
    net.crash(1);
    let disk = net.machines[1].disk.copy();
    net.start(1);
    net.run_until("it runs", |net| net.host(1).introduction().is_some());
    let (mut host, mut inbound) = connect(&mut net, &disk, &peer);
    let mut refused = 0;
    for _ in 0..FRAMES {
        let frame = damaged(&frames[rng.below(frames.len() as u64) as usize], &mut rng);
        let taken = host.peer_frame(net.now, inbound, frame.clone());
        refused += usize::from(taken.is_err());
        if let Some(why) = host.halted() {
            assert!(!why.starts_with("broken invariant"), "{why} after {frame:?}");
        }
        if taken.is_err() || host.halted().is_some() {
            (host, inbound) = connect(&mut net, &disk, &peer);
        }
        if rng.below(200) == 0 {
            net.run(base::Duration::from_millis(100));
        }
    }
    assert!((FRAMES / 10..FRAMES).contains(&refused), "{refused}");
}
