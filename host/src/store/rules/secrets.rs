//! Secrets as they are kept: sealed, each with the key that it names. They are sealed in the transaction that writes
//! them, so that no row can be written with a key that was retired meanwhile.

use std::collections::BTreeMap;

use crate::message::SenderName;
use crate::seal::{KeyId, NONCE_BYTES, Ring, Unopened};
use crate::store::Error;
use crate::store::rows::kept_sender::KeptSender;
use crate::store::rows::{ReadRows, Rows, Senders, Step, Unreadable};
use crate::store::shared::effect::Effect;
use crate::tenant::{HouseWaha, Sender};

/// How many secrets each key seals; `None`: how many are in clear, from before there were keys.
pub fn count(rows: &impl ReadRows) -> Step<BTreeMap<Option<KeyId>, usize>> {
    let mut counted = BTreeMap::new();
    rows.each::<Senders>(
        &SenderName::new(""),
        |_| true,
        |_, kept| {
            kept?.count(&mut counted);
            Ok(())
        },
    )?;
    Ok(counted)
}

/// Senders that name no WAHA have this one, as long as this process lives.
pub fn lend_waha(rows: &mut impl Rows, waha: &HouseWaha) -> Step<()> {
    rows.effect(Effect::Waha(waha.clone()));
    Ok(())
}

pub fn use_keys(rows: &mut impl Rows, keys: &Ring) -> Step<()> {
    for (id, secrets) in count(rows)? {
        let Some(id) = id else { continue };
        if !keys.keys().any(|key| *key.id() == id) {
            let what = format!("key {id} seals {secrets} secrets; it cannot be taken away");
            return Err(Error::Conflict(what).into());
        }
    }
    rows.effect(Effect::Keys(keys.clone()));
    Ok(())
}

/// Seals with the current key what is in clear or sealed with another one, of at most `limit` senders; of how many.
pub fn reseal(rows: &mut impl Rows, limit: usize) -> Step<usize> {
    let keys = rows.index().keys.load_full();
    let Some(current) = keys.current().map(|key| key.id().clone()) else { return Ok(0) };
    let mut others = Vec::new();
    rows.each::<Senders>(
        &SenderName::new(""),
        |_| true,
        |name, kept| {
            let kept = kept?;
            let mut counted = BTreeMap::new();
            kept.count(&mut counted);
            if others.len() < limit && counted.keys().any(|id| id.as_ref() != Some(&current)) {
                others.push((name, kept));
            }
            Ok(())
        },
    )?;
    // All are sealed before one is written.
    let mut resealed = Vec::with_capacity(others.len());
    for (name, kept) in others {
        resealed.push((name, sealed(&keys, &opened(&keys, kept)?)?));
    }
    for (name, kept) in &resealed {
        rows.put::<Senders>(name, kept)?;
    }
    Ok(resealed.len())
}

/// A sender as it is kept.
pub fn sealed(keys: &Ring, sender: &Sender) -> Step<KeptSender> {
    let mut unrandom = None;
    let nonce = || {
        let mut nonce = [0; NONCE_BYTES];
        if let Err(error) = getrandom::fill(&mut nonce) {
            unrandom = Some(error);
        }
        nonce
    };
    let sealed = KeptSender::sealed(keys, sender, nonce);
    // Nothing that was sealed with a nonce that is not random leaves this function.
    if let Some(error) = unrandom {
        return Err(Error::Failed(format!("the system gives no random numbers: {error}")).into());
    }
    Ok(sealed.map_err(|error| Error::Failed(format!("sender {}: {error}", sender.name)))?)
}

/// A sender as it is used.
pub fn opened(keys: &Ring, kept: KeptSender) -> Step<Sender> {
    let name = kept.as_kept().name.clone();
    let opened = kept.open(keys);
    Ok(opened.map_err(|(field, why)| Unreadable {
        table: "senders",
        what: format!("sender {name}, {field}: {why}"),
    })?)
}

/// A secret that does not open, and why.
pub struct Closed {
    pub sender: SenderName,
    pub field: &'static str,
    pub why: Unopened,
}

/// The first secret that these keys do not open, if there is one. Asked before anything else is read, because a missing
/// key is no damage.
pub fn closed(rows: &impl ReadRows, keys: &Ring) -> Step<Option<Closed>> {
    let mut closed = None;
    rows.each::<Senders>(
        &SenderName::new(""),
        |_| true,
        |_, kept| {
            if closed.is_none() {
                let kept = kept?;
                let sender = kept.as_kept().name.clone();
                closed = kept.open(keys).err().map(|(field, why)| Closed { sender, field, why });
            }
            Ok(())
        },
    )?;
    Ok(closed)
}
