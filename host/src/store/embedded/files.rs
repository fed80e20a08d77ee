//! Files: a row each, an index of those that are to be fetched, one by age, and the room that each
//! tenant's take. Rows and indexes change together, in the commit that changes the file.

use async_trait::async_trait;
use hmac::{Hmac, Mac as _};
use redb::{ReadTransaction, ReadableTable};
use sha2::Sha256;

use super::Embedded;
use super::admin::entry;
use super::batch::{Batch, Step};
use super::codec::{Eye, Unreadable, owned_by, pack, unpack};
use super::fetches::{Fetches, FileKey};
use super::mirror::Effect;
use super::tables::define;
use crate::channel::media::{HANDLE_PREFIX, is_handle};
use crate::clock;
use crate::message::{Content, Provider, SenderName, TenantId, Timestamp};
use crate::store::media::{File, FileAges, FileState, MediaShelf};
use crate::store::quotas::Shelf;
use crate::store::upkeep::Mark;
use crate::store::{Error, Result};
use crate::tenant::quotas::Kind;

/// A listing looks at no more rows than this.
const LISTED_ROWS: usize = 100_000;

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

fn keyed(secret: &[u8; 32], purpose: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("a MAC takes keys of any length");
    mac.update(purpose);
    mac
}

/// The file is to be fetched. One that is known already stays as it is.
pub fn expect(
    batch: &mut Batch<'_>,
    tenant: TenantId,
    sender: &SenderName,
    brought: &Brought,
    now: Timestamp,
) -> Step<()> {
    let key = owned_by(tenant.get(), &brought.handle);
    if batch.tables.files.get()?.get(key.as_slice())?.is_some() {
        return Ok(());
    }
    // The message is kept all the same; its file is not known to the brain that asks for it.
    let files = batch.usage(tenant).of(Shelf::Files).rows + 1;
    if batch.mirror.allow(tenant, Kind::Files, files).is_err() {
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
    insert(batch, &file)
}

/// `time tenant handle`.
fn timed(at: Timestamp, file: &File) -> Vec<u8> {
    let mut key = (at.as_ms().max(0) as u64).to_be_bytes().to_vec();
    key.extend_from_slice(&owned_by(file.tenant.get(), &file.handle));
    key
}

/// By age within what is there and what is remembered.
fn aged(file: &File) -> Vec<u8> {
    let mut key = vec![u8::from(file.state == FileState::Gone)];
    key.extend_from_slice(&timed(file.received_at, file));
    key
}

/// The first key of that age.
fn age(remembered: bool, at: Timestamp) -> Vec<u8> {
    let mut key = vec![u8::from(remembered)];
    key.extend_from_slice(&(at.as_ms().max(0) as u64).to_be_bytes());
    key
}

fn insert(batch: &mut Batch<'_>, file: &File) -> Step<()> {
    let key = owned_by(file.tenant.get(), &file.handle);
    batch.tables.files.put()?.insert(key.as_slice(), pack(file).as_slice())?;
    batch.tables.files_by_age.put()?.insert(aged(file).as_slice(), ())?;
    if let FileState::Waiting { due_at, .. } = &file.state {
        let sender = file.sender.clone().unwrap_or_else(|| SenderName::new(""));
        batch.tables.files_due.put()?.insert(timed(*due_at, file).as_slice(), sender.as_str())?;
        batch.effects.push(Effect::File { key: key_of(file), waits: Some((sender, *due_at)) });
    }
    batch.count_file_bytes(file.tenant, file.state.size(), 0);
    Ok(())
}

fn remove(batch: &mut Batch<'_>, file: &File) -> Step<()> {
    let key = owned_by(file.tenant.get(), &file.handle);
    batch.tables.files.put()?.remove(key.as_slice())?;
    batch.tables.files_by_age.put()?.remove(aged(file).as_slice())?;
    if let FileState::Waiting { due_at, .. } = &file.state {
        batch.tables.files_due.put()?.remove(timed(*due_at, file).as_slice())?;
        batch.effects.push(Effect::File { key: key_of(file), waits: None });
    }
    batch.count_file_bytes(file.tenant, 0, file.state.size());
    Ok(())
}

fn key_of(file: &File) -> FileKey {
    FileKey { tenant: file.tenant, handle: file.handle.clone() }
}

fn find(batch: &mut Batch<'_>, tenant: TenantId, handle: &str) -> Step<Option<File>> {
    let row = batch.tables.files.get()?.get(owned_by(tenant.get(), handle).as_slice())?;
    Ok(row.map(|row| unpack("files", row.value())).transpose()?)
}

fn must_find(batch: &mut Batch<'_>, tenant: TenantId, handle: &str) -> Step<File> {
    let found = find(batch, tenant, handle)?;
    Ok(found.ok_or_else(|| Error::NotFound(format!("tenant {tenant} has no file {handle}")))?)
}

/// May the tenant keep this as well? `more`: a row, where there is none yet.
fn check_quota(batch: &Batch<'_>, file: &File, more: u64) -> Step<()> {
    let usage = batch.usage(file.tenant);
    let wanted = usage.file_bytes.saturating_add(file.state.size());
    batch.mirror.allow(file.tenant, Kind::FileBytes, wanted)?;
    batch.mirror.allow(file.tenant, Kind::Files, usage.of(Shelf::Files).rows + more)?;
    Ok(())
}

fn store(batch: &mut Batch<'_>, file: &File) -> Step<()> {
    let before = must_find(batch, file.tenant, &file.handle)?;
    if !matches!(before.state, FileState::Waiting { .. }) {
        return Err(Error::Conflict(format!("the file {} is not waited for", file.handle)).into());
    }
    check_quota(batch, file, 0)?;
    remove(batch, &before)?;
    insert(batch, file)
}

fn settle(batch: &mut Batch<'_>, tenant: TenantId, handle: &str, state: &FileState) -> Step<()> {
    let before = must_find(batch, tenant, handle)?;
    let allowed = match &before.state {
        FileState::Waiting { .. } => matches!(state, FileState::Waiting { .. } | FileState::Failed { .. }),
        FileState::Stored { .. } => *state == FileState::Gone,
        FileState::Failed { .. } | FileState::Gone => false,
    };
    if !allowed {
        return Err(Error::Conflict(format!("the file {handle} has come to its end already")).into());
    }
    let after = File { state: state.clone(), ..before.clone() };
    remove(batch, &before)?;
    insert(batch, &after)
}

/// What is past its life, oldest first: of what is there, and of what is only remembered.
fn past(batch: &mut Batch<'_>, remembered: bool, before: Timestamp, limit: usize) -> Step<Vec<File>> {
    let (from, to) = (age(remembered, Timestamp::ZERO), age(remembered, before));
    let mut old = Vec::new();
    for row in batch.tables.files_by_age.get()?.range::<&[u8]>(from.as_slice()..to.as_slice())?.take(limit) {
        old.push(row?.0.value().to_vec());
    }
    let mut files = Vec::with_capacity(old.len());
    for key in old {
        let (tenant, handle) = named(&key)?;
        files.extend(find(batch, tenant, &handle)?);
    }
    Ok(files)
}

/// The file that a key of the index by age names.
fn named(key: &[u8]) -> std::result::Result<(TenantId, String), Unreadable> {
    let mut eye = Eye::new("files_by_age", key, key.first().copied().unwrap_or_default())?;
    eye.u64()?;
    owner(eye)
}

fn owner(mut eye: Eye<'_>) -> std::result::Result<(TenantId, String), Unreadable> {
    let tenant = TenantId::from_stored(eye.u32()?);
    let wrong = eye.wrong("a handle is not UTF-8");
    let handle = std::str::from_utf8(eye.rest()).map_err(|_| wrong)?;
    Ok((tenant, handle.to_owned()))
}

fn expire(batch: &mut Batch<'_>, ages: FileAges, limit: usize) -> Step<Vec<File>> {
    let ended = past(batch, false, ages.keep_from, limit)?;
    for file in &ended {
        remove(batch, file)?;
        insert(batch, &File { state: FileState::Gone, ..file.clone() })?;
    }
    for file in past(batch, true, ages.remember_from, limit.saturating_sub(ended.len()))? {
        remove(batch, &file)?;
    }
    Ok(ended.into_iter().filter(|file| matches!(file.state, FileState::Stored { .. })).collect())
}

fn read(snapshot: &ReadTransaction, tenant: TenantId, handle: &str) -> Step<Option<File>> {
    let table = snapshot.open_table(define::files)?;
    let row = ReadableTable::get(&table, owned_by(tenant.get(), handle).as_slice())?;
    Ok(row.map(|row| unpack("files", row.value())).transpose()?)
}

fn newest(snapshot: &ReadTransaction, tenant: TenantId, limit: usize) -> Step<Vec<File>> {
    let mut files = Vec::new();
    for row in snapshot.open_table(define::files_by_age)?.iter()?.rev().take(LISTED_ROWS) {
        let (owner, handle) = named(row?.0.value())?;
        if owner == tenant {
            files.extend(read(snapshot, tenant, &handle)?);
        }
        if files.len() >= limit {
            break;
        }
    }
    files.sort_by_key(|file| std::cmp::Reverse(file.received_at));
    Ok(files)
}

/// All that wait to be fetched.
pub fn waiting(snapshot: &ReadTransaction, fetches: &mut Fetches) -> Step<()> {
    for row in snapshot.open_table(define::files_due)?.iter()? {
        let (key, sender) = row?;
        let mut eye = Eye::bare("files_due", key.value());
        let due = Timestamp::from_ms(i64::try_from(eye.u64()?).unwrap_or(i64::MAX));
        let (tenant, handle) = owner(eye)?;
        fetches.put(&FileKey { tenant, handle }, SenderName::new(sender.value()), due);
    }
    Ok(())
}

#[async_trait]
impl MediaShelf for Embedded {
    fn file(&self, tenant: TenantId, handle: &str) -> Result<Option<File>> {
        self.read(|snapshot| read(snapshot, tenant, handle))
    }

    fn files(&self, tenant: TenantId, limit: usize) -> Result<Vec<File>> {
        self.read(|snapshot| newest(snapshot, tenant, limit))
    }

    fn claim_files(&self, n: usize, now: Timestamp) -> Result<Vec<File>> {
        if !self.may_fetch() {
            return Ok(Vec::new());
        }
        let claimed = self.mirror().files().claim(n, now);
        if claimed.is_empty() {
            return Ok(Vec::new());
        }
        let found = self.read(|snapshot| {
            Ok(claimed.iter().map(|key| read(snapshot, key.tenant, &key.handle)).collect::<Vec<_>>())
        });
        let found =
            found.inspect_err(|_| claimed.iter().for_each(|key| self.mirror().files().release(key)))?;
        let mut files = Vec::with_capacity(found.len());
        for (key, found) in claimed.into_iter().zip(found) {
            match found {
                Ok(Some(file)) if matches!(file.state, FileState::Waiting { .. }) => files.push(file),
                // Asked again it would fail again.
                Err(error) => {
                    let (tenant, handle) = (key.tenant, &key.handle);
                    tracing::error!(%tenant, handle, %error, "a file cannot be looked up and waits for the next start");
                }
                Ok(_) => {
                    let mut fetches = self.mirror().files();
                    fetches.settle(&key, None);
                    fetches.release(&key);
                }
            }
        }
        Ok(files)
    }

    fn release_file(&self, tenant: TenantId, handle: &str) {
        self.mirror().files().release(&FileKey { tenant, handle: handle.to_owned() });
    }

    fn postpone_file(&self, tenant: TenantId, handle: &str, until: Timestamp) {
        self.mirror().files().postpone(&FileKey { tenant, handle: handle.to_owned() }, until);
    }

    fn call_file(&self, tenant: TenantId, handle: &str) {
        self.mirror().files().call(&FileKey { tenant, handle: handle.to_owned() }, clock::now());
        self.mirror().wakes.files.notify_one();
    }

    fn park_file(&self, file: &File, bytes: u64) {
        let sender = file.sender.clone().unwrap_or_else(|| SenderName::new(""));
        let mirror = self.mirror();
        let mut fetches = mirror.files();
        fetches.park(&key_of(file), sender, bytes);
        // There may be room for it by now.
        if mirror.hold_files(&mut fetches, [file.tenant]) {
            mirror.wakes.files.notify_one();
        }
    }

    fn has_waited_for_room(&self, tenant: TenantId, handle: &str) -> bool {
        self.mirror().files().has_waited_for_room(tenant, handle)
    }

    fn next_file_at(&self) -> Option<Timestamp> {
        if self.may_fetch() { self.mirror().files().next_at() } else { None }
    }

    fn stored_bytes(&self, tenant: TenantId) -> Result<u64> {
        Ok(self.mirror().usage(tenant).file_bytes)
    }

    async fn store_file(&self, file: File) -> Result<()> {
        self.write(move |batch| store(batch, &file)).await
    }

    async fn settle_file(&self, tenant: TenantId, handle: &str, state: FileState) -> Result<()> {
        let handle = handle.to_owned();
        self.write(move |batch| settle(batch, tenant, &handle, &state)).await
    }

    async fn put_file(&self, file: File, actor: &str) -> Result<()> {
        let subject = format!("{}/{}", file.tenant, file.handle);
        let detail = serde_json::json!({ "bytes": file.state.size(), "mime_type": file.mime_type });
        let by = entry(actor, "put file", subject, detail, clock::now());
        self.write(move |batch| {
            check_quota(batch, &file, 1)?;
            insert(batch, &file)?;
            batch.audit(&by)
        })
        .await
    }

    async fn expire_files(&self, ages: FileAges, limit: usize) -> Result<Vec<File>> {
        self.write(move |batch| expire(batch, ages, limit)).await
    }

    fn media_key(&self) -> [u8; 32] {
        keyed(&self.mirror().secret, b"media links").finalize().into_bytes().into()
    }
}

impl Embedded {
    /// What there is no room for on the disk, or nothing to look it up in, waits until that is over.
    fn may_fetch(&self) -> bool {
        !self.shared.disk.is_compacting() && self.shared.space.check(Mark::Stored).is_ok()
    }
}
