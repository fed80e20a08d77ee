//! Who is who, who wants no messages, and what our own numbers said: the verbs of [`Contacts`].

use async_trait::async_trait;

use super::Embedded;
use crate::event::{Consent, Own, SameBecause, SamePerson};
use crate::message::{ContactKey, ConversationKey, SenderName, TenantId, Timestamp};
use crate::store::Result;
use crate::store::contacts::{Contacts, Lookup, OptOut, OwnAlias, OwnKept, Person};
use crate::store::rows::Rows as _;
use crate::store::rules::merge::{self, By, GATEWAY};
use crate::store::rules::{contacts, echoes, lookups, opt_outs, views};

#[async_trait]
impl Contacts for Embedded {
    async fn person(&self, contact: &ContactKey) -> Result<Person> {
        self.read(|snapshot| {
            let (canonical, lock) = contacts::find(snapshot, contact)?;
            let mut keys = contacts::keys_of(snapshot, &canonical)?;
            let mut own = Vec::new();
            for alias in &keys {
                for (tenant, of) in views::aliases_of(snapshot, alias)? {
                    // What holds for everybody needs no mention for one.
                    if contacts::find(snapshot, &of)?.0 != canonical {
                        own.push(OwnAlias { tenant, alias: alias.clone(), of });
                    }
                }
            }
            let canonical = keys.remove(0);
            Ok(Person { canonical, aliases: keys, lock, own })
        })
    }

    async fn contact_of(&self, tenant: TenantId, contact: &ContactKey) -> Result<ContactKey> {
        self.read(|snapshot| views::of_tenant(snapshot, tenant, contact))
    }

    async fn learn(&self, same: SamePerson, now: Timestamp) -> Result<bool> {
        self.write(move |batch| {
            let directory = batch.index().directory.load_full();
            // What comes through nobody proves nothing.
            let Some(sender) = directory.sender_of(same.provider, &same.account) else { return Ok(false) };
            let by = By { actor: GATEWAY, reason: same.because.name(), now };
            let pair = (&same.known, &same.also);
            merge::learn(batch, sender, pair, same.because == SameBecause::NumberChanged, &by)
        })
        .await
    }

    async fn merge_contacts(
        &self,
        from: &ContactKey,
        into: &ContactKey,
        actor: &str,
        now: Timestamp,
    ) -> Result<Person> {
        let (from, into, actor) = (from.clone(), into.clone(), actor.to_owned());
        self.write(move |batch| {
            merge::merge(batch, &from, &into, &By { actor: &actor, reason: "by hand", now })
        })
        .await
    }

    async fn unmerge_contact(&self, alias: &ContactKey, actor: &str, now: Timestamp) -> Result<Person> {
        let (alias, actor) = (alias.clone(), actor.to_owned());
        self.write(move |batch| merge::unmerge(batch, &alias, &By { actor: &actor, reason: "by hand", now }))
            .await
    }

    async fn recognize_own(&self, own: Own, sender: SenderName, now: Timestamp) -> Result<bool> {
        let said = echoes::Said::new(own, (sender, None), &self.index().secret, now);
        let Some(said) = said else { return Ok(false) };
        self.write(move |batch| echoes::recognize(batch, &said)).await
    }

    async fn record_own(
        &self,
        own: Own,
        sender: SenderName,
        tenant: Option<TenantId>,
        now: Timestamp,
    ) -> Result<OwnKept> {
        let said = echoes::Said::new(own, (sender, tenant), &self.index().secret, now);
        let Some(said) = said else { return Ok(OwnKept::Nothing) };
        self.write(move |batch| echoes::record(batch, &said)).await
    }

    async fn opt_out(&self, key: &ConversationKey) -> Result<Option<OptOut>> {
        // Asked before every send.
        if self.index().nobody_opted_out() {
            return Ok(None);
        }
        self.read(|snapshot| opt_outs::read(snapshot, key))
    }

    async fn opt_outs(
        &self,
        tenant: TenantId,
        after: Option<&ContactKey>,
        limit: usize,
    ) -> Result<Vec<(ContactKey, OptOut)>> {
        self.read(|snapshot| opt_outs::list(snapshot, tenant, after, limit))
    }

    async fn set_opt_out(
        &self,
        key: &ConversationKey,
        opt_out: Option<OptOut>,
        actor: &str,
        now: Timestamp,
    ) -> Result<()> {
        let (key, actor) = (key.clone(), actor.to_owned());
        self.write(move |batch| opt_outs::set(batch, &key, opt_out.as_ref(), &actor, now)).await
    }

    async fn record_consent(
        &self,
        consent: Consent,
        sender: SenderName,
        tenant: Option<TenantId>,
        now: Timestamp,
    ) -> Result<()> {
        self.write(move |batch| opt_outs::consent(batch, &consent, (&sender, tenant), now)).await
    }

    async fn due_lookups(&self, now: Timestamp, limit: usize) -> Result<Vec<Lookup>> {
        if self.index().next_lookup() > now {
            return Ok(Vec::new());
        }
        self.read(|snapshot| lookups::due(snapshot, now, limit))
    }

    fn next_lookup_at(&self) -> Option<Timestamp> {
        Some(self.index().next_lookup()).filter(|at| at.as_ms() < i64::MAX)
    }

    async fn lookup_missed(&self, contact: &ContactKey, again: Option<Timestamp>) -> Result<()> {
        let contact = contact.clone();
        self.write(move |batch| lookups::missed(batch, &contact, again)).await
    }

    async fn lookup_put_off(&self, contact: &ContactKey, again: Timestamp) -> Result<()> {
        let contact = contact.clone();
        self.write(move |batch| lookups::put_off(batch, &contact, again)).await
    }

    async fn look_up_again(&self, sender: &SenderName, now: Timestamp, limit: usize) -> Result<usize> {
        let sender = sender.clone();
        self.write(move |batch| lookups::again(batch, &sender, now, limit)).await
    }
}
