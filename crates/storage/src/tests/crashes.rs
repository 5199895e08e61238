//! Power cuts at every write, length change and fsync of a workload.

use super::*;

/// What a correct disk may hold after a crash: states of the log by the number of acknowledged steps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Model {
    log: Vec<Entry>,
    hard_state: Option<Vec<u8>>,
    snapshot: Option<Vec<u8>>,
    /// Applied index and rows as of the last checkpoint.
    checkpoint: (u64, Vec<(Vec<u8>, Vec<u8>)>),
    applied: (u64, Vec<(Vec<u8>, Vec<u8>)>),
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Append(u64),
    Truncate(u64),
    Compact(u64),
    Apply(u64),
    Checkpoint,
}

const FATES: [Survivors; 6] = [
    Survivors::None,
    Survivors::All,
    Survivors::TornLast,
    Survivors::Random,
    Survivors::Random,
    Survivors::Random,
];

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

fn rows(through: u64) -> Vec<(Vec<u8>, Vec<u8>)> {
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
    let whole = SimDisk::new(rng(1));
    let (mut disk, _) = Disk::open(Place::Simulated(whole.clone())).unwrap();
    run(&mut disk);
    let operations = whole.operations();
    drop(disk);
    assert!(operations > 100, "the sweep must cover something: {operations}");
    let mut sweeps = 0;
    for cut in 0..=operations {
        for (fate, survivors) in FATES.into_iter().enumerate() {
            let sim = SimDisk::new(rng((cut * 7 + fate as u64) as u8));
            sim.crash_after(cut);
            let (before, after) = match Disk::open(Place::Simulated(sim.clone())) {
                Ok((mut disk, _)) => run(&mut disk),
                Err(_) => Default::default(),
            };
            sim.crash(survivors);
            let when = format!("after {cut} operations, {survivors:?}");
            let (mut disk, recovered) = Disk::open(Place::Simulated(sim))
                .unwrap_or_else(|error| panic!("{when}: {error}"));
            assert_fits(&seen(&disk, &recovered), &before, &after, &when);
            let next = recovered.entries.last().map_or(100, |entry| entry.index + 1);
            disk.append(&[put(vec![entry(next, "goes on")])]).expect("the disk works again");
            sweeps += 1;
        }
    }
    assert!(sweeps > 600);
}
