//! The rows of the state tables, the histories of configs among them, as a disk gives them back: records of a table, a
//! length, and a row, which is the length of its key, the key and the value. A node starts on them: it serves or halts.
#![no_main]
#![forbid(unsafe_code)]

use fuzz::{LoneNode, records};
use node::{Request, TableRow, consensus};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let row = |(table, bytes): (u8, &[u8])| {
        let (len, rest) = bytes.split_first()?;
        let (key, value) = rest.split_at_checked(usize::from(*len))?;
        Some(TableRow { table, key: key.to_vec(), value: Some(value.to_vec()) })
    };
    let rows: Vec<TableRow> = records(data).filter_map(row).collect();
    let mut node = LoneNode::start(consensus::Recovered::default(), rows);
    for limit in [1, 100] {
        let key = config::ConfigKey {
            namespace: "public".into(),
            group: "G".into(),
            data_id: "a".into(),
        };
        let history = config::Request::History { key, before: None, limit };
        let replies = node.ask(Request::Config(history));
        assert!(node.halted() || replies.len() == 1, "{replies:?}");
    }
});
