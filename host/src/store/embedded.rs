//! The store in one file: redb. One thread writes, everybody reads snapshots, and what is asked on
//! the way of every message (who is next, how many, which sender) is answered from memory.
//!
//! ```text
//! accept, commit_turn, ... ─▶ queue ─▶ writer: batch ▶ commit ▶ index ─▶ answers
//!                                               (tables, rows, codec)
//! history, turns, ...      ─▶ snapshot ─▶ reads, listing
//! ```
//!
//! A row costs a page, and a page costs more than everything else, so keys are laid out to let
//! commits share pages: the inbox, outbox, history and journal lie in order of arrival, whoever they
//! belong to, and a conversation's lines are a chain. Only three tables are written at places all
//! over: the deduplication records, the conversations, and the ids that receipts name.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use redb::StorageBackend;

use self::batch::{Batch, Fault, Step, file_error};
pub use self::open::{OpenError, is_held, shell_word};
use self::opened::Shared;
use self::snapshot::Snapshot;
use self::space::Reserve;
use self::writer::Writer;
use super::{
    Accepted, ApiKey, Arrival, AuditEntry, Counters, Error, Handover, ImportReport, InboxId, Moved, Paced,
    Result, Retention, SendClaim, SendId, Settlement, Store, TurnClaim, TurnCommit, TurnFailure, Wakes,
};
use crate::clock;
use crate::conversation::{Conversation, Lead};
use crate::event::{Receipt, SessionChange};
use crate::message::{ContactKey, ConversationKey, OrganizationId, SenderName, TenantId, Timestamp};
use crate::priority;
use crate::route::Lock;
use crate::seal::Ring;
use crate::store::audit::entry;
use crate::store::claims::{
    sends as send_claims,
    turns::{self as turn_claims, Found},
};
use crate::store::rows::Rows as _;
use crate::store::rows::collection::CollectionRow;
use crate::store::rows::place::Place;
use crate::store::rows::{Leads, ReadRows as _};
use crate::store::rules::accept::{self, Incoming};
use crate::store::rules::locks::import::{self, Import};
use crate::store::rules::senders::{self, give};
use crate::store::rules::{
    api_keys, collections, contacts, directory, handoff, locks, named, pages as page_rules, probe, receipts,
    references, sends, sessions, timers, turns,
};
use crate::store::shared::index::Index;
use crate::store::shared::parsed::Records;
use crate::store::shared::settings::Settings as Rules;
use crate::store::upkeep::Mark;
use crate::tenant::{Directory, Organization, Sender, Tenant};
use crate::vitals::Vitals;
use crate::way;

pub mod backup;
mod batch;
mod codec;
mod cursors;
mod dead;
mod disk;
mod families;
mod files;
mod flaw;
mod leaving;
mod listed;
mod listing;
mod load;
mod numbers;
mod open;
mod opened;
mod overlay;
mod packages;
mod pages;
mod people;
mod prune;
mod quotas;
mod rows;
mod secrets;
mod snapshot;
pub mod space;
mod tables;
mod tally;
mod templates;
mod trim;
mod unread;
mod upkeep;
mod usage;
mod verify;
mod ways;
mod within;
mod writer;

/// How the file is opened and what the store decides with.
#[derive(Clone, Debug)]
pub struct Settings {
    pub path: PathBuf,
    /// Where backups lie; a damaged file's error names the newest good one.
    pub backups: PathBuf,
    /// What a command says to mean this gateway: ` --config /etc/switchboard/switchboard.toml`.
    pub called: String,
    /// redb's page cache.
    pub cache_bytes: usize,
    /// Operations that may wait for the writer; one more is refused with `Busy`.
    pub queue: usize,
    /// Check every page's checksum before serving.
    pub verify: bool,
    /// What of the disk is kept in reserve.
    pub reserve: Reserve,
    /// What the rules go by.
    pub rules: Rules,
    /// Open what senders prove themselves by; the last one seals it.
    pub keys: Ring,
    /// Where the writer's thread is entered.
    pub vitals: Arc<Vitals>,
}

/// The store in one file. Dropping it finishes what is queued and closes the file.
pub struct Embedded {
    // First, so that the writer ends before the file is closed.
    writer: Writer,
    shared: Arc<Shared>,
}

