//! Files: a row each, an index of those that are to be fetched, one by age, and the room that each
//! tenant's take. Rows and indexes change together, in the transaction that changes the file.

use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use crate::channel::media::{HANDLE_PREFIX, is_handle};
use crate::message::{Content, Provider, SenderName, TenantId, Timestamp};
use crate::store::media::{File, FileAges, FileState};
use crate::store::quotas::Shelf;
use crate::store::rows::{Files, FilesByAge, FilesDue, ReadRows, Rows, Step};
use crate::store::shared::effect::Effect;
use crate::store::shared::fetches::{Fetches, FileKey};
use crate::store::{AuditEntry, Error};
use crate::tenant::quotas::Kind;

/// A file that a message brought, before its tenant is known.
#[derive(Clone, Debug)]
pub struct Brought {
    handle: String,
    source: String,
    mime_type: Option<String>,
    filename: Option<String>,
}

/// Puts a handle of ours in the place of the provider's, which no brain ever sees. The handle is the
/// same whenever the same message comes.
pub fn take(content: &mut Content, message: (Provider, &str, &str), secret: &[u8; 32]) -> Option<Brought> {
    let Content::Media(media) = content else { return None };
    let (provider, account, id) = message;
    // In the simulator a chat shows a file that the tenant has stored here before.
    if media.handle.is_empty() || (provider.is_simulated() && is_handle(&media.handle)) {
        return None;
    }
    let mut mac = keyed(secret, b"file");
    for part in [provider.name(), account, id] {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part.as_bytes());
    }
    let digest = mac.finalize().into_bytes();
    let handle = format!("{HANDLE_PREFIX}{}", hex::encode(&digest[..16]));
    let source = std::mem::replace(&mut media.handle, handle.clone());
    Some(Brought { handle, source, mime_type: media.mime_type.clone(), filename: media.filename.clone() })
}

pub fn keyed(secret: &[u8; 32], purpose: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("a MAC takes keys of any length");
    mac.update(purpose);
    mac
}

/// The file is to be fetched. One that is known already stays as it is.
pub fn expect(
    rows: &mut impl Rows,
    tenant: TenantId,
    sender: &SenderName,
    brought: &Brought,
    now: Timestamp,
) -> Step<()> {
    if rows.has::<Files>(&(tenant, brought.handle.clone()))? {
        return Ok(());
    }
    // The message is kept all the same; its file is not known to the brain that asks for it.
    let files = rows.usage(tenant).of(Shelf::Files).rows + 1;
    if rows.index().allow(tenant, Kind::Files, files).is_err() {
        return Ok(());
    }
    let file = File {
        handle: brought.handle.clone(),
        tenant,
        sender: Some(sender.clone()),
        source: brought.source.clone(),
        mime_type: brought.mime_type.clone(),
        filename: brought.filename.clone(),
        state: FileState::Waiting { due_at: now, attempts: 0, error: None },
        received_at: now,
    };
    insert(rows, &file)
}

fn name(file: &File) -> (TenantId, String) {
    (file.tenant, file.handle.clone())
}

fn due(file: &File, at: Timestamp) -> (Timestamp, TenantId, String) {
    (at, file.tenant, file.handle.clone())
}

/// By age within what is there and what is remembered.
fn aged(file: &File) -> (bool, Timestamp, TenantId, String) {
    (file.state == FileState::Gone, file.received_at, file.tenant, file.handle.clone())
}

pub fn insert(rows: &mut impl Rows, file: &File) -> Step<()> {
    rows.put::<Files>(&name(file), file)?;
    rows.put::<FilesByAge>(&aged(file), &())?;
    if let FileState::Waiting { due_at, .. } = &file.state {
        let sender = file.sender.clone().unwrap_or_else(|| SenderName::new(""));
        rows.put::<FilesDue>(&due(file, *due_at), &sender)?;
        rows.effect(Effect::File { key: key_of(file), waits: Some((sender, *due_at)) });
    }
    rows.changes_mut().count_file_bytes(file.tenant, file.state.size(), 0);
    Ok(())
}

fn remove(rows: &mut impl Rows, file: &File) -> Step<()> {
    rows.remove::<Files>(&name(file))?;
    rows.remove::<FilesByAge>(&aged(file))?;
    if let FileState::Waiting { due_at, .. } = &file.state {
        rows.remove::<FilesDue>(&due(file, *due_at))?;
        rows.effect(Effect::File { key: key_of(file), waits: None });
    }
    rows.changes_mut().count_file_bytes(file.tenant, 0, file.state.size());
    Ok(())
}

pub fn key_of(file: &File) -> FileKey {
    FileKey { tenant: file.tenant, handle: file.handle.clone() }
}

