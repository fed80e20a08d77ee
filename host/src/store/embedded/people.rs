//! Who is who, who wants no messages, and what our own numbers said.

use async_trait::async_trait;

use super::Embedded;
use crate::message::{
    Consent, ContactKey, ConversationKey, Own, SamePerson, SenderName, TenantId, Timestamp,
};
use crate::store::contacts::{Contacts, Lookup, OptOut, OwnKept, Person};
use crate::store::{Error, Result};

fn being_built<T>() -> Result<T> {
    Err(Error::Failed("this is being built".into()))
}

#[async_trait]
impl Contacts for Embedded {
    fn person(&self, _contact: &ContactKey) -> Result<Person> {
        being_built()
    }
    async fn learn(&self, _same: SamePerson, _now: Timestamp) -> Result<bool> {
        Ok(false)
    }
    async fn merge_contacts(
        &self,
        _from: &ContactKey,
        _into: &ContactKey,
        _actor: &str,
        _now: Timestamp,
    ) -> Result<Person> {
        being_built()
    }
    async fn unmerge_contact(&self, _alias: &ContactKey, _actor: &str, _now: Timestamp) -> Result<Person> {
        being_built()
    }
    async fn record_own(&self, _own: Own, _sender: SenderName, _now: Timestamp) -> Result<OwnKept> {
        Ok(OwnKept::Nothing)
    }
    fn opt_out(&self, _key: &ConversationKey) -> Result<Option<OptOut>> {
        Ok(None)
    }
    fn opt_outs(
        &self,
        _tenant: TenantId,
        _after: Option<&ContactKey>,
        _limit: usize,
    ) -> Result<Vec<(ContactKey, OptOut)>> {
        Ok(Vec::new())
    }
    async fn set_opt_out(
        &self,
        _key: &ConversationKey,
        _opt_out: Option<OptOut>,
        _actor: &str,
        _now: Timestamp,
    ) -> Result<()> {
        being_built()
    }
    async fn record_consent(&self, _consent: Consent, _sender: SenderName, _now: Timestamp) -> Result<()> {
        Ok(())
    }
    fn due_lookups(&self, _now: Timestamp, _limit: usize) -> Result<Vec<Lookup>> {
        Ok(Vec::new())
    }
    fn next_lookup_at(&self) -> Option<Timestamp> {
        None
    }
    async fn lookup_missed(&self, _contact: &ContactKey, _again: Option<Timestamp>) -> Result<()> {
        Ok(())
    }
}
