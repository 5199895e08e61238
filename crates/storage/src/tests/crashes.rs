//! Power cuts at every write, length change and fsync of a workload.

use super::*;

/// What a correct disk may hold after a crash: states of the log by the number of acknowledged steps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Model {
    log: Vec<Entry>,
    hard_state: Option<Vec<u8>>,
    snapshot: Option<Vec<u8>>,
    /// Applied index and rows as of the last checkpoint.
    checkpoint: (u64, Vec<KeyValue>),
    applied: (u64, Vec<KeyValue>),
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Append(u64),
    Truncate(u64),
    Compact(u64),
    Apply(u64),
    Checkpoint,
}

const FATES: [Survivors; 5] =
    [Survivors::None, Survivors::All, Survivors::TornLast, Survivors::Random, Survivors::Random];

const SCRIPT: &[Step] = &[
    Step::Append(3),
    Step::Apply(2),
    Step::Append(40),
    Step::Truncate(39),
    Step::Append(2),
    Step::Apply(30),
    Step::Checkpoint,
    Step::Compact(20),
    Step::Append(1),
    Step::Apply(40),
    Step::Append(5),
    Step::Checkpoint,
    Step::Compact(40),
    Step::Append(1),
];

impl Model {
    fn last(&self) -> u64 {
        self.log.last().map_or(0, |entry| entry.index)
    }

    /// Does a step to the model and gives the write for the disk, if it is one of the log.
    fn step(&mut self, n: usize, step: Step) -> Option<LogWrite> {
        let mut write = LogWrite::default();
        match step {
            Step::Append(count) => {
                let first = self.last() + 1;
                write.entries = (first..first + count)
                    .map(|i| Entry { index: i, bytes: format!("{n}:{i}:").repeat(40).into() })
                    .collect();
                write.hard_state = Some(n.to_le_bytes().to_vec());
            }
            Step::Truncate(from) => write.truncate_from = Some(from),
            Step::Compact(through) => {
                write.compact = Some(Compact { through, snapshot: through.to_le_bytes().into() });
            }
            Step::Apply(through) => {
                self.applied = (through, rows(through));
                return None;
            }
            Step::Checkpoint => {
                self.checkpoint = self.applied.clone();
                return None;
            }
        }
        if let Some(from) = write.truncate_from {
            self.log.retain(|entry| entry.index < from);
        }
        self.log.extend(write.entries.clone());
        if let Some(compact) = &write.compact {
            self.log.retain(|entry| entry.index > compact.through);
            self.snapshot = Some(compact.snapshot.clone());
        }
        if write.hard_state.is_some() {
            self.hard_state.clone_from(&write.hard_state);
        }
        Some(write)
    }
}

fn rows(through: u64) -> Vec<KeyValue> {
    (0..through).map(|i| (format!("k{i:04}").into(), format!("{through}/{i}").into())).collect()
}

/// Runs the script until the disk fails; gives the state before the first step that was not acknowledged, and the one
/// after it: a crash may leave either.
fn run(disk: &mut Disk) -> (Model, Model) {
    let mut model = Model::default();
    for (n, step) in SCRIPT.iter().enumerate() {
        let before = model.clone();
        let write = model.step(n, *step);
        let result = match (step, write) {
            (Step::Checkpoint, _) => disk.checkpoint().map(|_| ()),
            (_, Some(write)) => disk.append(&[write]),
            (_, None) => {
                let (through, rows) = model.applied.clone();
                let rows: Vec<_> = rows
                    .into_iter()
                    .map(|(key, value)| Row { table: 1, key, value: Some(value) })
                    .collect();
                disk.apply_rows(through, &rows)
            }
        };
        if result.is_err() {
            return (before, model);
        }
    }
    (model.clone(), model)
}

fn seen(disk: &Disk, recovered: &Recovered) -> Model {
    let rows = disk.range(&Range::all(1, usize::MAX)).unwrap();
    Model {
        log: recovered.entries.clone(),
        hard_state: recovered.hard_state.clone(),
        snapshot: recovered.snapshot.clone(),
        checkpoint: (recovered.applied, rows),
        applied: Default::default(),
    }
}

/// An unacknowledged step may be there or not, but the log only as a whole and the tables only as a whole.
fn assert_fits(seen: &Model, before: &Model, after: &Model, when: &str) {
    let log = |model: &Model| (model.log.clone(), model.hard_state.clone(), model.snapshot.clone());
    assert!(log(seen) == log(before) || log(seen) == log(after), "log {when}: {seen:?}");
    let tables = [&before.checkpoint, &after.checkpoint];
    assert!(tables.contains(&&seen.checkpoint), "tables {when}: {:?}", seen.checkpoint.0);
}

#[test]
fn a_power_cut_at_any_moment_loses_nothing_acknowledged() {
    let created = SimDisk::new(rng(1));
    drop(Disk::open(Place::Simulated(created.clone())).unwrap());
    let whole = created.copy();
    let (mut disk, _) = Disk::open(Place::Simulated(whole.clone())).unwrap();
    let first = whole.operations();
    run(&mut disk);
    let last = whole.operations();
    drop(disk);
    assert!(last - first > 70, "the sweep must cover something: {first} to {last}");
    for cut in 0..=last {
        for survivors in FATES {
            let when = format!("after {cut} operations, {survivors:?}");
            let sim = created.copy();
            sim.crash_after(cut);
            let (before, after) = match Disk::open(Place::Simulated(sim.clone())) {
                Ok((mut disk, _)) => run(&mut disk),
                Err(_) => Default::default(),
            };
            sim.crash(survivors);
            let (mut disk, recovered) =
                Disk::open(Place::Simulated(sim)).unwrap_or_else(|error| panic!("{when}: {error}"));
            assert_fits(&seen(&disk, &recovered), &before, &after, &when);
            let next = recovered.entries.last().map_or(100, |entry| entry.index + 1);
            disk.append(&[put(vec![entry(next, "goes on")])]).expect("the disk works again");
        }
    }
}

