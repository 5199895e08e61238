//! Disks that fail while the node runs.

use super::*;

#[test]
fn after_a_failed_fsync_nothing_is_written_any_more() {
    let sim = SimDisk::new(rng(1));
    let (mut disk, _) = Disk::open(Place::Simulated(sim.clone())).unwrap();
    disk.append(&[put(vec![entry(1, "a")])]).unwrap();
    sim.fail_syncs(1);
    let failed = disk.append(&[put(vec![entry(2, "b")])]);
    assert!(matches!(failed, Err(Error::SyncFailed { file: "raft.redb", .. })), "{failed:?}");
    let before = sim.operations();
    assert_eq!(disk.append(&[put(vec![entry(2, "b")])]), failed, "the disk would work again");
    assert_eq!(disk.apply_rows(1, &[row("k", "v")]), failed, "the other file as well");
    assert_eq!(disk.checkpoint(), failed.clone().map(|()| 0));
    assert_eq!(disk.set_identity(b"n1"), failed);
    assert_eq!(disk.reopen(), failed.map(|()| Recovered::default()));
    assert_eq!(sim.operations(), before, "not one byte went out");
    drop(disk);
    sim.crash(Survivors::All);
    let (_, recovered) = Disk::open(Place::Simulated(sim)).unwrap();
    assert_eq!(recovered.entries, [entry(1, "a")], "the acknowledged entry is there");
}

#[test]
fn a_failed_fsync_of_a_checkpoint_stops_the_log_too() {
    let sim = SimDisk::new(rng(1));
    let (mut disk, _) = Disk::open(Place::Simulated(sim.clone())).unwrap();
    disk.apply_rows(1, &[row("k", "v")]).unwrap();
    sim.fail_syncs(1);
    let failed = disk.checkpoint();
    assert!(matches!(failed, Err(Error::SyncFailed { file: "tables.redb", .. })), "{failed:?}");
    assert!(disk.append(&[put(vec![entry(1, "a")])]).is_err());
}

#[test]
fn a_full_disk_costs_the_reserve_first_and_nothing_else() {
    let sim = SimDisk::new(rng(1));
    let (mut disk, _) = Disk::open(Place::Simulated(sim.clone())).unwrap();
    assert!(!disk.free_space_low());
    sim.fill();
    disk.append(&[put(vec![entry(1, "a")])]).expect("the reserve is given up for it");
    assert!(disk.free_space_low(), "now the node refuses writes");
    sim.free();
    assert!(!disk.free_space_low(), "the reserve is held again");
}

#[test]
fn a_disk_that_is_full_all_the_same_goes_on_without_a_restart() {
    let sim = SimDisk::new(rng(1));
    let (mut disk, _) = Disk::open(Place::Simulated(sim.clone())).unwrap();
    disk.append(&[put(vec![entry(1, "a")])]).unwrap();
    disk.apply_rows(1, &[row("k", "v")]).unwrap();
    disk.checkpoint().unwrap();
    sim.fill_with_reserve();
    let full = disk.append(&[put(vec![entry(2, "b")])]);
    assert_eq!(full, Err(Error::Full { file: "raft.redb" }));
    assert!(disk.free_space_low());
    assert_eq!(disk.append(&[put(vec![entry(2, "b")])]), full, "redb answers nothing else now");
    let again = disk.reopen();
    assert!(matches!(again, Err(Error::Full { .. })), "still no space: {again:?}");
    assert!(matches!(disk.append(&[put(vec![entry(2, "b")])]), Err(Error::Full { .. })));
    sim.free();
    let recovered = disk.reopen().unwrap();
    assert_eq!(recovered.entries, [entry(1, "a")], "what was not acknowledged is not there");
    assert_eq!(recovered.applied, 1);
    disk.append(&[put(vec![entry(2, "c")])]).unwrap();
    assert_eq!(disk.get(1, b"k").unwrap().unwrap(), b"v");
    assert!(!disk.free_space_low());
}

#[test]
fn a_disk_that_fills_up_at_any_write_loses_nothing_acknowledged() {
    for at in 0..40 {
        let sim = SimDisk::new(rng(at));
        let (mut disk, _) = Disk::open(Place::Simulated(sim.clone())).unwrap();
        let mut acknowledged = 0;
        for index in 1..=40 {
            if index == u64::from(at) + 1 {
                sim.fill_with_reserve();
            }
            let bytes = "z".repeat(3000 * usize::from(at % 3));
            match disk.append(&[put(vec![entry(index, &bytes)])]) {
                Ok(()) => acknowledged = index,
                Err(Error::Full { .. }) => break,
                Err(error) => panic!("{error}"),
            }
        }
        sim.free();
        let recovered = disk.reopen().unwrap();
        assert_eq!(recovered.entries.len() as u64, acknowledged);
    }
}

#[test]
fn a_hint_is_read_up_to_what_is_damaged() {
    let sim = SimDisk::new(rng(1));
    let (mut disk, _) = Disk::open(Place::Simulated(sim.clone())).unwrap();
    assert!(disk.add_to_hint(b"to nothing").is_err());
    assert!(disk.read_hint().is_empty());
    disk.begin_hint().unwrap();
    disk.add_to_hint(&[7; 5000]).unwrap();
    assert!(disk.read_hint().is_empty(), "half a hint was served");
    disk.complete_hint().unwrap();
    disk.add_to_hint(b"short").unwrap();
    assert_eq!(disk.read_hint(), [vec![7; 5000], b"short".to_vec()]);
    disk.begin_hint().unwrap();
    disk.add_to_hint(b"new").unwrap();
    assert_eq!(disk.read_hint().len(), 2, "the former one is kept until the new one is complete");
    disk.complete_hint().unwrap();
    assert_eq!(disk.read_hint(), [b"new"]);
    for _ in 0..2 {
        disk.add_to_hint(&[8; 5000]).unwrap();
    }
    sim.flip_bit("hint", 5100, 1);
    assert_eq!(disk.read_hint(), [b"new".to_vec(), vec![8; 5000]]);
    sim.flip_bit("hint", 5, 1);
    assert!(disk.read_hint().is_empty());
    sim.flip_bit("hint", 5, 1);
    sim.flip_bit("hint", 5100, 1);
    drop(disk);
    for seed in 0..20 {
        let torn = sim.copy();
        for _ in 0..seed {
            torn.crash(Survivors::None);
        }
        torn.crash(Survivors::TornLast);
        let (disk, _) = Disk::open(Place::Simulated(torn)).unwrap();
        let all = [b"new".to_vec(), vec![8; 5000], vec![8; 5000]];
        assert!(all.starts_with(&disk.read_hint()), "half a piece was served");
    }
}

#[test]
fn a_file_of_an_unknown_format_is_left_alone() {
    let sim = SimDisk::new(rng(1));
    drop(Disk::open(Place::Simulated(sim.clone())).unwrap());
    database::pretend_format(&sim, 9);
    let error = Disk::open(Place::Simulated(sim)).unwrap_err();
    assert_eq!(error, Error::Version { file: "raft.redb", found: 9, known: FORMAT_VERSION });
    assert!(error.to_string().contains("start the version that wrote it"));
}
