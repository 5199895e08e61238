//! Which state table on disk belongs to which table of which plane.

use crate::TableRow;
use base::Row;

/// A replicated plane that keeps state tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plane {
    Config,
    Access,
    Naming,
    Cluster,
    Lock,
}

/// Tables that one plane may number: its rows are at `plane * 16 + table`.
const TABLES_PER_PLANE: u8 = 16;

impl Plane {
    const fn base(self) -> u8 {
        match self {
            Self::Config => TABLES_PER_PLANE,
            Self::Access => 2 * TABLES_PER_PLANE,
            Self::Naming => 3 * TABLES_PER_PLANE,
            Self::Cluster => 4 * TABLES_PER_PLANE,
            Self::Lock => 5 * TABLES_PER_PLANE,
        }
    }

    pub(crate) fn table(self, table: u8) -> u8 {
        assert!(table < TABLES_PER_PLANE, "a plane numbers its tables below {TABLES_PER_PLANE}");
        self.base() + table
    }

    pub(crate) fn to_disk(self, row: Row) -> TableRow {
        TableRow { table: self.table(row.table), key: row.key, value: row.value }
    }
}

/// The tables to give back as `Input::Restore` at start, in this order. A history is read when it is asked for.
pub const RESTORED_TABLES: std::ops::Range<u8> = TABLES_PER_PLANE..6 * TABLES_PER_PLANE;

/// A disk row, sorted to its plane. `None`: a table that no plane of this build knows.
pub(crate) fn from_disk(row: TableRow) -> Option<(Plane, Row)> {
    let plane = [Plane::Config, Plane::Access, Plane::Naming, Plane::Cluster, Plane::Lock]
        .into_iter()
        .find(|plane| (plane.base()..plane.base() + TABLES_PER_PLANE).contains(&row.table))?;
    Some((plane, Row { table: row.table - plane.base(), key: row.key, value: row.value }))
}
