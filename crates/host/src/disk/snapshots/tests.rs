use super::*;
use crate::Opened;
use base::Rng;
use node::TableRow;
use storage::{Place, SimDisk, Survivors};

const STAGE: StageId = StageId(1);
const THROUGH: LogIndex = LogIndex(50);

fn open(disk: &SimDisk) -> Opened {
    DiskWorker::open(Place::Simulated(disk.clone())).expect("whole")
}

fn tables(applied: u64, keys: std::ops::Range<u16>, len: usize) -> DiskJob {
    let row = |key: u16| TableRow {
        table: 16,
        key: key.to_be_bytes().to_vec(),
        value: Some(vec![key as u8; len]),
    };
    DiskJob::Tables { applied: LogIndex(applied), rows: keys.map(row).collect() }
}

fn snapshot(worker: &mut DiskWorker, job: SnapshotJob) -> Vec<DiskDone> {
    worker.run(vec![DiskJob::Snapshot(job)])
}

/// The pieces of the tables of a worker with these rows.
fn pieces(keys: std::ops::Range<u16>) -> Vec<Bytes> {
    let mut worker = open(&SimDisk::new(Rng::from_seed([9; 32]))).worker;
    worker.run(vec![tables(THROUGH.0, keys, 2000)]);
    let done = snapshot(&mut worker, SnapshotJob::Open(TransferId(1)));
    let opened = SnapshotDone::Opened(TransferId(1), Some(THROUGH));
    assert!(matches!(&done[..], [DiskDone::Snapshot(done)] if *done == opened), "{done:?}");
    let mut pieces = Vec::new();
    loop {
        match snapshot(&mut worker, SnapshotJob::Read(TransferId(1))).pop() {
            Some(DiskDone::Snapshot(SnapshotDone::Read(_, Some(piece)))) => {
                pieces.push(Bytes::from(piece));
            }
            Some(DiskDone::Snapshot(SnapshotDone::Read(_, None))) => return pieces,
            other => panic!("no piece: {other:?}"),
        }
    }
}

/// A disk with an older state: rows 0 to 4, the last of them not in the tables yet.
fn behind(disk: &SimDisk) -> DiskWorker {
    let mut worker = open(disk).worker;
    let entries = (1..4).map(|index| (LogIndex(index), vec![7; 100])).collect();
    let write = Write { entries, hard_state: Some(vec![1]), ..Write::default() };
    let jobs = vec![
        DiskJob::Persist { id: WriteId(1), write },
        tables(1, 0..4, 10),
        DiskJob::Checkpoint,
        tables(2, 4..5, 10),
    ];
    worker.run(jobs);
    worker
}

fn stage(worker: &mut DiskWorker, pieces: &[Bytes]) -> Vec<DiskDone> {
    let begin = SnapshotJob::Stage { stage: STAGE, through: THROUGH };
    let puts = pieces.iter().map(|piece| SnapshotJob::Put(STAGE, piece.clone()));
    worker.run([begin].into_iter().chain(puts).map(DiskJob::Snapshot).collect())
}

fn install() -> DiskJob {
    let write = Write {
        install: Some((THROUGH, b"snapshot".to_vec())),
        entries: vec![(THROUGH.next(), b"next".to_vec())],
        hard_state: Some(vec![2]),
        ..Write::default()
    };
    DiskJob::Persist { id: WriteId(2), write }
}

fn keys(worker: &mut DiskWorker) -> Vec<u16> {
    let mut keys = Vec::new();
    let mut next = Some((16, None));
    while let Some((table, after)) = next.take() {
        match worker.run(vec![DiskJob::Restore { table, after }]).pop() {
            Some(DiskDone::Piece { rows, next: following }) => {
                let two = |row: TableRow| u16::from_be_bytes(row.key.try_into().expect("two"));
                keys.extend(rows.into_iter().map(two));
                next = following;
            }
            other => panic!("not a piece: {other:?}"),
        }
    }
    keys
}

fn is_persisted(done: &[DiskDone]) -> bool {
    done.iter().any(|done| matches!(done, DiskDone::Persisted(WriteId(2))))
}

fn lost(done: &[DiskDone]) -> Option<&str> {
    done.iter().find_map(|done| match done {
        DiskDone::Snapshot(SnapshotDone::StageLost(STAGE, why)) => Some(why.as_str()),
        _ => None,
    })
}

#[test]
fn what_was_staged_takes_the_place_of_tables_and_log_and_outlasts_a_crash() {
    let pieces = pieces(100..800);
    assert!(pieces.len() > 3);
    let disk = SimDisk::new(Rng::from_seed([1; 32]));
    let mut worker = behind(&disk);
    let staged = stage(&mut worker, &pieces);
    let whole = DiskDone::Snapshot(SnapshotDone::Staged(STAGE, true));
    assert_eq!(format!("{:?}", staged.last()), format!("{:?}", Some(whole)));
    assert_eq!(keys(&mut worker), [0, 1, 2, 3, 4], "not yet");
    assert!(is_persisted(&worker.run(vec![install()])));
    let wanted: Vec<u16> = (100..800).collect();
    assert_eq!(keys(&mut worker), wanted);
    snapshot(&mut worker, SnapshotJob::Forget(STAGE));
    drop(worker);
    disk.crash(Survivors::None);
    let Opened { mut worker, recovered, .. } = open(&disk);
    assert_eq!(recovered.applied, THROUGH.0);
    assert_eq!(recovered.snapshot.as_deref(), Some(b"snapshot".as_slice()));
    assert_eq!(recovered.hard_state, Some(vec![2]));
    assert_eq!(recovered.entries.len(), 1);
    assert_eq!(keys(&mut worker), wanted);
}

