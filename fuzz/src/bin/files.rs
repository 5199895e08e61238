//! The files of a stopped node after the disk changed some of their bits: the first byte chooses the file, then each three
//! bytes are a place and what is flipped there. What is read back is what was written, or an error.
#![no_main]
#![forbid(unsafe_code)]

use base::Rng;
use std::sync::{Once, OnceLock};
use storage::{Disk, Entry, Error, LogWrite, Place, Range, Recovered, Row, SimDisk};

const FILES: [&str; 4] = ["raft.redb", "tables.redb", "witness", "hint"];

type Contents = (Recovered, Vec<storage::KeyValue>, Vec<Vec<u8>>);

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    static QUIET: Once = Once::new();
    // redb panics at some damage, and `storage` makes an error of that: here only a panic that nobody catches counts.
    QUIET.call_once(|| std::panic::set_hook(Box::new(|_| {})));
    static IMAGE: OnceLock<(SimDisk, Contents)> = OnceLock::new();
    let (image, written) = IMAGE.get_or_init(|| {
        let image = write();
        let contents = read(image.copy()).expect("nothing was changed yet");
        (image, contents)
    });
    let Some((file, patches)) = data.split_first() else { return };
    let file = FILES[usize::from(*file) % FILES.len()];
    let disk = image.copy();
    let len = disk.len(file);
    for [low, high, flips] in patches.as_chunks().0 {
        // Files of redb are long and begin with what matters most.
        let offset = u64::from(u16::from_le_bytes([*low, *high]));
        let offset = if offset < 4096 { offset } else { offset * len / 65_536 };
        for bit in (0..8).filter(|bit| flips >> bit & 1 == 1) {
            disk.flip_bit(file, offset, bit);
        }
    }
    if let Ok((recovered, rows, hint)) = read(disk) {
        assert_eq!((&recovered, &rows), (&written.0, &written.1), "{file}");
        // Of a hint the pieces before the damage may be given.
        assert!(written.2.starts_with(&hint), "{file}");
    }
});

fn read(disk: SimDisk) -> Result<Contents, Error> {
    let (disk, recovered) = Disk::open(Place::Simulated(disk))?;
    let rows = disk.range(&Range::all(16, usize::MAX))?;
    let hint = disk.read_hint();
    Ok((recovered, rows, hint))
}

fn write() -> SimDisk {
    let image = SimDisk::new(Rng::from_seed([7; 32]));
    let (mut disk, _) = Disk::open(Place::Simulated(image.clone())).expect("it is new");
    let entry = |index: u64| Entry { index, bytes: vec![index as u8; 40] };
    let write = LogWrite {
        entries: (1..9).map(entry).collect(),
        hard_state: Some(b"hard state".to_vec()),
        ..LogWrite::default()
    };
    let row = |number: u8| Row { table: 16, key: vec![number; 9], value: Some(vec![number; 90]) };
    disk.append(&[write]).expect("there is room");
    disk.apply_rows(8, &(0..20).map(row).collect::<Vec<Row>>()).expect("there is room");
    disk.checkpoint().expect("there is room");
    disk.begin_hint().expect("there is room");
    for piece in [&b"a hint"[..], b"goes on"] {
        disk.add_to_hint(piece).expect("there is room");
    }
    disk.complete_hint().expect("there is room");
    drop(disk);
    image
}
