//! Locks, and what operators do to them.

use async_trait::async_trait;

use crate::message::{ContactKey, TenantId, Timestamp};
use crate::route::Lock;
use crate::store::Result;
use crate::store::engine::Engine;
use crate::store::locks::{ImportReport, Locks};
use crate::store::rules::locks::import::{self, Import};
use crate::store::rules::{contacts, locks};

#[async_trait]
impl<E: Engine> Locks for E {
    async fn lock_of(&self, contact: &ContactKey) -> Result<Option<Lock>> {
        let contact = contact.clone();
        self.read(move |rows| Ok(contacts::find(rows, &contact)?.1)).await
    }

    async fn unlock(&self, contact: &ContactKey, actor: &str, now: Timestamp) -> Result<Lock> {
        let (contact, actor) = (contact.clone(), actor.to_owned());
        self.submit(move |rows| locks::unlock(rows, &contact, &actor, now)).await
    }

    async fn import_locks(
        &self,
        locks: Vec<(ContactKey, TenantId)>,
        dry_run: bool,
        actor: &str,
        now: Timestamp,
    ) -> Result<ImportReport> {
        let mut import = Import::new(self.index().directory.load_full());
        let sifted = self.read(move |rows| {
            let wanted = import::sift(rows, &mut import, locks)?;
            Ok((wanted, import.report))
        });
        let (locks, report) = sifted.await?;
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
            let done = self.submit(move |rows| import::import(rows, &chunk, &known, &actor, now)).await?;
            report.imported += done.imported;
            report.unchanged += done.unchanged;
            report.conflicts.extend(done.conflicts);
            next = chunks.next();
        }
        Ok(report)
    }

    async fn locks(&self, after: Option<&ContactKey>, limit: usize) -> Result<Vec<(ContactKey, Lock)>> {
        let after = after.cloned();
        self.read(move |rows| locks::list(rows, after.as_ref(), limit)).await
    }
}