impl Embedded {
    /// Opens the file at `settings.path`; makes it if it is missing or empty.
    pub fn open(settings: Settings) -> std::result::Result<Self, OpenError> {
        let path = settings.path.clone();
        if let Err(flaw) = open::create(&path) {
            return Err(open::explain(flaw, &settings));
        }
        Self::open_on(settings, move || verify::file(&path))
    }

    /// Opens whatever `make` makes; it is called again for each verification and after an I/O error,
    /// each time once the backend before has been closed.
    pub fn open_on(
        settings: Settings,
        make: impl Fn() -> std::io::Result<Box<dyn StorageBackend>> + Send + Sync + 'static,
    ) -> std::result::Result<Self, OpenError> {
        let shared = open::open(&settings, Box::new(make)).map_err(|flaw| open::explain(flaw, &settings))?;
        let writer = Writer::start(shared.clone(), settings.queue, &settings.vitals)
            .map_err(|source| OpenError::Io { path: settings.path, source })?;
        Ok(Embedded { writer, shared })
    }

    fn index(&self) -> &Index {
        &self.shared.index
    }

    /// What was committed last, for reading.
    fn read<T>(&self, read: impl FnOnce(&Snapshot) -> Step<T>) -> Result<T> {
        self.snapshot().and_then(|snapshot| read(&snapshot)).map_err(told)
    }

    fn snapshot(&self) -> Step<Snapshot> {
        Ok(Snapshot::new(self.shared.disk.snapshot()?))
    }

    /// What came for a human is taken in, in one commit, which ends the claims of it.
    fn take_in(
        &self,
        held: &mut turn_claims::Held,
        humans: Vec<(ConversationKey, Vec<InboxId>)>,
    ) -> impl Future<Output = Result<()>> + Send + use<> {
        let (held, humans) = held.for_humans(humans);
        let now = clock::now();
        let done = self.writer.submit(move |batch| turns::taken_in::all(batch, &humans, now));
        async move {
            let taken_in = done.await?;
            held.ended();
            taken_in.iter().for_each(|(message, key)| way::for_human(*message, key));
            Ok(())
        }
    }

    fn is_full(&self) -> bool {
        self.shared.space.check(Mark::Messages).is_err()
    }

    async fn write<T: Send + 'static>(
        &self,
        op: impl Fn(&mut Batch<'_>) -> Step<T> + Send + 'static,
    ) -> Result<T> {
        self.writer.submit(op).await
    }
}

/// What a caller is told of a fault met while reading.
fn told(fault: Fault) -> Error {
    match fault {
        Fault::Refused(error) => error,
        Fault::Row(error) => Error::Failed(error.to_string()),
        Fault::Engine(error) => disk::failed(&file_error(error)),
    }
}

fn no_turn(id: &str) -> Error {
    Error::NotFound(format!("{id:?} names no turn; ids look like 2-971501234567-17"))
}

fn no_send(id: &str) -> Error {
    Error::NotFound(format!("{id:?} names no send; ids look like 2-971501234567-17"))
}

#[async_trait]
impl Store for Embedded {
    fn wakes(&self) -> &Wakes {
        &self.index().wakes
    }

    fn directory(&self) -> Arc<Directory> {
        self.index().directory.load_full()
    }

    fn counters(&self) -> Counters {
        self.index().counters()
    }

    async fn accept(&self, arrival: Arrival) -> Result<Accepted> {
        self.shared.space.check(Mark::Messages)?;
        let incoming = Incoming::new(arrival, &self.index().settings, &self.index().secret);
        self.write(move |batch| accept::accept(batch, &incoming)).await
    }

    async fn claim_turns(&self, n: usize, now: Timestamp) -> Result<Vec<TurnClaim>> {
        // They wait until it is over.
        if self.shared.disk.is_compacting() || self.is_full() {
            return Ok(Vec::new());
        }
        if self.index().next_timer() <= now {
            self.write(move |batch| timers::ring(batch, now)).await?;
        }
        let mut held = turn_claims::Held::claim(&self.shared.index, n, now);
        if held.is_empty() {
            return Ok(Vec::new());
        }
        let found = self.snapshot().and_then(|rows| held.read(&rows)).map_err(told)?;
        let (mut claims, mut humans) = (Vec::with_capacity(found.len()), Vec::new());
        for found in found {
            match found {
                Found::Turn(claim) => claims.push(*claim),
                Found::Asleep(key, first, of) => held.put_to_sleep(key, &first, of, now),
                Found::Nothing => {}
                Found::ForHuman(key, entries) => humans.push((key, entries)),
            }
        }
        held.hand_over(&claims);
        if !humans.is_empty() {
            let taken_in = self.take_in(&mut held, humans);
            match claims.is_empty() {
                true => taken_in.await?,
                // Nobody's turn waits for it.
                false => drop(tokio::spawn(taken_in)),
            }
        }
        Ok(claims)
    }

