//! How a replicated plane names what it changed.

use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// One changed row of a plane's state. The rows are at once the state tables on disk, the content of a snapshot and
/// what the plane is restored from at start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The table, numbered within the plane.
    pub table: u8,
    /// Ordered bytewise within the table.
    pub key: Vec<u8>,
    /// The new value; `None` deletes the row.
    pub value: Option<Vec<u8>>,
}
