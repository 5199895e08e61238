//! What archives may be, and the attacks that are known.

use super::*;

const STORED: u16 = 0;
const DEFLATED: u16 = 8;

/// A file as an attacker would write it: every field can lie.
#[derive(Clone)]
struct Forged {
    name: Vec<u8>,
    packed: Vec<u8>,
    method: u16,
    size: u32,
    crc: u32,
    flags: u16,
    mode: u32,
    /// Another file's record instead of an own one.
    shares: Option<usize>,
}

fn deflated(content: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn crc(content: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(content);
    crc.sum()
}

fn file(name: &str, content: &[u8]) -> Forged {
    Forged {
        name: name.into(),
        packed: deflated(content),
        method: DEFLATED,
        size: content.len() as u32,
        crc: crc(content),
        flags: 0,
        mode: 0o100_644,
        shares: None,
    }
}

/// The archive, written as Java's library does: sizes only in the directory.
fn forge(files: &[Forged]) -> Vec<u8> {
    let (mut archive, mut directory, mut places) = (Vec::new(), Vec::new(), Vec::new());
    for file in files {
        let place = file.shares.map_or(archive.len(), |other| places[other]);
        places.push(place);
        if file.shares.is_none() {
            archive.extend_from_slice(b"PK\x03\x04\x14\0\x08\0\x08\0\0\0\0\0");
            archive.extend_from_slice(&[0; 12]);
            archive.extend_from_slice(&(file.name.len() as u16).to_le_bytes());
            archive.extend_from_slice(&[0; 2]);
            archive.extend_from_slice(&file.name);
            archive.extend_from_slice(&file.packed);
            // The data descriptor.
            archive.extend_from_slice(b"PK\x07\x08");
            archive.extend_from_slice(&[0; 12]);
        }
        directory.extend_from_slice(b"PK\x01\x02\x14\x03\x14\0");
        directory.extend_from_slice(&file.flags.to_le_bytes());
        directory.extend_from_slice(&file.method.to_le_bytes());
        directory.extend_from_slice(&[0; 4]);
        for long in [file.crc, file.packed.len() as u32, file.size] {
            directory.extend_from_slice(&long.to_le_bytes());
        }
        directory.extend_from_slice(&(file.name.len() as u16).to_le_bytes());
        directory.extend_from_slice(&[0; 8]);
        directory.extend_from_slice(&(file.mode << 16).to_le_bytes());
        directory.extend_from_slice(&(place as u32).to_le_bytes());
        directory.extend_from_slice(&file.name);
    }
    let end = (archive.len() as u32, directory.len() as u32, files.len() as u16);
    archive.extend_from_slice(&directory);
    archive.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    archive.extend_from_slice(&[end.2.to_le_bytes(), end.2.to_le_bytes()].concat());
    archive.extend_from_slice(&end.1.to_le_bytes());
    archive.extend_from_slice(&end.0.to_le_bytes());
    archive.extend_from_slice(&[0; 2]);
    archive
}

fn refusal(files: &[Forged]) -> String {
    match Archive::inspect(forge(files).into()) {
        Ok(archive) => format!("taken: {archive:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn what_is_packed_comes_out_again() {
    let files: Vec<(Arc<str>, Arc<str>)> = [
        ("G/a.yaml", "a: 1\n"),
        ("G/com.example:a..b", "a colon is no drive"),
        ("G/值", "käse"),
        (".metadata.yml", "metadata:\n"),
        ("G/empty", ""),
    ]
    .map(|(name, content)| (name.into(), content.into()))
    .to_vec();
    let archive = Archive::inspect(pack(&files)).unwrap();
    assert!(archive.names().eq(files.iter().map(|(name, _)| name)));
    for (number, (_, content)) in files.iter().enumerate() {
        assert_eq!(archive.content(number).as_deref(), Some(&**content));
    }
    assert_eq!(archive.content(5), None);
    assert_eq!(Archive::inspect(pack(&[])).unwrap().names().count(), 0);
}

#[test]
fn archives_of_other_writers_are_taken() {
    let stored = Forged { packed: b"s".to_vec(), method: STORED, ..file("G/s", b"s") };
    let directory =
        Forged { packed: Vec::new(), method: STORED, mode: 0o040_755, ..file("G/", b"") };
    let mut bytes = forge(&[directory, file("G/a", b"content"), stored]);
    let archive = Archive::inspect(bytes.clone().into()).unwrap();
    assert!(archive.names().map(|name| &**name).eq(["G/a", "G/s"]), "a directory is no file");
    assert_eq!(archive.content(0).as_deref(), Some("content"));
    assert_eq!(archive.content(1).as_deref(), Some("s"));
    // A comment at the end.
    let at = bytes.len() - 2;
    bytes[at] = 5;
    bytes.extend_from_slice(b"hello");
    assert!(Archive::inspect(bytes.into()).is_ok());
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    for (name, why) in [
        ("../../x", "it leads out of the archive"),
        ("G/..", "it leads out of the archive"),
        ("./x", "it leads out of the archive"),
        ("/etc/passwd", "it is absolute"),
        ("C:\\x", "it is absolute"),
        ("c:/x", "it is absolute"),
        ("G\\x", "it has backslashes"),
        ("G/x\0.yaml", "it has control characters"),
        ("G/\u{1b}[2J", "it has control characters"),
        ("", "it is empty"),
    ] {
        let told = refusal(&[file("G/good", b"x"), file(name, b"x")]);
        assert!(told.ends_with(why), "{name}: {told}");
    }
    let latin = Forged { name: vec![b'G', b'/', 0xe4], ..file("", b"x") };
    assert!(refusal(&[latin]).ends_with("names are UTF-8"));
}

#[test]
fn duplicate_names_are_refused() {
    let told = refusal(&[file("G/a", b"x"), file("G/b", b"x"), file("G/a", b"y")]);
    assert_eq!(told, r#"the archive has a file with the name "G/a": there are two of that name"#);
}

#[test]
fn links_and_devices_are_refused() {
    for mode in [0o120_777, 0o020_600, 0o060_600, 0o010_600, 0o140_600] {
        let told = refusal(&[Forged { mode, ..file("G/a", b"/etc/passwd") }]);
        assert!(told.ends_with("a link or a device is no config"), "{mode:o}: {told}");
    }
}

/// The bomb whose files all share one kernel of packed bytes.
#[test]
fn an_overlap_bomb_is_refused() {
    let zeros = vec![0; 1 << 20];
    let kernel = file("G/0", &zeros);
    // Their local record names the first one, so even their names lie.
    let shares = (1..1_000).map(|n| Forged {
        name: format!("G/{n}").into(),
        shares: Some(0),
        ..kernel.clone()
    });
    let files: Vec<Forged> = [kernel.clone()].into_iter().chain(shares).collect();
    assert_eq!(
        refusal(&files),
        "the archive cannot be read: a file of it is not where its directory says"
    );
    // The form in which names agree: each file's bytes hold the next one's record.
    let inner = forge(&[file("G/b", b"x")]);
    let inner_record = inner[..30 + 3 + file("G/b", b"x").packed.len()].to_vec();
    let mut outer = file("G/a", b"");
    outer.packed = inner_record.clone();
    outer.method = STORED;
    outer.size = inner_record.len() as u32;
    outer.crc = crc(&inner_record);
    let quoted = forge(&[outer.clone(), file("G/b", b"x")]);
    // The second file is said to be within the first one.
    let mut bytes = quoted.clone();
    let directory = bytes.windows(4).rposition(|w| w == b"PK\x01\x02").unwrap();
    bytes[directory + 42..directory + 46].copy_from_slice(&33_u32.to_le_bytes());
    let told = Archive::inspect(bytes.into()).unwrap_err().to_string();
    assert_eq!(told, "the archive cannot be read: files of it share bytes");
}

#[test]
fn a_bomb_is_refused_by_what_it_inflates_to_whatever_it_says() {
    let zeros = vec![0; 8 << 20];
    let dense = "the archive has more than 200 bytes of content per packed byte: split it";
    assert_eq!(refusal(&[file("G/a", &zeros)]), dense);
    let modest = Forged { size: 10, ..file("G/a", &zeros) };
    assert!(refusal(&[modest]).ends_with("its content is not what the archive says of it"));
    let lie = Forged { size: u32::MAX - 1, ..file("G/a", b"x") };
    assert!(refusal(&[lie]).ends_with("its content is not what the archive says of it"));
    let longer_still = Forged { size: u32::MAX, ..file("G/a", b"x") };
    assert!(refusal(&[longer_still]).ends_with("its content is not what the archive says of it"));
    // Not dense, and too much all the same.
    let noise: Vec<u8> =
        (0_u32..1 << 20).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8 & 15).collect();
    let files: Vec<Forged> =
        (0..101).map(|n| Forged { name: format!("G/{n}").into(), ..file("", &noise) }).collect();
    assert_eq!(refusal(&files), "the archive has more than 104857600 bytes of content: split it");
    assert!(refusal(&files[..100]).starts_with("taken"));
}

#[test]
fn lies_about_contents_are_refused() {
    let wrong = "its content is not what the archive says of it";
    let good = file("G/a", b"content");
    for forged in [
        Forged { crc: 0, ..good.clone() },
        Forged { size: 6, ..good.clone() },
        Forged { size: 8, ..good.clone() },
        Forged { packed: b"no deflate".to_vec(), ..good.clone() },
        Forged { packed: [good.packed.clone(), b"more".to_vec()].concat(), ..good.clone() },
        Forged { packed: good.packed[..3].to_vec(), ..good.clone() },
        Forged { method: STORED, ..good.clone() },
    ] {
        assert!(refusal(&[forged]).ends_with(wrong));
    }
    assert!(
        refusal(&[Forged { method: 12, ..good.clone() }]).contains("a packing other than deflate")
    );
    for flags in [1, 1 << 6, 1 << 13] {
        assert!(refusal(&[Forged { flags, ..good.clone() }]).contains("encryption"), "{flags}");
    }
}

#[test]
fn a_directory_names_as_many_files_as_its_end_says_and_nothing_follows_it() {
    let good = forge(&[file("G/a", b"x"), file("G/b", b"y")]);
    let end = good.len() - 22;
    for (count, why) in [(1, "more"), (3, "fewer"), (0, "more")] {
        let mut bytes = good.clone();
        (bytes[end + 8], bytes[end + 10]) = (count, count);
        let told = Archive::inspect(bytes.into()).unwrap_err().to_string();
        let why = format!("its directory names {why} files than its end says");
        assert!(told.ends_with(&why), "{count}: {told}");
    }
    let told = Archive::inspect([good, b"more".to_vec()].concat().into()).unwrap_err();
    assert!(told.to_string().ends_with("there is something behind its end"), "{told}");
}

#[test]
fn an_archive_within_an_archive_is_refused() {
    let inner = forge(&[file("G/a", b"x")]);
    let told = refusal(&[file("G/inner.zip", &inner)]);
    assert!(told.ends_with("an archive within the archive is not taken"), "{told}");
}

#[test]
fn too_many_files_are_refused_before_they_are_looked_at() {
    let files: Vec<Forged> =
        (0..=ARCHIVE_FILES_MAX).map(|n| file(&format!("G/{n}"), b"x")).collect();
    assert_eq!(refusal(&files), "the archive has more than 10000 files: split it");
    assert!(refusal(&files[1..]).starts_with("taken"));
}

#[test]
fn damaged_archives_never_panic_and_what_is_cut_is_refused() {
    let good = forge(&[file("G/a", b"content"), file("G/b", b"more content")]);
    assert!(Archive::inspect(good.clone().into()).is_ok());
    damage(&good, &["content", "more content"]);
}

/// Cuts an archive everywhere, and flips each of its bits.
fn damage(good: &[u8], contents: &[&str]) {
    for length in 0..good.len() {
        assert!(Archive::inspect(good[..length].to_vec().into()).is_err(), "{length}");
    }
    for place in 0..good.len() {
        for bit in 0..8 {
            let mut bytes = good.to_vec();
            bytes[place] ^= 1 << bit;
            if let Ok(archive) = Archive::inspect(bytes.into()) {
                for number in 0..archive.names().count() {
                    let content = archive.content(number).unwrap();
                    assert!(contents.contains(&&*content), "{place}");
                }
            }
        }
    }
}

/// Deflated by Python's `zipfile` with every field in its zip64 form.
const ZIP64: &str = "504b03042d00000008000000755da930c5feffffffffffffffff03001400472f6101001000070000000000000009000000000000004bcecf\
    2b49cd2b0100504b03042d00000008000000755d7cf2528bffffffffffffffff03001400472f620100100004000000000000000600000000\
    000000cbcd2f4a0500504b01022d032d00000008000000755da930c5feffffffffffffffff03001400000000000000000080010000000047\
    2f610100100007000000000000000900000000000000504b01022d032d00000008000000755d7cf2528bffffffffffffffff03001c000000\
    0000000000008001ffffffff472f6201001800040000000000000006000000000000003e00000000000000504b06062c000000000000002d\
    002d0000000000000000000200000000000000020000000000000092000000000000007900000000000000504b0607000000000b01000000\
    00000001000000504b0506000000000200020092000000790000000000";

fn unhex(hex: &str) -> Vec<u8> {
    let digits: Vec<char> = hex.chars().collect();
    let byte = |pair: &[char]| {
        let text: String = pair.iter().collect();
        u8::from_str_radix(&text, 16).unwrap()
    };
    digits.chunks(2).map(byte).collect()
}

#[test]
fn the_long_form_is_taken_and_may_not_lie_either() {
    let good = unhex(ZIP64);
    let archive = Archive::inspect(good.clone().into()).unwrap();
    assert_eq!(archive.content(0).as_deref(), Some("content"));
    assert_eq!(archive.content(1).as_deref(), Some("more"));
    let size = good.windows(4).rposition(|w| w == b"PK\x01\x02").unwrap() + 46 + 3 + 4;
    let (packed, place) = (size + 8, size + 16);
    let wrong = "its content is not what the archive says of it";
    let outside = "a file of it is not where its directory says";
    for (at, lie, why) in [
        (size, u64::MAX, wrong),
        (packed, u64::MAX, outside),
        (packed, 7, outside),
        (packed, 1 << 32, outside),
        (place, u64::MAX, outside),
        (place, u64::MAX - 40, outside),
        (place, 0, outside),
    ] {
        let mut bytes = good.clone();
        bytes[at..at + 8].copy_from_slice(&lie.to_le_bytes());
        let told = Archive::inspect(bytes.into()).unwrap_err().to_string();
        assert!(told.ends_with(why), "{at} {lie}: {told}");
    }
    damage(&good, &["content", "more"]);
}

/// Written by Java's `ZipOutputStream` (as Nacos does: sizes behind the content), and by Python's `zipfile`.
const BY_JAVA: &str = "504b0304140008080800f278755d00000000000000000000000008000000472f612e79616d6c4bb45230e40200504b0708691923e30700\
    000005000000504b0304140008080800f278755d0000000000000000000000000d0000002e6d657461646174612e796d6ccb4d2d494c49\
    2c49b4e2d25500d19e29560a897a9589b9395c0a0ae945f9a505560aee4066496541aa9502581c00504b070876afc16e2e000000330000\
    00504b01021400140008080800f278755d691923e30700000005000000080000000000000000000000000000000000472f612e79616d6c\
    504b01021400140008080800f278755d76afc16e2e000000330000000d000000000000000000000000003d0000002e6d65746164617461\
    2e796d6c504b0506000000000200020071000000a60000000000";
const BY_PYTHON: &str = "504b0304140000000800f378755d691923e3070000000500000008000000472f612e79616d6c4bb45230e40200504b0304140000000800\
    f378755d76afc16e2e000000330000000d0000002e6d657461646174612e796d6ccb4d2d494c492c49b4e2d25500d19e29560a897a9589\
    b9395c0a0ae945f9a505560aee4066496541aa9502581c00504b01021403140000000800f378755d691923e30700000005000000080000\
    000000000000000000800100000000472f612e79616d6c504b01021403140000000800f378755d76afc16e2e000000330000000d000000\
    000000000000000080012d0000002e6d657461646174612e796d6c504b0506000000000200020071000000860000000000";

#[test]
fn archives_of_java_and_python_are_taken() {
    for hex in [BY_JAVA, BY_PYTHON] {
        let archive = Archive::inspect(unhex(hex).into()).unwrap();
        assert!(archive.names().map(|name| &**name).eq(["G/a.yaml", ".metadata.yml"]));
        assert_eq!(archive.content(0).as_deref(), Some("a: 1\n"));
        let metadata = "metadata:\n- dataId: a.yaml\n  group: G\n  type: yaml\n";
        assert_eq!(archive.content(1).as_deref(), Some(metadata));
    }
}