    async fn commit_turn(&self, turn: TurnCommit) -> Result<()> {
        let outcome = turns::Outcome::new(turn, self.index());
        self.write(move |batch| turns::commit(batch, &outcome)).await
    }

    async fn fail_turn(&self, failure: TurnFailure) -> Result<()> {
        let failed = turns::Failed::new(failure, self.index());
        self.write(move |batch| turns::fail(batch, &failed)).await
    }

    fn release_turn(&self, key: &ConversationKey) {
        self.index().turns().release(key);
        self.index().wakes.turns.notify_one();
    }

    fn postpone_turn(&self, key: &ConversationKey, first: InboxId, until: Timestamp) {
        self.index().turns().postpone(key, &first, until);
    }

    fn next_turn_at(&self) -> Option<Timestamp> {
        if self.shared.disk.is_compacting() || self.is_full() {
            return None;
        }
        let timer = Some(self.index().next_timer()).filter(|at| at.as_ms() < i64::MAX);
        let turn = self.index().turns().next_at();
        turn.into_iter().chain(timer).min()
    }

    async fn claim_sends(&self, n: usize, now: Timestamp, pace: &mut Paced<'_>) -> Result<Vec<SendClaim>> {
        if self.shared.disk.is_compacting() {
            return Ok(Vec::new());
        }
        let mut held = send_claims::Held::claim(&self.shared.index, n, now, pace);
        if held.ids.is_empty() {
            return Ok(Vec::new());
        }
        let found = self.snapshot().and_then(|rows| held.read(&rows)).map_err(told)?;
        Ok(held.hand_over(found))
    }

    async fn begin_sends(&self, ids: &[SendId]) -> Result<Vec<SendClaim>> {
        let mut held = send_claims::Held::again(&self.shared.index, ids);
        let (ids, now) = (held.ids.clone(), clock::now());
        match self.write(move |batch| sends::begin(batch, &ids, now)).await {
            Ok(begun) => Ok(held.hand_over(begun)),
            Err(error) => {
                // They stay the caller's.
                held.ids.clear();
                Err(error)
            }
        }
    }

    fn postpone_send(&self, id: &SendId, until: Timestamp) {
        self.index().sends().postpone(&id.key, &id.seq, until);
    }

    fn hurry_sends(&self, sender: &SenderName, now: Timestamp) {
        self.index().sends().hurry(sender, now);
        self.wakes().sends.notify_one();
    }

    fn resume_sends(&self, sender: &SenderName) {
        self.index().sends().resume(sender);
        self.wakes().sends.notify_one();
    }

    async fn settle_send(&self, id: &SendId, settlement: Settlement, now: Timestamp) -> Result<()> {
        let id = id.clone();
        self.write(move |batch| sends::settle(batch, &id, &settlement, now)).await
    }

    fn next_send_at(&self) -> Option<Timestamp> {
        if self.shared.disk.is_compacting() { None } else { self.index().sends().next_at() }
    }

    fn reference_of(&self, id: &SendId, attempts: u32) -> String {
        references::name(&self.index().secret, Place::new(id.seq, id.key.tenant), attempts)
    }

    async fn recognize_receipt(&self, receipt: Receipt, now: Timestamp) -> Result<bool> {
        let reported = receipts::Reported::new(receipt, &self.index().secret);
        self.write(move |batch| receipts::recognize(batch, &reported, now)).await
    }

    async fn record_receipt(&self, receipt: Receipt) -> Result<Option<Moved>> {
        let reported = receipts::Reported::new(receipt, &self.index().secret);
        let now = clock::now();
        self.write(move |batch| receipts::record(batch, &reported, now)).await
    }

    async fn record_session(&self, sender: SenderName, change: SessionChange) -> Result<()> {
        self.write(move |batch| sessions::record(batch, &sender, &change)).await
    }

