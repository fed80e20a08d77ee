//! What is kept of people: who is who, who wants no messages, and what our own numbers said to them
//! without us.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{Result, SendId};
use crate::event::{Consent, Own, SamePerson};
use crate::message::{ContactKey, ConversationKey, SenderName, TenantId, Timestamp};
use crate::route::Lock;

/// One person's keys: the canonical one, and those that lead to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Person {
    pub canonical: ContactKey,
    pub aliases: Vec<ContactKey>,
    pub lock: Option<Lock>,
    /// What numbers of one tenant's own proved, which holds for that tenant alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub own: Vec<OwnAlias>,
}

/// One tenant keeps who has this key under another one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OwnAlias {
    pub tenant: TenantId,
    pub alias: ContactKey,
    pub of: ContactKey,
}

/// Whose word an opt-out is, which decides what lifts it and what takes its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    /// The contact's own, written to us.
    Contact,
    /// What the contact told its provider, not us. The weaker word: its next message lifts it, and where there is
    /// an opt-out already it changes nothing.
    Provider,
    /// Set by hand, by an operator or the tenant.
    Operator,
}

/// A contact wants no messages of a tenant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OptOut {
    pub since: Timestamp,
    pub cause: Cause,
    /// For a person, in anybody's words: nothing is decided by it.
    pub note: String,
    /// The place of the one reply that may go out all the same: it tells the contact that its wish is
    /// kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmation: Option<u64>,
}

impl OptOut {
    /// `said`: the contact's words. `confirmation`: the place of the reply that tells it so.
    pub fn by_contact(since: Timestamp, said: &str, confirmation: Option<u64>) -> Self {
        let note = format!("the contact wrote {said:?}");
        OptOut { since, cause: Cause::Contact, note, confirmation }
    }

    pub fn by_provider(since: Timestamp) -> Self {
        let note = "told by the provider".to_owned();
        OptOut { since, cause: Cause::Provider, note, confirmation: None }
    }

    pub fn by_operator(since: Timestamp, note: impl Into<String>) -> Self {
        OptOut { since, cause: Cause::Operator, note: note.into(), confirmation: None }
    }

    /// May this reply go out all the same?
    pub fn lets_out(&self, send: &SendId) -> bool {
        self.confirmation == Some(send.seq)
    }
}

/// A hidden id whose phone number is not known, and the sender whose provider may know it.
#[derive(Clone, Debug, PartialEq)]
pub struct Lookup {
    pub contact: ContactKey,
    pub sender: SenderName,
    /// How often nobody knew.
    pub misses: u32,
}

/// What became of a message of our own number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnKept {
    /// A human said it on the phone: it is a line of the history now.
    Said,
    /// We sent it ourselves, or it came before.
    Known,
    /// Nothing to keep: no person, no content, no tenant.
    Nothing,
}

/// People: their keys, their wishes, and what our own numbers said to them.
#[async_trait]
pub trait Contacts: Send + Sync {
    /// The canonical key, its aliases and its lock, by any of its keys.
    async fn person(&self, contact: &ContactKey) -> Result<Person>;
    /// The key under which a tenant keeps a person, by any key that it may know the person by. A contact
    /// that the tenant has nothing of is for it just the key, whoever may be behind it.
    async fn contact_of(&self, tenant: TenantId, contact: &ContactKey) -> Result<ContactKey>;
    /// Two keys turned out to be one person's: they are merged, first contact wins. Whether anything
    /// changed. Never two phone numbers, unless the provider says that a number changed. Through one
    /// tenant's own number they are one person for that tenant alone.
    async fn learn(&self, same: SamePerson, now: Timestamp) -> Result<bool>;
    /// `from` becomes an alias of `into`: locks (the older wins), conversations, leads, opt-outs, of every
    /// tenant.
    async fn merge_contacts(
        &self,
        from: &ContactKey,
        into: &ContactKey,
        actor: &str,
        now: Timestamp,
    ) -> Result<Person>;
    /// `alias` becomes a person of its own again, with the lock it had when it was merged. Which person
    /// it was an alias of.
    async fn unmerge_contact(&self, alias: &ContactKey, actor: &str, now: Timestamp) -> Result<Person>;

    /// Is it a reply of ours of which nobody knew whether it went out, or that is on its way? Then it has gone
    /// out; anything else is left alone.
    async fn recognize_own(&self, own: Own, sender: SenderName, now: Timestamp) -> Result<bool>;
    /// `tenant`: whose it is, where no lock and no sender says so.
    async fn record_own(
        &self,
        own: Own,
        sender: SenderName,
        tenant: Option<TenantId>,
        now: Timestamp,
    ) -> Result<OwnKept>;

    /// Does this contact want no messages of this tenant? By any key that the tenant may know it by.
    async fn opt_out(&self, key: &ConversationKey) -> Result<Option<OptOut>>;
    /// Those of a tenant in key order, after `after`.
    async fn opt_outs(
        &self,
        tenant: TenantId,
        after: Option<&ContactKey>,
        limit: usize,
    ) -> Result<Vec<(ContactKey, OptOut)>>;
    /// `None` lets messages through again.
    async fn set_opt_out(
        &self,
        key: &ConversationKey,
        opt_out: Option<OptOut>,
        actor: &str,
        now: Timestamp,
    ) -> Result<()>;
    /// The contact's wish, told by the provider, for every tenant that it talks to through this sender.
    /// Lifted again by the contact's next message. `tenant`: as in [`Contacts::record_own`].
    async fn record_consent(
        &self,
        consent: Consent,
        sender: SenderName,
        tenant: Option<TenantId>,
        now: Timestamp,
    ) -> Result<()>;

    /// Hidden ids whose lookup is due, at most `limit`.
    async fn due_lookups(&self, now: Timestamp, limit: usize) -> Result<Vec<Lookup>>;
    /// When the next lookup is due.
    fn next_lookup_at(&self) -> Option<Timestamp>;
    /// Nobody knew: it is asked again at `again`, or never.
    async fn lookup_missed(&self, contact: &ContactKey, again: Option<Timestamp>) -> Result<()>;
    /// Nobody could be asked: it is asked at `again`, and that is no miss.
    async fn lookup_put_off(&self, contact: &ContactKey, again: Timestamp) -> Result<()>;
    /// What nobody knew through this sender, and is asked for again some day, is due now: at most `limit`
    /// of it; how much that was.
    async fn look_up_again(&self, sender: &SenderName, now: Timestamp, limit: usize) -> Result<usize>;
}
