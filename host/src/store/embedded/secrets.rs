//! Secrets as they lie in the file: sealed, each row with the key that it names. They are sealed on
//! the writer's thread, so that no row can be written with a key that was retired meanwhile.

use std::collections::BTreeMap;

use async_trait::async_trait;
use redb::{ReadTransaction, ReadableTable};

use super::Embedded;
use super::batch::{Batch, Step};
use super::codec::{Unreadable, pack, unpack};
use super::flaw::Flaw;
use super::tables::define;
use crate::seal::{self, KeyId, NONCE_BYTES, Ring, Unopened};
use crate::store::secrets::Secrets;
use crate::store::shared::effect::Effect;
use crate::store::{Error, Result};
use crate::tenant::{HouseWaha, Sender};

#[async_trait]
impl Secrets for Embedded {
    fn sealed(&self) -> Result<BTreeMap<Option<KeyId>, usize>> {
        self.read(|snapshot| count(&snapshot.open_table(define::senders)?))
    }

    async fn use_keys(&self, keys: Ring) -> Result<()> {
        self.write(move |batch| use_keys(batch, &keys)).await
    }

    fn keys(&self) -> Ring {
        (**self.index().keys.load()).clone()
    }

    async fn lend_waha(&self, waha: HouseWaha) -> Result<()> {
        self.write(move |batch| {
            batch.changes.effects.push(Effect::Waha(waha.clone()));
            Ok(())
        })
        .await
    }

    async fn reseal(&self, limit: usize) -> Result<usize> {
        self.write(move |batch| reseal(batch, limit)).await
    }
}

fn count(table: &impl ReadableTable<&'static str, &'static [u8]>) -> Step<BTreeMap<Option<KeyId>, usize>> {
    let mut counted = BTreeMap::new();
    for row in table.iter()? {
        seal::count(&unpack("senders", row?.1.value())?, &mut counted);
    }
    Ok(counted)
}

fn use_keys(batch: &mut Batch<'_>, keys: &Ring) -> Step<()> {
    for (id, secrets) in count(batch.tables.senders.get()?)? {
        let Some(id) = id else { continue };
        if !keys.keys().any(|key| *key.id() == id) {
            let what = format!("key {id} seals {secrets} secrets; it cannot be taken away");
            return Err(Error::Conflict(what).into());
        }
    }
    batch.changes.effects.push(Effect::Keys(keys.clone()));
    Ok(())
}

fn reseal(batch: &mut Batch<'_>, limit: usize) -> Step<usize> {
    let keys = batch.index.keys.load_full();
    let Some(current) = keys.current().map(|key| key.id().clone()) else { return Ok(0) };
    let mut others = Vec::new();
    for row in batch.tables.senders.get()?.iter()? {
        let kept: Sender = unpack("senders", row?.1.value())?;
        let mut counted = BTreeMap::new();
        seal::count(&kept, &mut counted);
        if counted.keys().any(|id| id.as_ref() != Some(&current)) {
            others.push(kept);
        }
        if others.len() == limit {
            break;
        }
    }
    let mut rows = Vec::with_capacity(others.len());
    for kept in others {
        let name = kept.name.clone();
        rows.push((name, sealed(&keys, &opened(&keys, kept)?)?));
    }
    for (name, row) in &rows {
        batch.tables.senders.put()?.insert(name.as_str(), row.as_slice())?;
    }
    Ok(rows.len())
}

/// A sender's row.
pub fn sealed(keys: &Ring, sender: &Sender) -> Step<Vec<u8>> {
    let mut unrandom = None;
    let nonce = || {
        let mut nonce = [0; NONCE_BYTES];
        if let Err(error) = getrandom::fill(&mut nonce) {
            unrandom = Some(error);
        }
        nonce
    };
    let sealed = keys.seal_sender(sender, nonce);
    // Nothing that was sealed with a nonce that is not random leaves this function.
    if let Some(error) = unrandom {
        return Err(Error::Failed(format!("the system gives no random numbers: {error}")).into());
    }
    match sealed {
        Ok(sealed) => Ok(pack(&sealed)),
        Err(error) => Err(Error::Failed(format!("sender {}: {error}", sender.name)).into()),
    }
}

/// A sender as it is used.
pub fn opened(keys: &Ring, kept: Sender) -> Step<Sender> {
    let name = kept.name.clone();
    let opened = keys.open_sender(kept);
    Ok(opened.map_err(|(field, why)| Unreadable {
        table: "senders",
        what: format!("sender {name}, {field}: {why}"),
    })?)
}

/// Does every secret open with these keys? Asked before anything else is read, because a missing key
/// is no damage.
pub fn check(snapshot: &ReadTransaction, keys: &Ring) -> std::result::Result<(), Flaw> {
    let read = || -> Step<Option<Flaw>> {
        for row in snapshot.open_table(define::senders)?.iter()? {
            let kept: Sender = unpack("senders", row?.1.value())?;
            let sender = kept.name.clone();
            match keys.open_sender(kept) {
                Ok(_) => {}
                Err((field, Unopened::NoKey(key))) => return Ok(Some(Flaw::NoKey { sender, field, key })),
                Err((field, why)) => {
                    let what = format!("the {field} of sender {sender}: {why}");
                    return Ok(Some(Flaw::Damaged(what)));
                }
            }
        }
        Ok(None)
    };
    read()?.map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests;