pub fn find(rows: &impl ReadRows, tenant: TenantId, handle: &str) -> Step<Option<File>> {
    rows.get::<Files>(&(tenant, handle.to_owned()))
}

fn must_find(rows: &impl ReadRows, tenant: TenantId, handle: &str) -> Step<File> {
    let found = find(rows, tenant, handle)?;
    Ok(found.ok_or_else(|| Error::NotFound(format!("tenant {tenant} has no file {handle}")))?)
}

/// May the tenant keep this as well? `more`: a row, where there is none yet.
pub fn check_quota(rows: &impl Rows, file: &File, more: u64) -> Step<()> {
    let usage = rows.usage(file.tenant);
    let wanted = usage.file_bytes.saturating_add(file.state.size());
    rows.index().allow(file.tenant, Kind::FileBytes, wanted)?;
    rows.index().allow(file.tenant, Kind::Files, usage.of(Shelf::Files).rows + more)?;
    Ok(())
}

/// A tenant's own.
pub fn put(rows: &mut impl Rows, file: &File, by: &AuditEntry) -> Step<()> {
    check_quota(rows, file, 1)?;
    insert(rows, file)?;
    rows.audit(by)
}

pub fn store(rows: &mut impl Rows, file: &File) -> Step<()> {
    let before = must_find(rows, file.tenant, &file.handle)?;
    if !matches!(before.state, FileState::Waiting { .. }) {
        return Err(Error::Conflict(format!("the file {} is not waited for", file.handle)).into());
    }
    check_quota(rows, file, 0)?;
    remove(rows, &before)?;
    insert(rows, file)
}

pub fn settle(rows: &mut impl Rows, tenant: TenantId, handle: &str, state: &FileState) -> Step<()> {
    let before = must_find(rows, tenant, handle)?;
    let allowed = match &before.state {
        FileState::Waiting { .. } => matches!(state, FileState::Waiting { .. } | FileState::Failed { .. }),
        FileState::Stored { .. } => *state == FileState::Gone,
        FileState::Failed { .. } | FileState::Gone => false,
    };
    if !allowed {
        return Err(Error::Conflict(format!("the file {handle} has come to its end already")).into());
    }
    let after = File { state: state.clone(), ..before.clone() };
    remove(rows, &before)?;
    insert(rows, &after)
}

/// What is past its life, oldest first: of what is there, and of what is only remembered.
fn past(rows: &impl ReadRows, remembered: bool, before: Timestamp, limit: usize) -> Step<Vec<File>> {
    let first = (remembered, Timestamp::ZERO, TenantId::GATEWAY, String::new());
    let is_past = |(gone, at, ..): &(bool, Timestamp, TenantId, String)| *gone == remembered && *at < before;
    let mut old = Vec::new();
    rows.each_of::<FilesByAge>(&first, limit, is_past, |(_, _, tenant, handle), _| {
        old.push((tenant, handle));
        Ok(())
    })?;
    let mut files = Vec::with_capacity(old.len());
    for name in old {
        files.extend(rows.get::<Files>(&name)?);
    }
    Ok(files)
}

/// A tenant's, the newest first. No more rows than `looked_at` are passed.
pub fn newest(rows: &impl ReadRows, tenant: TenantId, limit: usize, looked_at: usize) -> Step<Vec<File>> {
    let end = (true, Timestamp::from_ms(i64::MAX), TenantId::from_stored(u32::MAX), String::new());
    let mut names = Vec::new();
    rows.each_back_of::<FilesByAge>(
        &end,
        looked_at,
        |_| true,
        |(_, _, owner, handle), _| {
            if owner == tenant && names.len() < limit {
                names.push((owner, handle));
            }
            Ok(())
        },
    )?;
    let mut files = Vec::with_capacity(names.len());
    for name in names {
        files.extend(rows.get::<Files>(&name)?);
    }
    files.sort_by_key(|file| std::cmp::Reverse(file.received_at));
    Ok(files)
}

pub fn expire(rows: &mut impl Rows, ages: FileAges, limit: usize) -> Step<Vec<File>> {
    let ended = past(rows, false, ages.keep_from, limit)?;
    for file in &ended {
        remove(rows, file)?;
        insert(rows, &File { state: FileState::Gone, ..file.clone() })?;
    }
    for file in past(rows, true, ages.remember_from, limit.saturating_sub(ended.len()))? {
        remove(rows, &file)?;
    }
    Ok(ended.into_iter().filter(|file| matches!(file.state, FileState::Stored { .. })).collect())
}

/// All that wait to be fetched.
pub fn waiting(rows: &impl ReadRows, fetches: &mut Fetches) -> Step<()> {
    rows.every::<FilesDue>(|(due, tenant, handle), sender| {
        fetches.put(&FileKey { tenant, handle }, sender?, due);
        Ok(())
    })
}
