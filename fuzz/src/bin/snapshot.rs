//! The pieces of a snapshot as a peer sends them: records of a kind, a length and a piece. An odd kind gets its checksum and
//! number put right first, as a peer with a bug would send it. What was installed is what is read, and read again.
#![no_main]
#![forbid(unsafe_code)]

use base::Rng;
use fuzz::records;
use storage::{Disk, Error, Place, Range, SimDisk};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut disk = empty();
    disk.begin_install().expect("the disk is well");
    let mut complete = false;
    let mut number = 0;
    for (kind, piece) in records(data) {
        let mut piece = piece.to_vec();
        if kind % 2 == 1 && piece.len() >= 12 {
            piece[4..12].copy_from_slice(&u64::to_le_bytes(number));
            let sum = crc32fast::hash(&piece[4..]);
            piece[..4].copy_from_slice(&sum.to_le_bytes());
        }
        match disk.install_piece(&piece) {
            Ok(last) => (complete, number) = (last, number + 1),
            Err(error) => assert!(matches!(error, Error::Piece { .. }), "{error}"),
        }
    }
    let finished = disk.finish_install(7, b"snapshot");
    assert_eq!(finished.is_ok(), complete, "{finished:?}");
    if complete {
        let mut copy = empty();
        copy.begin_install().expect("the disk is well");
        let mut reader = disk.snapshot_reader().expect("the tables are there");
        while let Some(piece) = reader.next_piece().expect("its rows are right") {
            copy.install_piece(&piece).expect("it is of our own making");
        }
        copy.finish_install(7, b"snapshot").expect("the last piece came");
        assert_eq!(rows(&copy), rows(&disk));
    }
});

fn empty() -> Disk {
    let place = Place::Simulated(SimDisk::new(Rng::from_seed([7; 32])));
    Disk::open(place).expect("a new disk can be opened").0
}

fn rows(disk: &Disk) -> Vec<(u8, storage::KeyValue)> {
    let of = |table| disk.range(&Range::all(table, usize::MAX)).expect("its rows are right");
    (0..=u8::MAX).flat_map(|table| of(table).into_iter().map(move |row| (table, row))).collect()
}
