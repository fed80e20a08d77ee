//! What administrators did, read page by page.

use std::ops::ControlFlow;

use crate::store::AuditEntry;
use crate::store::pages::{Free, Page};
use crate::store::rows::{Audit, ReadRows, ReadTable, Step};

/// Newest first.
pub fn page(rows: &impl ReadRows, limit: usize, bytes: usize) -> Step<Page<AuditEntry>> {
    let mut page = Page { entries: Vec::new(), more: false, next: None };
    let mut free = Free::new(limit, bytes);
    ReadTable::<Audit>::scan_rows_back(rows, &u64::MAX, &mut |_, row| {
        let row = row?;
        if !free.take(row.as_kept().len()) {
            page.more = true;
            return Ok(ControlFlow::Break(()));
        }
        page.entries.push(row.entry()?);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(page)
}
