//! Receipts that came before the answer to the request they are about. In memory only: one that is
//! lost with the process costs a check mark, and the provider's next report makes up for it.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;

use super::lock::lock;
use crate::event::Receipt;
use crate::message::{DeliveryState, Fate};

#[derive(Default)]
pub struct PendingReceipts(Mutex<Noted>);

#[derive(Default)]
struct Noted {
    reports: HashMap<[u8; 16], Report>,
    order: VecDeque<[u8; 16]>,
}

/// What a receipt says.
#[derive(Clone, Debug)]
pub struct Report {
    pub state: DeliveryState,
    pub reason: Option<String>,
    pub fate: Option<Fate>,
}

impl Report {
    pub fn of(receipt: &Receipt) -> Self {
        Report { state: receipt.state, reason: receipt.reason.clone(), fate: receipt.fate }
    }
}

/// Receipts of messages that are not ours come too, and must not pile up.
const MOST: usize = 4096;

impl PendingReceipts {
    /// Of several about one message the furthest counts.
    pub fn note(&self, id: [u8; 16], report: &Report) {
        let mut kept = lock(&self.0);
        match kept.reports.get_mut(&id) {
            Some(known) if known.state.after(report.state) != known.state => *known = report.clone(),
            Some(_) => {}
            None => {
                kept.reports.insert(id, report.clone());
                kept.order.push_back(id);
            }
        }
        if kept.order.len() > MOST
            && let Some(oldest) = kept.order.pop_front()
        {
            kept.reports.remove(&oldest);
        }
    }

    pub fn find(&self, id: &[u8; 16]) -> Option<Report> {
        lock(&self.0).reports.get(id).cloned()
    }
}