#[test]
fn a_crash_at_any_write_of_the_install_leaves_the_old_state_or_the_new_one() {
    let pieces = pieces(100..110);
    let mut news = 0;
    for operations in 0..60 {
        let disk = SimDisk::new(Rng::from_seed([operations; 32]));
        let mut worker = behind(&disk);
        stage(&mut worker, &pieces);
        disk.crash_after(u64::from(operations));
        worker.run(vec![install()]);
        drop(worker);
        disk.crash(Survivors::None);
        let Opened { mut worker, recovered, .. } = open(&disk);
        if recovered.applied == THROUGH.0 {
            news += 1;
            assert_eq!(recovered.snapshot.as_deref(), Some(b"snapshot".as_slice()));
            assert_eq!(keys(&mut worker), (100..110).collect::<Vec<u16>>());
        } else {
            assert_eq!((recovered.entries.len(), recovered.snapshot), (3, None));
            assert!([vec![0, 1, 2, 3], vec![0, 1, 2, 3, 4]].contains(&keys(&mut worker)));
        }
    }
    assert!((1..60).contains(&news), "{news}");
}

#[test]
fn a_disk_that_is_full_at_the_install_has_it_when_there_is_room() {
    let pieces = pieces(100..800);
    let mut refused = 0;
    // What is left in the files is used first, so the room ends somewhere else each time.
    for writes in 0..12 {
        let disk = SimDisk::new(Rng::from_seed([writes; 32]));
        let mut worker = behind(&disk);
        stage(&mut worker, &pieces);
        disk.fill_with_reserve();
        for index in 4..4 + u64::from(writes) {
            let entries = vec![(LogIndex(index), vec![7; 40_000])];
            let write = Write { entries, ..Write::default() };
            worker.run(vec![DiskJob::Persist { id: WriteId(100), write }]);
        }
        let mut done = worker.run(vec![install()]);
        if !is_persisted(&done) {
            refused += 1;
            disk.free();
            done = worker.run(vec![DiskJob::Probe]);
        }
        assert!(is_persisted(&done) && lost(&done).is_none(), "{writes}: {done:?}");
        assert_eq!(keys(&mut worker), (100..800).collect::<Vec<u16>>());
        drop(worker);
        disk.crash(Survivors::None);
        assert_eq!(open(&disk).recovered.applied, THROUGH.0);
    }
    assert!(refused > 0);
}

#[test]
fn a_disk_that_is_full_while_it_stages_loses_the_stage_and_nothing_else() {
    let disk = SimDisk::new(Rng::from_seed([3; 32]));
    let mut worker = behind(&disk);
    snapshot(&mut worker, SnapshotJob::Open(TransferId(7)));
    disk.fill_with_reserve();
    let done = stage(&mut worker, &pieces(100..6000));
    assert!(lost(&done).is_some(), "{done:?}");
    let view = DiskDone::Snapshot(SnapshotDone::Lost(TransferId(7)));
    assert!(done.iter().any(|done| format!("{done:?}") == format!("{view:?}")), "{done:?}");
    disk.free();
    worker.run(vec![DiskJob::Probe]);
    assert_eq!(keys(&mut worker), [0, 1, 2, 3, 4]);
    let done = stage(&mut worker, &pieces(100..200));
    assert!(lost(&done).is_none(), "{done:?}");
    assert!(is_persisted(&worker.run(vec![install()])));
}

#[test]
fn a_piece_that_does_not_fit_ends_the_stage_and_the_disk_goes_on() {
    let disk = SimDisk::new(Rng::from_seed([4; 32]));
    let mut worker = behind(&disk);
    let pieces = pieces(100..800);
    let done = stage(&mut worker, &pieces[1..]);
    assert!(lost(&done).is_some_and(|why| why.contains("another piece was expected")), "{done:?}");
    assert_eq!(done.len(), 1, "what follows is of no use: {done:?}");
    assert_eq!(keys(&mut worker), [0, 1, 2, 3, 4]);
}

#[test]
fn rows_that_were_not_staged_are_never_installed() {
    let disk = SimDisk::new(Rng::from_seed([5; 32]));
    let mut worker = behind(&disk);
    stage(&mut worker, &pieces(100..200));
    snapshot(&mut worker, SnapshotJob::Forget(STAGE));
    let done = worker.run(vec![install()]);
    assert!(matches!(&done[..], [DiskDone::Failed(_)]), "{done:?}");
}
