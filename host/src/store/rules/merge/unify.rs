//! What a tenant keeps of one person under two keys is kept under one from then on.

use std::collections::BTreeSet;

use super::conversation;
use crate::message::{ContactKey, ConversationKey, TenantId};
use crate::store::rows::known_by::KnownBy;
use crate::store::rows::{Rows, Step};
use crate::store::rules::{contact_tenants, contacts, leads, opt_outs, views};

/// What this tenant keeps under `from` is kept under `into` from now on, and `from` leads there. Whether
/// there was a conversation to move. Another tenant of its organization keeps the lead that it shares.
pub fn unify(rows: &mut impl Rows, tenant: TenantId, from: &ContactKey, into: &ContactKey) -> Step<bool> {
    let (from, into) = (views::root(rows, tenant, from.clone())?, views::root(rows, tenant, into.clone())?);
    if from == into {
        return Ok(false);
    }
    let key = |contact: &ContactKey| ConversationKey { tenant, contact: contact.clone() };
    let moved = conversation::join(rows, &key(&from), &key(&into))?;
    opt_outs::join(rows, &key(&from), &key(&into))?;
    let organization = rows.index().directory.load().organization_of(tenant);
    if let Some(organization) = organization {
        leads::join(rows, organization, &from, &into, &BTreeSet::from([tenant]))?;
    }
    if tenant != TenantId::GATEWAY {
        contact_tenants::put(rows, &into, tenant, KnownBy::Own)?;
    }
    views::lead(rows, tenant, &from, &into)?;
    Ok(moved)
}

/// The tenant has this person now, by its one key: what it kept or was told under the others comes along.
pub fn gain(rows: &mut impl Rows, tenant: TenantId, canonical: &ContactKey) -> Step<()> {
    for key in contacts::keys_of(rows, canonical)?.iter().skip(1) {
        let of = ConversationKey { tenant, contact: key.clone() };
        if contact_tenants::find(rows, key, tenant)?.is_some() || opt_outs::is_opted_out(rows, &of)? {
            unify(rows, tenant, key, canonical)?;
        }
    }
    Ok(())
}
