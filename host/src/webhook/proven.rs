//! Whose webhook a body is: the senders whose keys it proves.
//!
//! The accounts that a body names only choose whose keys are tried. Keys are many senders' own and
//! often the same for several (the numbers of one Meta app), so that each set of keys is tried once.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Refusal;
use crate::channel::{self, Hook, Unverified};
use crate::message::Provider;
use crate::tenant::{Directory, Sender, WebhookAuth};

/// A stranger must not make us hash a large body once for every sender there is: it is hashed with this
/// many sets of keys at most. Proofs that are refused before the body is hashed (the address, a header)
/// cost next to nothing and are not counted.
const HASHES: usize = 16;
/// None but the named senders' keys are tried on a body larger than this, unless it names nobody at all:
/// reports of what we sent do not say whose they are, and come by the thousand.
const UNKNOWN_ACCOUNT_BYTES: usize = 64 << 10;

/// What a verified body may speak for.
pub struct Proven {
    provider: Provider,
    /// By everything the body calls them.
    senders: BTreeMap<String, Arc<Sender>>,
    /// Anyone whose keys fit, for what is about no account in particular; one that is switched on, if
    /// there is one.
    someone: Option<Arc<Sender>>,
}

/// Whom an item is for.
pub enum Found {
    Sender(Arc<Sender>),
    /// There is such a sender, but the body proves nothing to it.
    Unproven,
    Nobody,
}

impl Proven {
    /// Refused if no sender's keys fit.
    pub fn of(
        provider: Provider,
        hook: &Hook<'_>,
        directory: &Directory,
        private: bool,
    ) -> Result<Self, Refusal> {
        let adapter = channel::adapter(provider);
        let accounts = adapter.claimed_accounts(hook.body).map_err(Refusal::Malformed)?;
        let names_nobody = accounts.is_empty();
        let mut trials = Trials { provider, hook, private, hashed: Vec::new() };
        let mut senders = BTreeMap::new();
        let mut refused = None;
        for account in accounts {
            let Some(sender) = directory.sender_of(provider, &account) else { continue };
            match trials.verify(sender) {
                Ok(()) => {
                    senders.insert(account, sender.clone());
                }
                Err(why) => refused = refused.or(Some(why)),
            }
        }
        let mut someone = first(senders.values());
        let bounded = names_nobody || hook.body.len() <= UNKNOWN_ACCOUNT_BYTES;
        if someone.is_none() && refused.is_none() && bounded {
            let others = directory.senders_of(provider).into_iter();
            let (active, others): (Vec<_>, Vec<_>) = others.partition(|sender| sender.active);
            let mut others = active.into_iter().chain(others);
            someone = others.find(|sender| trials.verify(sender).is_ok()).cloned();
        }
        match someone {
            Some(_) => Ok(Proven { provider, senders, someone }),
            None => Err(Refusal::Unverified(refused.unwrap_or(Unverified::WrongKey))),
        }
    }

    /// The senders whose templates an item may be about: those at this account of the provider, of whom
    /// the body proves that it speaks for them. Without an account, all whom it speaks for.
    pub fn senders_at(&self, directory: &Directory, account: Option<&str>) -> Vec<Arc<Sender>> {
        let proven = |sender: &Sender| {
            let others = self.senders.values().chain(&self.someone);
            others.into_iter().any(|other| other.name == sender.name || same_keys(other, sender))
        };
        let at_it = |sender: &Sender| {
            let named =
                |account| sender.template_account() == account || sender.accounts().any(|own| own == account);
            account.is_none_or(named)
        };
        let all = directory.senders_of(self.provider).into_iter();
        all.filter(|sender| at_it(sender) && proven(sender)).cloned().collect()
    }

    pub fn wants_groups(&self) -> bool {
        self.senders.values().any(|sender| sender.groups)
    }

    pub fn sender(&self, directory: &Directory, account: Option<&str>) -> Found {
        let Some(account) = account else {
            return self.someone.clone().map_or(Found::Nobody, Found::Sender);
        };
        match (self.senders.get(account), directory.sender_of(self.provider, account)) {
            (Some(sender), _) => Found::Sender(sender.clone()),
            (None, Some(_)) => Found::Unproven,
            (None, None) => Found::Nobody,
        }
    }
}

fn first<'a>(senders: impl Iterator<Item = &'a Arc<Sender>> + Clone) -> Option<Arc<Sender>> {
    senders.clone().find(|sender| sender.active).or_else(|| senders.clone().next()).cloned()
}

/// The sets of keys that the body was hashed with, and what came of it.
struct Trials<'a> {
    provider: Provider,
    hook: &'a Hook<'a>,
    private: bool,
    hashed: Vec<(Arc<Sender>, Result<(), Unverified>)>,
}

impl Trials<'_> {
    fn verify(&mut self, sender: &Arc<Sender>) -> Result<(), Unverified> {
        if channel::unproven_allowed(sender, self.hook, self.private) {
            return Ok(());
        }
        if sender.auth == WebhookAuth::None && sender.is_keyless() {
            return Err(Unverified::NotLocal);
        }
        if let Some((_, outcome)) = self.hashed.iter().find(|(other, _)| same_keys(other, sender)) {
            return *outcome;
        }
        if self.hashed.len() >= HASHES && !sender.hmac_key.is_empty() {
            return Err(Unverified::WrongKey);
        }
        let outcome = channel::adapter(self.provider).verify(sender, self.hook);
        if matches!(outcome, Ok(()) | Err(Unverified::WrongSignature)) {
            self.hashed.push((sender.clone(), outcome));
        }
        outcome
    }
}

/// Is a proof for the one a proof for the other?
fn same_keys(left: &Sender, right: &Sender) -> bool {
    let keys = |sender: &Sender| {
        (
            sender.hmac_key.clone(),
            sender.hmac_header.clone(),
            sender.hmac_algorithm,
            sender.webhook_key.clone(),
            sender.webhook_header.clone(),
            sender.webhook_user.clone(),
            sender.webhook_path.clone(),
        )
    };
    keys(left) == keys(right)
}