    async fn put_organization(&self, organization: Organization, actor: &str) -> Result<()> {
        let by =
            entry(actor, "put organization", organization.id, serde_json::json!(organization), clock::now());
        self.write(move |batch| directory::put_organization(batch, &organization, &by)).await
    }

    async fn put_tenant(&self, tenant: Tenant, actor: &str) -> Result<()> {
        let by = entry(actor, "put tenant", tenant.id, serde_json::json!(tenant), clock::now());
        self.write(move |batch| directory::put_tenant(batch, &tenant, &by)).await
    }

    async fn put_sender(&self, sender: Sender, actor: &str) -> Result<()> {
        let by = entry(actor, "put sender", &sender.name, senders::without_secrets(&sender), clock::now());
        self.write(move |batch| senders::put(batch, &sender, &by)).await
    }

    async fn give_sender(
        &self,
        sender: &SenderName,
        to: Option<TenantId>,
        dry_run: bool,
        actor: &str,
        now: Timestamp,
    ) -> Result<Handover> {
        let (shared, name) = (self.shared.clone(), sender.clone());
        // All conversations are looked at, which may be millions.
        let planned = tokio::task::spawn_blocking(move || {
            let sender = senders::known(&shared.index.directory.load(), &name)?;
            give::plan(&Snapshot::new(shared.disk.snapshot()?), &sender, to)
        });
        let planned: Step<_> = planned.await.map_err(|error| Error::Failed(format!("the plan: {error}")))?;
        let planned = planned.map_err(told)?;
        if dry_run || planned.from == to {
            return Ok(planned);
        }
        let by = entry(actor, "give sender", sender, serde_json::Value::Null, now);
        self.write(move |batch| give::give(batch, &planned, &by)).await
    }

    async fn put_collection(
        &self,
        tenant: TenantId,
        collection: &str,
        records: Vec<serde_json::Value>,
        actor: &str,
    ) -> Result<()> {
        self.shared.space.check(Mark::Stored)?;
        collections::check(&records)?;
        let json = serde_json::to_vec(&records).map_err(|error| Error::Conflict(error.to_string()))?;
        let row = CollectionRow { json };
        let (name, subject) = (collection.to_owned(), format!("{tenant}/{collection}"));
        let detail = serde_json::json!({ "records": records.len() });
        let by = entry(actor, "put collection", subject, detail, clock::now());
        self.write(move |batch| collections::put(batch, (tenant, &name), &row, &by)).await
    }

    async fn lock_of(&self, contact: &ContactKey) -> Result<Option<Lock>> {
        self.read(|snapshot| Ok(contacts::find(snapshot, contact)?.1))
    }

    async fn unlock(&self, contact: &ContactKey, actor: &str, now: Timestamp) -> Result<Lock> {
        let (contact, actor) = (contact.clone(), actor.to_owned());
        self.write(move |batch| locks::unlock(batch, &contact, &actor, now)).await
    }

    async fn take_over(&self, key: &ConversationKey, actor: &str, now: Timestamp) -> Result<()> {
        let by = entry(actor, "take over", named(key), serde_json::Value::Null, now);
        let key = key.clone();
        self.write(move |batch| handoff::take_over(batch, &key, &by)).await
    }

    async fn hand_back(&self, key: &ConversationKey, actor: &str, now: Timestamp) -> Result<()> {
        let by = entry(actor, "hand back", named(key), serde_json::Value::Null, now);
        let key = key.clone();
        self.write(move |batch| handoff::hand_back(batch, &key, &by)).await
    }

