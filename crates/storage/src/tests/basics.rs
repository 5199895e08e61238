use super::*;
use proptest::prelude::*;
use std::{collections::BTreeMap, ops::Bound};

#[test]
fn what_was_appended_and_checkpointed_is_there_after_a_power_cut() {
    let sim = SimDisk::new(rng(1));
    let (mut disk, fresh) = Disk::open(Place::Simulated(sim.clone())).unwrap();
    assert_eq!(fresh, Recovered::default());
    disk.append(&[put(vec![entry(1, "a"), entry(2, "b")])]).unwrap();
    disk.set_identity(b"n7").unwrap();
    disk.apply_rows(1, &[row("k", "v")]).unwrap();
    assert_eq!(disk.checkpoint().unwrap(), 1);
    disk.apply_rows(2, &[row("k", "w")]).unwrap();
    assert_eq!(disk.get(1, b"k").unwrap().unwrap(), b"w");

    sim.crash(Survivors::None);
    let (disk, recovered) = Disk::open(Place::Simulated(sim)).unwrap();
    assert_eq!(recovered.entries, vec![entry(1, "a"), entry(2, "b")]);
    assert_eq!(recovered.hard_state.as_deref(), Some(b"hard".as_slice()));
    assert_eq!(recovered.identity.as_deref(), Some(b"n7".as_slice()));
    assert_eq!(recovered.applied, 1, "the second row was not checkpointed");
    assert_eq!(disk.get(1, b"k").unwrap().unwrap(), b"v");
}

#[test]
fn a_node_has_its_directory_for_itself_and_finds_its_data_again() {
    let path = std::env::temp_dir().join(format!("trine-storage-{}", std::process::id()));
    let (mut disk, fresh) = Disk::open(Place::Directory(path.clone())).unwrap();
    assert_eq!(fresh, Recovered::default());
    let second = Disk::open(Place::Directory(path.clone()));
    assert!(matches!(second, Err(Error::InUse { .. })), "{second:?}");
    disk.append(&[put(vec![entry(1, "a")])]).unwrap();
    disk.apply_rows(1, &[row("k", "v")]).unwrap();
    disk.checkpoint().unwrap();
    disk.begin_hint().unwrap();
    disk.add_to_hint(b"clients").unwrap();
    disk.complete_hint().unwrap();
    disk.add_to_hint(b"and more").unwrap();
    assert!(!disk.free_space_low());
    drop(disk);
    let (disk, recovered) = Disk::open(Place::Directory(path.clone())).unwrap();
    assert_eq!(recovered.entries, [entry(1, "a")]);
    assert_eq!(recovered.applied, 1);
    assert_eq!(disk.read_hint(), [&b"clients"[..], b"and more"]);
    assert_eq!(std::fs::metadata(path.join("reserve")).unwrap().len(), RESERVE_BYTES);
    drop(disk);
    std::fs::remove_dir_all(path).unwrap();
}

#[test]
fn memory_keeps_everything_for_as_long_as_it_is_open() {
    let (mut disk, _) = Disk::open(Place::Memory).unwrap();
    disk.append(&[put(vec![entry(1, "a")])]).unwrap();
    disk.apply_rows(1, &[row("k", "v")]).unwrap();
    disk.checkpoint().unwrap();
    let recovered = disk.reopen().unwrap();
    assert_eq!(recovered.entries, [entry(1, "a")]);
    assert_eq!(disk.get(1, b"k").unwrap().unwrap(), b"v");
}

#[test]
fn many_writes_are_one_transaction() {
    let sim = SimDisk::new(rng(1));
    let (mut disk, _) = Disk::open(Place::Simulated(sim.clone())).unwrap();
    let before = sim.operations();
    disk.append(&[put(vec![entry(1, "a")])]).unwrap();
    let one = sim.operations() - before;
    let before = sim.operations();
    let writes: Vec<_> = (2..34).map(|i| put(vec![entry(i, "a")])).collect();
    disk.append(&writes).unwrap();
    let many = sim.operations() - before;
    assert!(many <= one + 4, "32 writes took {many} operations, one takes {one}");
}

#[test]
fn ranges_go_both_ways_and_stay_in_their_table() {
    let (mut disk, _) = Disk::open(Place::Memory).unwrap();
    let rows: Vec<_> = [(0, "z"), (1, "a"), (1, "b"), (1, "c"), (2, "a"), (255, "a"), (255, "b")]
        .into_iter()
        .map(|(table, key)| Row { table, key: key.into(), value: Some(key.into()) })
        .collect();
    disk.apply_rows(1, &rows).unwrap();
    let keys = |range: Range| -> String {
        let rows = disk.range(&range).unwrap();
        rows.into_iter().map(|(key, _)| key[0] as char).collect()
    };
    let all = |table| Range::all(table, 10);
    let from = |key: &str| Bound::Included(key.into());
    assert_eq!(keys(all(1)), "abc");
    assert_eq!(keys(all(255)), "ab");
    assert_eq!(keys(all(3)), "");
    assert_eq!(keys(Range { limit: 2, reverse: true, ..all(1) }), "cb");
    assert_eq!(keys(Range { from: from("b"), ..all(1) }), "bc");
    assert_eq!(keys(Range { until: Bound::Excluded("b".into()), ..all(1) }), "a");
    assert_eq!(keys(Range { from: from("c"), until: from("a"), ..all(1) }), "", "no panic");
    let nothing = Bound::Excluded(b"b".to_vec());
    assert_eq!(keys(Range { from: nothing.clone(), until: nothing, ..all(1) }), "", "no panic");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn rows_read_back_as_a_map_would(changes: Vec<(u8, Vec<u8>, Option<Vec<u8>>)>) {
        let (mut disk, _) = Disk::open(Place::Memory).unwrap();
        let mut model = BTreeMap::new();
        for (n, (table, key, value)) in changes.into_iter().enumerate() {
            let table = table % 3;
            let row = Row { table, key: key.clone(), value: value.clone() };
            disk.apply_rows(n as u64 + 1, &[row]).unwrap();
            match value {
                Some(value) => model.insert((table, key), value),
                None => model.remove(&(table, key)),
            };
        }
        for table in 0..3 {
            let served = disk.range(&Range::all(table, usize::MAX)).unwrap();
            let wanted: Vec<_> = model
                .iter()
                .filter(|((of, _), _)| *of == table)
                .map(|((_, key), value)| (key.clone(), value.clone()))
                .collect();
            prop_assert_eq!(served, wanted);
        }
    }
}
