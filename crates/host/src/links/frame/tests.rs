use super::*;
use node::ProposalMessage;
use proptest::prelude::*;

fn message(entry: Vec<u8>) -> PeerMessage {
    let (proposal, term) = (base::ProposalId(1), base::Term(1));
    let said = Said::Proposal(ProposalMessage::Propose { proposal, term, entry });
    PeerMessage { at: base::HybridTime(7), said }
}

#[test]
fn what_does_not_get_shorter_is_not_compressed_nor_what_is_short() {
    let short = of_message(&message(vec![0; 500]));
    assert_eq!(compressed(short.clone()), short);
    let mut noise = vec![0; 100_000];
    base::Rng::from_seed([1; 32]).fill(&mut noise);
    let noise = of_message(&message(noise));
    assert_eq!(compressed(noise.clone()), noise);
    let long = of_message(&message(vec![7; 100_000]));
    assert!(compressed(long.clone()).len() < long.len() / 50);
    let too_long = of_message(&message(vec![7; COMPRESS_BYTES_MAX]));
    assert_eq!(compressed(too_long.clone()), too_long);
}

#[test]
fn what_writes_wait_for_is_not_compressed() {
    assert!(!repeats(&message(vec![7; 100_000])));
}

#[test]
fn a_frame_that_lies_about_its_length_is_refused_before_it_takes_memory() {
    let packed = compressed(of_message(&message(vec![7; 100_000])));
    let said = |len: u32| {
        let frame = [&packed[..1], &len.to_be_bytes(), &packed[5..]].concat();
        decode(&frame.into()).expect_err("a lie")
    };
    let len = u32::from_be_bytes(*packed[1..].first_chunk().expect("four bytes"));
    assert_eq!(said(u32::MAX), BadFrame::TooLong { bytes: u32::MAX as usize });
    assert_eq!(said(len - 1), BadFrame::Inflate);
    assert_eq!(said(len + 1), BadFrame::Inflate);
    let behind = [&packed[..], &[0]].concat();
    assert_eq!(decode(&behind.into()), Err(BadFrame::Inflate));
}

#[test]
fn junk_is_refused_and_says_why() {
    let bad = |bytes: &[u8]| decode(&bytes.to_vec().into()).expect_err("junk").to_string();
    assert_eq!(bad(&[]), "an empty frame");
    assert_eq!(bad(&[9, 1]), "a frame of unknown kind 9");
    assert_eq!(bad(&[PIECE, 1, 2]), "a frame that ends within its head");
    assert_eq!(bad(&[MESSAGE]), "an empty message");
    assert_eq!(
        bad(&[COMPRESSED, 0, 0, 0, 9, 1, 2]),
        "a frame that cannot be inflated to the length that it says"
    );
    let too_long = Bytes::from(vec![MESSAGE; FRAME_BYTES_MAX + 1]);
    assert_eq!(decode(&too_long), Err(BadFrame::TooLong { bytes: FRAME_BYTES_MAX + 1 }));
    let end = of_end(LogIndex(7), 1, &message(vec![1]));
    assert_eq!(decode(&end), Err(BadFrame::Snapshot));
}

proptest! {
    #[test]
    fn a_message_reads_back_compressed_or_not(
        entry in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..5000),
            (0..5000usize).prop_map(|len| vec![3; len]),
        ],
    ) {
        let frame = of_message(&message(entry.clone()));
        let wanted = Ok(Frame::Message(message(entry)));
        prop_assert_eq!(&decode(&frame), &wanted);
        prop_assert_eq!(&decode(&compressed(frame)), &wanted);
    }

    #[test]
    fn a_piece_reads_back(through: u64, number: u64, piece: Vec<u8>) {
        let frame = of_piece(LogIndex(through), number, &piece);
        let wanted = Frame::Piece { through: LogIndex(through), number, piece: piece.into() };
        prop_assert_eq!(decode(&frame), Ok(wanted));
    }

    #[test]
    fn junk_never_panics(kind in 0..6u8, mut rest: Vec<u8>) {
        let _ = decode(&rest.clone().into());
        rest.insert(0, kind);
        let _ = decode(&rest.into());
    }

    /// A flipped bit is refused or changes what is said; it is never worse.
    #[test]
    fn a_frame_with_a_flipped_bit_never_panics(entry in proptest::collection::vec(0..3u8, 1500..3000), at: usize) {
        let mut frame = compressed(of_message(&message(entry))).to_vec();
        let bit = at % (frame.len() * 8);
        frame[bit / 8] ^= 1 << (bit % 8);
        let _ = decode(&frame.into());
    }
}
