//! Archives of configs. An even first byte: the rest is one as it was sent. Odd: records of a kind, a length and bytes,
//! each the content of a file that is packed by us.
#![no_main]
#![forbid(unsafe_code)]

use bytes::Bytes;
use fuzz::records;
use nacos::{Archive, pack};
use std::sync::Arc;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((mode, data)) = data.split_first() else { return };
    if mode % 2 == 0 {
        if let Ok(archive) = Archive::inspect(Bytes::copy_from_slice(data)) {
            for number in 0..archive.names().count() {
                let _ = archive.content(number);
            }
        }
    } else {
        let files = records(data).enumerate().map(|(number, (_, content))| {
            let content = String::from_utf8_lossy(content);
            (format!("G/{number}").into(), Arc::from(&*content))
        });
        let files: Vec<(Arc<str>, Arc<str>)> = files.collect();
        // An archive within an archive is refused, whoever packed it.
        if files.iter().any(|(_, content)| content.starts_with("PK\x03\x04")) {
            return;
        }
        let archive = Archive::inspect(pack(&files)).expect("what we pack is taken");
        for (number, (name, content)) in files.iter().enumerate() {
            assert_eq!(archive.names().nth(number), Some(name));
            assert_eq!(archive.content(number).as_deref(), Some(&**content));
        }
    }
});
