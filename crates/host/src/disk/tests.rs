use super::*;
use base::Rng;
use storage::{SimDisk, Survivors};

fn row(key: u8) -> TableRow {
    TableRow { table: 16, key: vec![key], value: Some(vec![key; 100]) }
}

fn tables(applied: u64) -> DiskJob {
    DiskJob::Tables { applied: LogIndex(applied), rows: vec![row(applied as u8)] }
}

fn write(id: u64, index: u64) -> DiskJob {
    let entries = vec![(LogIndex(index), vec![7; 4000])];
    let write = node::consensus::Write { entries, ..Default::default() };
    DiskJob::Persist { id: WriteId(id), write }
}

fn stored(worker: &mut DiskWorker) -> Vec<u8> {
    match &worker.run(vec![DiskJob::Restore { table: 16, after: None }])[..] {
        [DiskDone::Piece { rows, .. }] => rows.iter().map(|row| row.key[0]).collect(),
        other => panic!("not a piece: {other:?}"),
    }
}

/// A disk that fills up loses the rows since the last checkpoint; the node, which goes on, must not notice.
#[test]
fn rows_since_the_last_checkpoint_come_back_after_the_disk_was_full() {
    let disk = SimDisk::new(Rng::from_seed([1; 32]));
    let Opened { mut worker, .. } =
        DiskWorker::open(Place::Simulated(disk.clone())).expect("empty");
    worker.run(vec![write(1, 1), tables(1), DiskJob::Checkpoint, tables(2), tables(3)]);
    disk.fill_with_reserve();
    let mut refused = false;
    let mut index = 2;
    while !refused {
        let done = worker.run(vec![write(index, index)]);
        refused = done.iter().any(|done| matches!(done, DiskDone::Full(true)));
        assert!(!refused || !done.iter().any(|done| matches!(done, DiskDone::Persisted(_))));
        index += 1;
    }
    assert!(worker.run(vec![tables(4)]).is_empty(), "nothing overtakes what waits");
    disk.free();
    let done = worker.run(vec![DiskJob::Probe]);
    assert!(
        done.iter().any(|done| matches!(done, DiskDone::Persisted(id) if id.0 == index - 1)),
        "what was refused is written now: {done:?}"
    );
    assert!(done.iter().any(|done| matches!(done, DiskDone::Full(false))), "{done:?}");
    assert_eq!(stored(&mut worker), [1, 2, 3, 4]);
    worker.run(vec![DiskJob::Checkpoint]);
    drop(worker);
    disk.crash(Survivors::None);
    let Opened { mut worker, recovered, .. } =
        DiskWorker::open(Place::Simulated(disk)).expect("readable");
    assert_eq!(recovered.applied, 4);
    assert_eq!(stored(&mut worker), [1, 2, 3, 4]);
}

#[test]
fn neighbouring_writes_share_one_fsync_and_a_failed_one_ends_the_disk() {
    let disk = SimDisk::new(Rng::from_seed([2; 32]));
    let Opened { mut worker, .. } =
        DiskWorker::open(Place::Simulated(disk.clone())).expect("empty");
    let one = disk.operations();
    worker.run(vec![write(1, 1)]);
    let alone = disk.operations() - one;
    let two = disk.operations();
    worker.run((2..10).map(|n| write(n, n)).collect());
    assert!(disk.operations() - two < 3 * alone, "eight writes cost far less than eight");
    disk.fail_syncs(1);
    let done = worker.run(vec![write(10, 10), write(11, 11)]);
    assert!(matches!(&done[..], [DiskDone::Failed(_)]), "{done:?}");
}

/// A table that does not fit into a piece goes on in the next; small ones share a piece.
#[test]
fn the_state_tables_come_back_in_few_pieces_and_whole() {
    let disk = SimDisk::new(Rng::from_seed([3; 32]));
    let Opened { mut worker, .. } = DiskWorker::open(Place::Simulated(disk)).expect("empty");
    let rows: Vec<TableRow> = (0..2 * RESTORE_ROWS_MAX as u16 + 3)
        .map(|number| {
            let table = if number < 700 { 16 } else { 32 + (number % 2) as u8 };
            TableRow { table, key: number.to_be_bytes().to_vec(), value: Some(vec![1]) }
        })
        .collect();
    let mut wanted: Vec<_> = rows.iter().map(|row| (row.table, row.key.clone())).collect();
    wanted.sort();
    worker.run(vec![DiskJob::Tables { applied: LogIndex(1), rows }]);
    let (mut found, mut pieces) = (Vec::new(), 0);
    let mut next = Some((RESTORED_TABLES.start, None));
    while let Some((table, after)) = next.take() {
        match worker.run(vec![DiskJob::Restore { table, after }]).pop() {
            Some(DiskDone::Piece { rows, next: following }) => {
                found.extend(rows.into_iter().map(|row| (row.table, row.key)));
                next = following;
                pieces += 1;
            }
            other => panic!("not a piece: {other:?}"),
        }
    }
    assert_eq!((found, pieces), (wanted, 3));
}
