//! The table: every case against a real server, with the codes that it must end in.
//!
//! The first code of a row is its headline; rows name all codes, also of warnings. What a
//! server really says in each case stands in deploy/lab/README.md and deploy/lab/cases.

mod access;
mod accounts;
mod arrival;
mod certificates;
mod modes;
mod submission;

use super::row::Row;

/// All rows.
pub(super) fn rows() -> Vec<Row> {
    [
        access::rows(),
        accounts::rows(),
        arrival::rows(),
        certificates::rows(),
        modes::rows(),
        submission::rows(),
    ]
    .concat()
}
