//! Who is who, who wants no messages, and what our own numbers said: the verbs of [`Contacts`].

use async_trait::async_trait;

use crate::event::{Consent, Own, SamePerson};
use crate::message::{ContactKey, ConversationKey, SenderName, TenantId, Timestamp};
use crate::store::Result;
use crate::store::contacts::{Contacts, Lookup, OptOut, OwnKept, Person};
use crate::store::engine::Engine;
use crate::store::rules::merge::{self, By};
use crate::store::rules::{echoes, lookups, opt_outs, views};

#[async_trait]
impl<E: Engine> Contacts for E {
    async fn person(&self, contact: &ContactKey) -> Result<Person> {
        let contact = contact.clone();
        self.read(move |rows| views::person(rows, &contact)).await
    }

    async fn contact_of(&self, tenant: TenantId, contact: &ContactKey) -> Result<ContactKey> {
        let contact = contact.clone();
        self.read(move |rows| views::of_tenant(rows, tenant, &contact)).await
    }

    async fn learn(&self, same: SamePerson, now: Timestamp) -> Result<bool> {
        self.submit(move |rows| merge::hear(rows, &same, now)).await
    }

    async fn merge_contacts(
        &self,
        from: &ContactKey,
        into: &ContactKey,
        actor: &str,
        now: Timestamp,
    ) -> Result<Person> {
        let (from, into, actor) = (from.clone(), into.clone(), actor.to_owned());
        self.submit(move |rows| {
            merge::merge(rows, &from, &into, &By { actor: &actor, reason: "by hand", now })
        })
        .await
    }

    async fn unmerge_contact(&self, alias: &ContactKey, actor: &str, now: Timestamp) -> Result<Person> {
        let (alias, actor) = (alias.clone(), actor.to_owned());
        self.submit(move |rows| merge::unmerge(rows, &alias, &By { actor: &actor, reason: "by hand", now }))
            .await
    }

    async fn recognize_own(&self, own: Own, sender: SenderName, now: Timestamp) -> Result<bool> {
        let said = echoes::Said::new(own, (sender, None), &self.index().secret, now);
        let Some(said) = said else { return Ok(false) };
        self.submit(move |rows| echoes::recognize(rows, &said)).await
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
        self.submit(move |rows| echoes::record(rows, &said)).await
    }

    async fn opt_out(&self, key: &ConversationKey) -> Result<Option<OptOut>> {
        // Asked before every send.
        if self.index().nobody_opted_out() {
            return Ok(None);
        }
        let key = key.clone();
        self.read(move |rows| opt_outs::read(rows, &key)).await
    }

    async fn opt_outs(
        &self,
        tenant: TenantId,
        after: Option<&ContactKey>,
        limit: usize,
    ) -> Result<Vec<(ContactKey, OptOut)>> {
        let after = after.cloned();
        self.read(move |rows| opt_outs::list(rows, tenant, after.as_ref(), limit)).await
    }

    async fn set_opt_out(
        &self,
        key: &ConversationKey,
        opt_out: Option<OptOut>,
        actor: &str,
        now: Timestamp,
    ) -> Result<()> {
        let (key, actor) = (key.clone(), actor.to_owned());
        self.submit(move |rows| opt_outs::set(rows, &key, opt_out.as_ref(), &actor, now)).await
    }

    async fn record_consent(
        &self,
        consent: Consent,
        sender: SenderName,
        tenant: Option<TenantId>,
        now: Timestamp,
    ) -> Result<()> {
        self.submit(move |rows| opt_outs::consent(rows, &consent, (&sender, tenant), now)).await
    }

    async fn due_lookups(&self, now: Timestamp, limit: usize) -> Result<Vec<Lookup>> {
        if self.index().next_lookup() > now {
            return Ok(Vec::new());
        }
        self.read(move |rows| lookups::due(rows, now, limit)).await
    }

    fn next_lookup_at(&self) -> Option<Timestamp> {
        Some(self.index().next_lookup()).filter(|at| at.as_ms() < i64::MAX)
    }

    async fn lookup_missed(&self, contact: &ContactKey, again: Option<Timestamp>) -> Result<()> {
        let contact = contact.clone();
        self.submit(move |rows| lookups::missed(rows, &contact, again)).await
    }

    async fn lookup_put_off(&self, contact: &ContactKey, again: Timestamp) -> Result<()> {
        let contact = contact.clone();
        self.submit(move |rows| lookups::put_off(rows, &contact, again)).await
    }

    async fn look_up_again(&self, sender: &SenderName, now: Timestamp, limit: usize) -> Result<usize> {
        let sender = sender.clone();
        self.submit(move |rows| lookups::again(rows, &sender, now, limit)).await
    }
}
