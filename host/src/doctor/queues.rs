//! The store and what waits in it.

use std::time::Duration;

use super::{Finding, Patient};
use crate::backup;
use crate::store::upkeep::Mark;
use crate::store::{Filter, OutboxState};

/// A reply that waits longer than this waits for someone.
const LONG_MS: i64 = 10 * 60 * 1000;
/// Of the waiting replies, as many are looked at.
const LOOKED_AT: usize = 500;
/// What the file keeps for nothing is told of from here on.
const SPARE_BYTES: u64 = 256 << 20;

pub async fn examine(patient: &Patient<'_>) -> Vec<Finding> {
    let mut findings = vec![match patient.store.probe().await {
        Ok(()) => Finding::good("store", "it takes commits"),
        Err(error) => Finding::error(
            "store",
            format!("it does not take commits, so webhooks are answered 503: {error}"),
            format!("is the disk full, or failing? `df -h {}`", patient.config.data.display()),
        ),
    }];
    findings.extend(disk(patient).await);
    let counters = patient.store.counters();
    let counted = [
        (counters.outbox_dead, "replies", "were refused for good", "`switchboard outbox list --dead`"),
        (
            counters.outbox_unknown,
            "replies",
            "may have gone out or not",
            "`switchboard outbox list --state unknown`; look at the chats, then `switchboard outbox retry ID` or `drop ID`",
        ),
        (counters.dead_turns, "turns", "were given up", "`switchboard turns list --dead`"),
    ];
    for (count, subject, what, action) in counted {
        if count > 0 {
            findings.push(Finding::warning(subject, format!("{count} {what}"), action));
        }
    }
    for (provider, count) in patient.store.unread_counts().await.unwrap_or_default() {
        findings.push(Finding::warning(
            "webhooks",
            format!("{count} of {provider} brought something that cannot be read"),
            "`switchboard webhook unread` says what; after an upgrade, `switchboard webhook replay`",
        ));
    }
    findings.push(waiting(patient).await);
    findings.extend(backups(patient));
    findings
}

/// Is there room on the disk, and does the file keep much that it does not need?
async fn disk(patient: &Patient<'_>) -> Vec<Finding> {
    let room = patient.file.room();
    let mut findings = Vec::new();
    if let (Some(free), Some(short)) = (room.free, room.short) {
        let what = format!("{free} bytes are left, and {} are kept in reserve", room.reserve);
        let action = "make room on the disk; `switchboard store show` tells what the store could give back";
        findings.push(match short {
            Mark::Messages => {
                Finding::error("disk", format!("messages are refused and turns wait: {what}"), action)
            }
            Mark::Stored => Finding::warning(
                "disk",
                format!("uploads, collections and files are refused: {what}"),
                action,
            ),
        });
    }
    if let Ok(file) = patient.file.file_bytes().await
        && file.spare > SPARE_BYTES.max(file.bytes / 2)
    {
        findings.push(Finding::warning(
            "store",
            format!("of its {} bytes it needs about {}", file.bytes, file.bytes - file.spare),
            "`switchboard store compact` gives the rest back; messages wait meanwhile",
        ));
    }
    findings
}

/// The gateway makes them by itself; where it could not, its log says why.
fn backups(patient: &Patient<'_>) -> Option<Finding> {
    let hours = u64::from(patient.config.backup.every_hours);
    let overdue = Duration::from_secs(2 * hours * 3600);
    let late = hours > 0 && backup::age(&patient.config.backups()).is_none_or(|age| age >= overdue);
    late.then(|| {
        Finding::warning(
            "backups",
            format!("the newest is older than {} hours, or there is none", 2 * hours),
            "`switchboard backup` makes one now and says what is in its way",
        )
    })
}

/// Who waits longest, and for what.
async fn waiting(patient: &Patient<'_>) -> Finding {
    let filter = Filter { limit: LOOKED_AT, ..Filter::default() };
    let waiting = match patient.store.outbox(&filter).await {
        Ok(waiting) => waiting,
        Err(error) => {
            return Finding::error("replies", format!("they cannot be read: {error}"), "see the log");
        }
    };
    let oldest = waiting
        .iter()
        .filter(|send| send.entry.state == OutboxState::Waiting && send.entry.attempts > 0)
        .min_by_key(|send| send.entry.created_at);
    match oldest {
        Some(send) if patient.now.as_ms() - send.entry.created_at.as_ms() > LONG_MS => Finding::error(
            format!("sender {}", send.entry.sender),
            format!(
                "a reply has waited since {}: {}",
                send.entry.created_at,
                send.entry.last_error.as_deref().unwrap_or("no error is known")
            ),
            format!(
                "mend what the error says; `switchboard outbox list --sender {}` shows what waits",
                send.entry.sender
            ),
        ),
        _ => Finding::good("replies", "none waits longer than ten minutes for its provider"),
    }
}
