//! What each tenant keeps and spends: a row a tenant, written in the commit that changes it.

use std::collections::{BTreeMap, HashMap};

use crate::message::TenantId;
use crate::store::media::File;
use crate::store::quotas::Usage;
use crate::store::rows::{self, Conversations, Files, ReadRows, ReadTable, Rows, Step, TenantUsage};

/// Writes down what changed; what it is now.
pub fn settle(rows: &mut impl Rows) -> Step<Vec<(TenantId, Usage)>> {
    let mut tenants = rows.tally().tenants();
    tenants.extend(rows.changes().spent.keys().map(|tenant| TenantId::from_stored(*tenant)));
    tenants.sort_unstable();
    tenants.dedup();
    let mut changed = Vec::with_capacity(tenants.len());
    for tenant in tenants {
        let usage = rows.usage(tenant);
        if usage != rows.index().usage(tenant) {
            rows.put::<TenantUsage>(&tenant, &usage)?;
            changed.push((tenant, usage));
        }
    }
    Ok(changed)
}

/// As it is kept.
pub fn all(rows: &impl ReadTable<TenantUsage>) -> Step<HashMap<TenantId, Usage>> {
    let mut usage = HashMap::new();
    rows.scan_rows(None, &mut |tenant, row| {
        usage.insert(tenant, row?);
        Ok(std::ops::ControlFlow::Continue(()))
    })?;
    Ok(usage)
}

/// Counted anew, row by row; turns and fuel are as they are kept.
pub fn recount(rows: &impl ReadRows) -> Step<BTreeMap<TenantId, Usage>> {
    let mut counted: BTreeMap<TenantId, Usage> = BTreeMap::new();
    rows::each_counted(rows, &mut |shelf, tenant, bytes| {
        let amount = counted.entry(tenant).or_default().of_mut(shelf);
        (amount.rows, amount.bytes) = (amount.rows + 1, amount.bytes + bytes);
    })?;
    rows.every::<Conversations>(|key, row| {
        counted.entry(key.tenant).or_default().silenced += u64::from(row?.silenced);
        Ok(())
    })?;
    for (tenant, bytes) in file_bytes(rows)? {
        counted.entry(tenant).or_default().file_bytes = bytes;
    }
    for (tenant, kept) in all(rows)? {
        let usage = counted.entry(tenant).or_default();
        (usage.day, usage.turns, usage.fuel) = (kept.day, kept.turns, kept.fuel);
    }
    counted.retain(|_, usage| *usage != Usage::default());
    Ok(counted)
}

fn file_bytes(rows: &impl ReadRows) -> Step<BTreeMap<TenantId, u64>> {
    let mut bytes = BTreeMap::new();
    rows.every::<Files>(|_, file| {
        let file: File = file?;
        *bytes.entry(file.tenant).or_default() += file.state.size();
        Ok(())
    })?;
    Ok(bytes)
}

/// Is the room that files are said to take the sum of what is there? What is wrong, if not.
pub fn miscounted_files(rows: &impl ReadRows) -> Step<Option<String>> {
    let mut counted = file_bytes(rows)?;
    let mut kept: BTreeMap<TenantId, u64> =
        all(rows)?.into_iter().map(|(tenant, usage)| (tenant, usage.file_bytes)).collect();
    for bytes in [&mut counted, &mut kept] {
        bytes.retain(|_, bytes| *bytes > 0);
    }
    let wrong =
        (kept != counted).then(|| format!("its files are said to take {kept:?}, and take {counted:?}"));
    Ok(wrong)
}
