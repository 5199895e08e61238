//! Bits that flip while the node is down.

use super::*;

const FLIPS: u64 = 400;
/// The first page of a redb file says which tree is the newest: the most dangerous bytes, so all of its used ones.
const HEAD_BYTES: u64 = 320;

fn filled(closed: bool) -> (SimDisk, Recovered, Vec<KeyValue>) {
    let sim = SimDisk::new(rng(1));
    let (mut disk, _) = Disk::open(Place::Simulated(sim.clone())).unwrap();
    for batch in 0..12_u64 {
        let entries = (0..8).map(|i| entry(batch * 8 + i + 1, &"x".repeat(700))).collect();
        let write = LogWrite {
            entries,
            hard_state: Some(batch.to_le_bytes().into()),
            ..LogWrite::default()
        };
        disk.append(&[write]).unwrap();
        let rows: Vec<_> =
            (0..20).map(|i| row(&format!("{batch}-{i}"), &"y".repeat(200))).collect();
        disk.apply_rows(batch * 8 + 8, &rows).unwrap();
        disk.checkpoint().unwrap();
    }
    disk.set_identity(b"n1").unwrap();
    // As after kill -9: nothing was closed in order, and nothing that was written is lost.
    let killed = sim.copy();
    drop(disk);
    let copy = if closed { sim.copy() } else { killed };
    let (disk, recovered) = Disk::open(Place::Simulated(copy.copy())).unwrap();
    let rows = disk.range(&Range::all(1, usize::MAX)).unwrap();
    (copy, recovered, rows)
}

/// Whether a flip was found; panics if something wrong was served.
fn is_found(
    sim: &SimDisk,
    file: &'static str,
    offset: u64,
    bit: u8,
    right: &Recovered,
    rows: &[KeyValue],
) -> bool {
    let sim = sim.copy();
    sim.flip_bit(file, offset, bit);
    let place = Place::Simulated(sim);
    match Disk::open(place) {
        Err(Error::Corrupt { .. } | Error::Version { .. } | Error::Io { .. }) => true,
        Err(error) => panic!("{file} byte {offset} bit {bit}: {error}"),
        Ok((disk, recovered)) => {
            assert!(recovered == *right, "{file} byte {offset} bit {bit}: served a wrong log");
            match disk.range(&Range::all(1, usize::MAX)) {
                Err(Error::Corrupt { .. }) => true,
                Err(error) => panic!("{file} byte {offset} bit {bit}: {error}"),
                Ok(served) => {
                    assert!(served == rows, "{file} byte {offset} bit {bit}: served wrong rows");
                    false
                }
            }
        }
    }
}

#[test]
fn a_flipped_bit_is_found_or_hits_nothing() {
    let states = [filled(false), filled(true)];
    let mut rng = rng(9);
    let mut found = 0;
    for n in 0..FLIPS {
        let (sim, right, rows) = &states[usize::from(n % 4 < 2)];
        let file = if n % 2 == 0 { "raft.redb" } else { "tables.redb" };
        let offset = rng.below(sim.len(file));
        let bit = rng.below(8) as u8;
        found += u64::from(is_found(sim, file, offset, bit, right, rows));
    }
    assert!(found > FLIPS / 20, "most of a file is unused, but not all: {found}");
}

#[test]
fn a_flipped_bit_in_the_head_of_a_file_never_brings_back_an_older_state() {
    let (sim, right, rows) = filled(false);
    for file in ["raft.redb", "tables.redb"] {
        for offset in 0..HEAD_BYTES {
            is_found(&sim, file, offset, (offset % 8) as u8, &right, &rows);
        }
        // The byte that says which of two trees is the newest.
        for bit in 0..8 {
            is_found(&sim, file, 9, bit, &right, &rows);
        }
    }
}