#[test]
fn a_power_cut_while_the_files_are_made_leaves_what_can_be_opened() {
    let whole = SimDisk::new(rng(1));
    drop(Disk::open(Place::Simulated(whole.clone())).unwrap());
    for cut in 0..=whole.operations() {
        for survivors in [Survivors::None, Survivors::TornLast, Survivors::Random] {
            let sim = SimDisk::new(rng(cut as u8));
            sim.crash_after(cut);
            drop(Disk::open(Place::Simulated(sim.clone())));
            sim.crash(survivors);
            let (_disk, recovered) = Disk::open(Place::Simulated(sim))
                .unwrap_or_else(|error| panic!("after {cut} operations, {survivors:?}: {error}"));
            assert_eq!(recovered, Recovered::default());
        }
    }
}

/// Receiving a snapshot, cut at every operation: the old state or the new one, log and tables together.
#[test]
fn a_power_cut_while_a_snapshot_is_installed_leaves_all_of_it_or_nothing() {
    let (mut source, _) = Disk::open(Place::Memory).unwrap();
    source.apply_rows(90, &[row("new", "rows")]).unwrap();
    let mut reader = source.snapshot_reader().unwrap();
    let piece = reader.next_piece().unwrap().unwrap();
    let start = SimDisk::new(rng(1));
    let (mut disk, _) = Disk::open(Place::Simulated(start.clone())).unwrap();
    disk.append(&[put(vec![entry(1, "a"), entry(2, "b")])]).unwrap();
    disk.apply_rows(2, &[row("old", "rows")]).unwrap();
    disk.checkpoint().unwrap();
    drop(disk);
    let install = |disk: &mut Disk| -> Result<(), Error> {
        disk.begin_install()?;
        disk.install_piece(&piece)?;
        disk.finish_install(90, b"meta")
    };
    let mut outcomes = [0, 0];
    for cut in 0_u64.. {
        let mut is_done = false;
        for survivors in FATES {
            let sim = start.copy();
            sim.crash_after(cut);
            if let Ok((mut disk, _)) = Disk::open(Place::Simulated(sim.clone())) {
                is_done = install(&mut disk).is_ok();
            }
            sim.crash(survivors);
            let (disk, recovered) = Disk::open(Place::Simulated(sim)).unwrap();
            let rows = disk.range(&Range::all(1, 10)).unwrap();
            let is_new = recovered.applied == 90;
            outcomes[usize::from(is_new)] += 1;
            assert!(is_new || !is_done, "an acknowledged install is lost");
            if is_new {
                assert_eq!(recovered.snapshot.as_deref(), Some(b"meta".as_slice()));
                assert!(recovered.entries.is_empty(), "the old log is gone");
                assert_eq!(rows, [(b"new".to_vec(), b"rows".to_vec())]);
            } else {
                assert_eq!(recovered.applied, 2);
                assert_eq!(recovered.entries.len(), 2);
                assert_eq!(rows, [(b"old".to_vec(), b"rows".to_vec())]);
            }
        }
        if is_done {
            break;
        }
    }
    assert!(outcomes.iter().all(|count| *count > 5), "{outcomes:?}");
}

/// Who the node is and what its log says change together, whenever the power goes.
#[test]
fn a_power_cut_while_a_node_becomes_another_one_leaves_both_or_neither() {
    let start = SimDisk::new(rng(1));
    let (mut disk, _) = Disk::open(Place::Simulated(start.clone())).unwrap();
    disk.set_identity(b"one of three").unwrap();
    let compact = Compact { through: 1, snapshot: b"three".into() };
    let first =
        LogWrite { compact: Some(compact), ..put(vec![entry(2, "a"), entry(3, "members")]) };
    disk.append(&[first]).unwrap();
    drop(disk);
    let alone = LogWrite {
        entries: vec![entry(3, ""), entry(4, "removed")],
        hard_state: Some(b"all is agreed on".into()),
        compact: Some(Compact { through: 1, snapshot: b"one".into() }),
        ..LogWrite::default()
    };
    let mut outcomes = [0, 0];
    for cut in 0_u64.. {
        let mut is_done = false;
        for survivors in FATES {
            let sim = start.copy();
            sim.crash_after(cut);
            if let Ok((mut disk, _)) = Disk::open(Place::Simulated(sim.clone())) {
                is_done = disk.append_as(b"alone", &alone).is_ok();
            }
            sim.crash(survivors);
            let (_disk, recovered) = Disk::open(Place::Simulated(sim)).unwrap();
            let is_new = recovered.identity.as_deref() == Some(b"alone");
            assert!(is_new || !is_done, "an acknowledged change is lost");
            outcomes[usize::from(is_new)] += 1;
            let (identity, hard, snapshot, log): (&[u8], &[u8], &[u8], _) = if is_new {
                let log = vec![entry(2, "a"), entry(3, ""), entry(4, "removed")];
                (b"alone", b"all is agreed on", b"one", log)
            } else {
                (b"one of three", b"hard", b"three", vec![entry(2, "a"), entry(3, "members")])
            };
            assert_eq!(recovered.identity.as_deref(), Some(identity));
            assert_eq!(recovered.hard_state.as_deref(), Some(hard));
            assert_eq!(recovered.snapshot.as_deref(), Some(snapshot));
            assert_eq!(recovered.entries, log);
        }
        if is_done {
            break;
        }
    }
    assert!(outcomes.iter().all(|count| *count > 5), "{outcomes:?}");
}
