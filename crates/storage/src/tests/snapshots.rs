//! Snapshots in pieces.

use super::*;

fn source(rows: usize) -> Disk {
    let (mut disk, _) = Disk::open(Place::Memory).unwrap();
    let rows: Vec<_> = (0..rows).map(|n| row(&format!("{n:05}"), &"v".repeat(1000))).collect();
    disk.apply_rows(77, &rows).unwrap();
    disk
}

fn pieces(disk: &Disk) -> Vec<Vec<u8>> {
    let mut reader = disk.snapshot_reader().unwrap();
    assert_eq!(reader.applied(), 77);
    std::iter::from_fn(|| reader.next_piece().unwrap()).collect()
}

#[test]
fn a_snapshot_travels_in_pieces_of_a_named_size() {
    for rows in [0, 1, 1000] {
        let source = source(rows);
        let pieces = pieces(&source);
        assert!(pieces.iter().all(|piece| piece.len() < PIECE_BYTES + 2000));
        assert_eq!(pieces.len() > 3, rows == 1000);
        let (mut target, _) = Disk::open(Place::Memory).unwrap();
        target.append(&[put(vec![entry(1, "old")])]).unwrap();
        target.apply_rows(1, &[row("old", "row")]).unwrap();
        target.begin_install().unwrap();
        for (n, piece) in pieces.iter().enumerate() {
            assert_eq!(target.install_piece(piece).unwrap(), n + 1 == pieces.len());
            assert_eq!(target.get(1, b"old").unwrap().unwrap(), b"row", "not yet");
        }
        target.finish_install(77, b"meta").unwrap();
        let all = Range::all(1, usize::MAX);
        assert_eq!(target.range(&all).unwrap(), source.range(&all).unwrap());
        let recovered = target.reopen().unwrap();
        assert_eq!((recovered.applied, recovered.entries.len()), (77, 0));
        assert_eq!(recovered.snapshot.as_deref(), Some(b"meta".as_slice()));
        target.append(&[put(vec![entry(78, "next")])]).unwrap();
        assert_eq!(target.reopen().unwrap().entries, [entry(78, "next")]);
    }
}

#[test]
fn a_view_does_not_change_while_it_is_sent() {
    let mut source = source(600);
    let mut reader = source.snapshot_reader().unwrap();
    let first = reader.next_piece().unwrap().unwrap();
    let gone: Vec<_> =
        (0..600).map(|n| Row { table: 1, key: format!("{n:05}").into(), value: None }).collect();
    source.apply_rows(78, &gone).unwrap();
    source.checkpoint().unwrap();
    let (mut target, _) = Disk::open(Place::Memory).unwrap();
    target.begin_install().unwrap();
    target.install_piece(&first).unwrap();
    while let Some(piece) = reader.next_piece().unwrap() {
        target.install_piece(&piece).unwrap();
    }
    target.finish_install(reader.applied(), b"meta").unwrap();
    assert_eq!(target.range(&Range::all(1, usize::MAX)).unwrap().len(), 600);
}

#[test]
fn pieces_that_do_not_fit_are_refused() {
    let source = source(1000);
    let pieces = pieces(&source);
    let (mut target, _) = Disk::open(Place::Memory).unwrap();
    let why = |result: Result<bool, Error>| match result {
        Err(Error::Piece { why, .. }) => why,
        other => panic!("{other:?}"),
    };
    assert_eq!(why(target.install_piece(&pieces[0])), "no transfer has begun");
    target.begin_install().unwrap();
    assert_eq!(why(target.install_piece(&pieces[1])), "another piece was expected");
    let mut flipped = pieces[0].clone();
    flipped[1000] ^= 1;
    assert_eq!(why(target.install_piece(&flipped)), "its checksum is wrong");
    target.install_piece(&pieces[0]).unwrap();
    assert_eq!(why(target.install_piece(&pieces[0])), "another piece was expected");
    let early = target.finish_install(77, b"meta");
    assert!(matches!(early, Err(Error::Piece { .. })), "{early:?}");
    assert_eq!(target.range(&Range::all(1, 10)).unwrap(), [], "nothing of it is seen");
}

#[test]
fn a_snapshot_that_is_whole_and_durable_outlasts_a_reopened_disk_and_another_one_does_not() {
    let source = source(1000);
    let pieces = pieces(&source);
    for (checkpoint, outlasts) in [(true, true), (false, false)] {
        let (mut target, _) = Disk::open(Place::Memory).unwrap();
        target.append(&[put(vec![entry(1, "old")])]).unwrap();
        target.begin_install().unwrap();
        for piece in &pieces {
            target.install_piece(piece).unwrap();
        }
        if checkpoint {
            target.checkpoint().unwrap();
        }
        target.reopen().unwrap();
        let finished = target.finish_install(77, b"meta");
        assert_eq!(finished.is_ok(), outlasts, "{finished:?}");
        if outlasts {
            assert_eq!(target.finish_install(77, b"meta"), Ok(()), "asked again after a full disk");
            assert_eq!(target.range(&Range::all(1, usize::MAX)).unwrap().len(), 1000);
        }
    }
}

#[test]
fn an_abandoned_snapshot_leaves_nothing() {
    let source = source(10);
    let (mut target, _) = Disk::open(Place::Memory).unwrap();
    target.begin_install().unwrap();
    target.install_piece(&pieces(&source)[0]).unwrap();
    target.abandon_install().unwrap();
    assert!(target.finish_install(77, b"meta").is_err());
    target.begin_install().unwrap();
    let mut empty = Disk::open(Place::Memory).unwrap().0.snapshot_reader().unwrap();
    target.install_piece(&empty.next_piece().unwrap().unwrap()).unwrap();
    target.finish_install(78, b"meta").unwrap();
    assert_eq!(target.range(&Range::all(1, 10)).unwrap(), []);
}
