//! What each tenant keeps and spends: a row a tenant, written in the commit that changes it.

use std::collections::{BTreeMap, HashMap};

use redb::{Database, ReadTransaction, ReadableDatabase as _, ReadableTable};

use super::batch::{Batch, Step};
use super::codec::{Eye, Pen, Unreadable, unpack};
use super::rows::conversation;
use super::tables::{self, define};
use super::tally::{Grown, size};
use crate::message::TenantId;
use crate::store::media::File;
use crate::store::quotas::{Shelf, Usage};

impl Batch<'_> {
    /// What the tenant keeps and spends, with what this transaction has done so far.
    pub fn usage_so_far(&self, tenant: TenantId) -> Usage {
        let mut usage = self.index.usage(tenant);
        grow(&mut usage, &self.tables.tally.grown(tenant.get()));
        self.changes.spend(tenant, &mut usage);
        usage
    }

    /// Writes what changed; what it is now.
    pub fn seal_usage(&mut self) -> Step<Vec<(TenantId, Usage)>> {
        let mut tenants = self.tables.tally.tenants();
        tenants.extend(self.changes.spent.keys());
        tenants.sort_unstable();
        tenants.dedup();
        let mut changed = Vec::with_capacity(tenants.len());
        for tenant in tenants.into_iter().map(TenantId::from_stored) {
            let usage = self.usage_so_far(tenant);
            if usage == self.index.usage(tenant) {
                continue;
            }
            write(&usage, &mut self.buffer);
            self.tables.usage.put()?.insert(tenant.get(), self.buffer.as_slice())?;
            changed.push((tenant, usage));
        }
        Ok(changed)
    }
}

fn grow(usage: &mut Usage, grown: &[Grown; Shelf::COUNT]) {
    for shelf in Shelf::ALL {
        let (amount, grown) = (usage.of_mut(shelf), grown[shelf as usize]);
        amount.rows = amount.rows.saturating_add_signed(grown.rows);
        amount.bytes = amount.bytes.saturating_add_signed(grown.bytes);
    }
}

fn write(usage: &Usage, buffer: &mut Vec<u8>) {
    let mut pen = Pen::new(buffer, 1);
    pen.u32(usage.day);
    for number in [usage.turns, usage.fuel, usage.silenced, usage.file_bytes] {
        pen.u64(number);
    }
    for shelf in Shelf::ALL {
        pen.u64(usage.of(shelf).rows);
        pen.u64(usage.of(shelf).bytes);
    }
}

fn read(bytes: &[u8]) -> Result<Usage, Unreadable> {
    let mut eye = Eye::new("usage", bytes, 1)?;
    let mut usage = Usage::default();
    usage.day = eye.u32()?;
    usage.turns = eye.u64()?;
    usage.fuel = eye.u64()?;
    usage.silenced = eye.u64()?;
    usage.file_bytes = eye.u64()?;
    for shelf in Shelf::ALL {
        // A row from before this shelf was counted: see [`complete`].
        if eye.is_at_end() {
            break;
        }
        let amount = usage.of_mut(shelf);
        amount.rows = eye.u64()?;
        amount.bytes = eye.u64()?;
    }
    Ok(usage)
}

/// As it is kept.
pub fn load(snapshot: &ReadTransaction) -> Step<HashMap<TenantId, Usage>> {
    let mut usage = HashMap::new();
    for row in snapshot.open_table(define::usage)?.iter()? {
        let (tenant, row) = row?;
        usage.insert(TenantId::from_stored(tenant.value()), read(row.value())?);
    }
    Ok(usage)
}

/// Counted anew, row by row; turns and fuel are as they are kept.
pub fn recount(snapshot: &ReadTransaction) -> Step<BTreeMap<TenantId, Usage>> {
    let mut counted: BTreeMap<TenantId, Usage> = BTreeMap::new();
    tables::each_counted(snapshot, &mut |shelf, key, value| {
        let Some(tenant) = shelf.tenant_of(key) else { return Ok(()) };
        let usage = counted.entry(TenantId::from_stored(tenant)).or_default();
        let amount = usage.of_mut(shelf);
        amount.rows += 1;
        amount.bytes += size(key, value).unsigned_abs();
        match shelf {
            Shelf::Conversations => usage.silenced += u64::from(conversation::read(value)?.silenced),
            Shelf::Files => usage.file_bytes += unpack::<File>("files", value)?.state.size(),
            _ => {}
        }
        Ok(())
    })?;
    for (tenant, kept) in load(snapshot)? {
        let usage = counted.entry(tenant).or_default();
        (usage.day, usage.turns, usage.fuel) = (kept.day, kept.turns, kept.fuel);
    }
    counted.retain(|_, usage| *usage != Usage::default());
    Ok(counted)
}

/// Writes down what is counted; for a file whose rows were moved by other hands than a [`Batch`].
pub fn rewrite(database: &Database) -> Step<()> {
    let counted = recount(&database.begin_read().map_err(redb::Error::from)?)?;
    let mut transaction = database.begin_write().map_err(redb::Error::from)?;
    transaction.set_two_phase_commit(true);
    {
        let (mut table, mut buffer) = (transaction.open_table(define::usage)?, Vec::new());
        for (tenant, usage) in counted {
            write(&usage, &mut buffer);
            table.insert(tenant.get(), buffer.as_slice())?;
        }
    }
    transaction.commit().map_err(redb::Error::from)?;
    Ok(())
}

/// A file from before all shelves were counted is counted anew.
pub fn complete(database: &Database) -> Step<()> {
    let snapshot = database.begin_read().map_err(redb::Error::from)?;
    let mut whole = Vec::new();
    write(&Usage::default(), &mut whole);
    for row in snapshot.open_table(define::usage)?.iter()? {
        if row?.1.value().len() < whole.len() {
            return rewrite(database);
        }
    }
    Ok(())
}

/// Is the room that files are said to take the sum of what is there? What is wrong, if not.
pub fn miscounted_files(snapshot: &ReadTransaction) -> Step<Option<String>> {
    let mut counted: BTreeMap<TenantId, u64> = BTreeMap::new();
    for row in snapshot.open_table(define::files)?.iter()? {
        let file: File = unpack("files", row?.1.value())?;
        *counted.entry(file.tenant).or_default() += file.state.size();
    }
    let mut kept: BTreeMap<TenantId, u64> =
        load(snapshot)?.into_iter().map(|(tenant, usage)| (tenant, usage.file_bytes)).collect();
    for bytes in [&mut counted, &mut kept] {
        bytes.retain(|_, bytes| *bytes > 0);
    }
    let wrong =
        (kept != counted).then(|| format!("its files are said to take {kept:?}, and take {counted:?}"));
    Ok(wrong)
}