    async fn import_locks(
        &self,
        locks: Vec<(ContactKey, TenantId)>,
        dry_run: bool,
        actor: &str,
        now: Timestamp,
    ) -> Result<ImportReport> {
        let shared = self.shared.clone();
        // A file of millions takes seconds, which are not the serving threads'.
        let sifted = tokio::task::spawn_blocking(move || {
            let mut import = Import::new(shared.index.directory.load_full());
            let wanted = import::sift(&Snapshot::new(shared.disk.snapshot()?), &mut import, locks)?;
            Ok((wanted, import.report))
        });
        let sifted: Step<_> = sifted.await.map_err(|error| Error::Failed(format!("the import: {error}")))?;
        let (locks, report) = sifted.map_err(told)?;
        if dry_run {
            return Ok(report);
        }
        // The first commit tells of what was sifted out too; there is one even if nothing is left.
        let mut so_far = ImportReport { imported: 0, ..report };
        let mut report = ImportReport::default();
        let mut chunks = locks.chunks(import::CHUNK);
        let mut next = Some(chunks.next().unwrap_or_default());
        while let Some(chunk) = next {
            let (chunk, actor) = (chunk.to_vec(), actor.to_owned());
            let known = std::mem::take(&mut so_far);
            let done = self.write(move |batch| import::import(batch, &chunk, &known, &actor, now)).await?;
            report.imported += done.imported;
            report.unchanged += done.unchanged;
            report.conflicts.extend(done.conflicts);
            next = chunks.next();
        }
        Ok(report)
    }

    async fn locks(&self, after: Option<&ContactKey>, limit: usize) -> Result<Vec<(ContactKey, Lock)>> {
        self.read(|snapshot| locks::list(snapshot, after, limit))
    }

    async fn conversation(&self, key: &ConversationKey) -> Result<Option<Conversation>> {
        let waiting = self.index().turns().items(key).map(|id| id.seq).collect();
        self.read(|snapshot| page_rules::conversation(snapshot, key, waiting))
    }

    async fn lead(&self, organization: OrganizationId, contact: &ContactKey) -> Result<Option<Lead>> {
        self.read(|snapshot| snapshot.get::<Leads>(&(organization, contact.clone())))
    }

    async fn collection(&self, tenant: TenantId, collection: &str) -> Result<Option<Records>> {
        let snapshot = || self.snapshot();
        collections::read(&self.index().parsed, snapshot, tenant, collection).map_err(told)
    }

    fn parsed_collection(&self, tenant: TenantId, collection: &str) -> Option<Records> {
        self.index().parsed.find(tenant, collection).0
    }

    async fn collection_json(&self, tenant: TenantId, collection: &str, into: &mut Vec<u8>) -> Result<bool> {
        self.read(|snapshot| collections::json(snapshot, tenant, collection, into))
    }

    async fn sender_of_reply(&self, reference: &str) -> Result<Option<SenderName>> {
        let Some(named) = references::read(&self.index().secret, reference) else { return Ok(None) };
        self.read(|snapshot| receipts::sender_of(snapshot, &named))
    }

    async fn session(&self, sender: &SenderName) -> Result<Option<SessionChange>> {
        self.read(|snapshot| sessions::find(snapshot, sender))
    }

    async fn api_key(&self, hash: &str) -> Result<Option<ApiKey>> {
        self.read(|snapshot| api_keys::find(snapshot, hash))
    }

    async fn api_keys(&self) -> Result<Vec<ApiKey>> {
        self.read(api_keys::all)
    }

    async fn put_api_key(&self, key: ApiKey, actor: &str) -> Result<()> {
        let detail = serde_json::json!({ "name": key.name });
        let by = entry(actor, "put api key", api_keys::subject(&key), detail, key.created_at);
        self.write(move |batch| api_keys::put(batch, &key, &by)).await
    }

    async fn remove_api_key(&self, hash: &str, actor: &str, now: Timestamp) -> Result<ApiKey> {
        let (hash, actor) = (hash.to_owned(), actor.to_owned());
        self.write(move |batch| api_keys::remove(batch, &hash, &actor, now)).await
    }

    async fn audit(&self, entry: AuditEntry) -> Result<()> {
        self.write(move |batch| batch.audit(&entry)).await
    }

    async fn prune(&self, retention: Retention, now: Timestamp, limit: usize) -> Result<usize> {
        self.write(move |batch| prune::prune(batch, &retention, now, limit)).await
    }

    async fn recount(&self) -> Result<Counters> {
        self.read(|snapshot| load::recount(snapshot))
    }

    async fn backup(&self, file: File, from: u64) -> Result<u64> {
        let shared = self.shared.clone();
        let work = move || backup::copy_into(&shared.disk.snapshot()?, &file, from);
        let done = priority::aside("backup", work).await;
        done.unwrap_or_else(|error| Err(Error::Failed(format!("the backup: {error}"))))
    }

    async fn probe(&self) -> Result<()> {
        self.shared.space.check(Mark::Messages)?;
        self.write(|batch| probe::write(batch)).await
    }
}
