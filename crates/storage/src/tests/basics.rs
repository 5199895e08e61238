use super::*;

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
