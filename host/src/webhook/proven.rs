//! Whose webhook a body is: the senders whose keys it proves.
//!
//! What the head of a webhook proves is judged before its body is read. The accounts that the body names
//! only choose whose keys are tried. Keys are many senders' own and often the same for several (the
//! numbers of one Meta app), so that each signature is made once.
//!
//! Reports of what we sent name no account. The message that they report on says through whom it went;
//! where even that is missing, the keys that proved others lately are tried, then all in turn.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Refusal;
use super::lately::Lately;
use crate::channel::claim::Claims;
use crate::channel::signature::Signature;
use crate::channel::{self, Head, Unverified, signature};
use crate::event::{Event, Unread};
use crate::message::{Provider, SenderName};
use crate::store::receipts::Receipts;
use crate::store::unread::UnreadBody;
use crate::tenant::{Directory, Sender, WebhookAuth};

/// A stranger must not make us hash a body once for every sender there is: it is hashed with this many
/// keys at most.
pub const HASHES: usize = 16;
/// And a large one with fewer, so that no more bytes than these are hashed, though with some keys always.
const HASHED_BYTES: usize = 32 << 20;
const FEWEST_HASHES: usize = 4;

/// What a webhook proves itself against.
pub struct Trial<'a> {
    pub provider: Provider,
    pub head: Head<'a>,
    pub directory: &'a Directory,
    /// Can only this machine reach the gateway? Then senders may do without a key.
    pub private: bool,
}

impl Trial<'_> {
    /// What is left to prove to this sender when the head is judged.
    fn knock(&self, sender: &Sender) -> Result<Option<Signature>, Unverified> {
        if channel::unproven_allowed(sender, self.head.headers, self.private) {
            return Ok(None);
        }
        if sender.auth == WebhookAuth::None && sender.is_keyless() {
            return Err(Unverified::NotLocal);
        }
        channel::adapter(self.provider).knock(sender, &self.head)
    }

    /// Refused if there is no sender whom the body could still prove itself to.
    pub fn judge_head(&self) -> Result<(), Refusal> {
        let mut refused = None;
        for sender in self.directory.senders.values().filter(|sender| sender.provider() == self.provider) {
            match self.knock(sender) {
                Ok(_) => return Ok(()),
                Err(why) => refused = refused.or(Some(why)),
            }
        }
        Err(Refusal::Unverified(refused.unwrap_or(Unverified::WrongKey)))
    }

    /// Refused if no sender's keys fit.
    pub async fn judge(
        &self,
        body: &[u8],
        claims: Claims,
        store: &dyn Receipts,
        lately: &Lately,
    ) -> Result<Proven, Refusal> {
        let mut hashes = Hashes::new(self, body);
        let mut senders = BTreeMap::new();
        // A body that names others of ours may be theirs too in what names nobody.
        let is_its = |owner: &Arc<Sender>| {
            let named = claims.accounts.iter().filter_map(|it| self.directory.sender_of(self.provider, it));
            named.into_iter().all(|sender| sender.name == owner.name)
        };
        let at_its_address = self.at_its_address(&mut hashes).filter(is_its);
        let mut refused = None;
        for account in claims.accounts {
            let Some(sender) = self.directory.sender_of(self.provider, &account) else { continue };
            match hashes.verify(sender, hashes.most) {
                Ok(()) => {
                    senders.insert(account, sender.clone());
                }
                Err(why) => refused = refused.or(Some(why)),
            }
        }
        let mut someone = first(senders.values()).or_else(|| at_its_address.clone());
        if someone.is_none() && refused.is_none() {
            someone = self.anyone(&mut hashes, &claims.reports, store, lately).await?;
        }
        match someone {
            Some(_) => Ok(Proven { provider: self.provider, senders, at_its_address, someone }),
            None => Err(Refusal::Unverified(refused.unwrap_or(Unverified::WrongKey))),
        }
    }

    /// Whose own this address is, if it is one sender's alone.
    fn at_its_address(&self, hashes: &mut Hashes<'_>) -> Option<Arc<Sender>> {
        let key = self.head.path_key?;
        let owns = |sender: &&Arc<Sender>| {
            let own = sender.webhook_path.expose();
            !own.is_empty() && signature::is_key(own.as_bytes(), key.as_bytes())
        };
        let all = self.directory.senders_of(self.provider);
        let mut owners = all.into_iter().filter(owns);
        let owner = owners.next().filter(|_| owners.next().is_none())?;
        hashes.verify(owner, hashes.most).ok()?;
        Some(owner.clone())
    }

    /// Of a body that names nobody we know: a sender whose keys it proves.
    async fn anyone(
        &self,
        hashes: &mut Hashes<'_>,
        reports: &[String],
        store: &dyn Receipts,
        lately: &Lately,
    ) -> Result<Option<Arc<Sender>>, Refusal> {
        let named = |name: &SenderName| {
            let sender = self.directory.senders.get(name);
            sender.filter(|sender| sender.provider() == self.provider)
        };
        let mut found = None;
        for report in reports {
            let name = store.sender_of_reply(report).await.map_err(Refusal::Store)?;
            found = name.as_ref().and_then(named).filter(|it| hashes.verify(it, hashes.most / 4).is_ok());
            if found.is_some() {
                break;
            }
        }
        let recent = lately.proven(self.provider);
        found = found.or_else(|| {
            recent.iter().filter_map(named).find(|it| hashes.verify(it, hashes.most / 2).is_ok())
        });
        let mut all = self.directory.senders_of(self.provider);
        if found.is_none() && !all.is_empty() {
            let begin = lately.turn(self.provider) % all.len();
            all.rotate_left(begin);
            hashes.left_out = false;
            let mut untried = None;
            for (at, sender) in all.iter().enumerate() {
                if hashes.verify(sender, hashes.most).is_ok() {
                    found = Some(*sender);
                    break;
                }
                if hashes.left_out && untried.is_none() {
                    untried = Some(at);
                }
            }
            // Those who had no turn come first when the provider sends it again.
            lately.next_turn(self.provider, begin + untried.unwrap_or(0));
        }
        let Some(found) = found else { return Ok(None) };
        lately.note(self.provider, &found.name);
        // One that is switched on, if its keys are the same.
        let mut others = all.into_iter().filter(|_| !found.active);
        let on = others.find(|it| it.active && hashes.verify(it, 0).is_ok());
        Ok(Some(on.unwrap_or(found).clone()))
    }
}

/// What a verified body may speak for.
pub struct Proven {
    provider: Provider,
    /// By everything the body calls them.
    senders: BTreeMap<String, Arc<Sender>>,
    /// Of a body that names nobody else: the one sender whose own address it came to.
    at_its_address: Option<Arc<Sender>>,
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
    /// The senders whose templates an item may be about: those at this account of the provider, of whom
    /// the body proves that it speaks for them. Without an account, all whom it speaks for.
    pub fn senders_at(&self, directory: &Directory, account: Option<&str>) -> Vec<Arc<Sender>> {
        let proven = |sender: &Sender| {
            let others = self.senders.values().chain(&self.someone);
            others.into_iter().any(|other| other.name == sender.name || other.proves_alike(sender))
        };
        let at_it = |sender: &Sender| {
            let named =
                |account| sender.template_account() == account || sender.accounts().any(|own| own == account);
            account.is_none_or(named)
        };
        let all = directory.senders_of(self.provider).into_iter();
        all.filter(|sender| at_it(sender) && proven(sender)).cloned().collect()
    }

    /// What a kept body may speak for: as much as it did when it came, of the senders that there are.
    pub fn again(kept: &UnreadBody, claims: Claims, directory: &Directory) -> Self {
        let proven = |sender: &&Arc<Sender>| kept.proven.contains(&sender.name);
        let named = |account: String| {
            let sender = directory.sender_of(kept.provider, &account).filter(proven)?;
            Some((account, sender.clone()))
        };
        let senders: BTreeMap<String, Arc<Sender>> = claims.accounts.into_iter().filter_map(named).collect();
        let known = |name: &SenderName| directory.senders.get(name).filter(proven).cloned();
        let at_its_address = kept.at_its_address.as_ref().and_then(known);
        let someone = first(senders.values()).or_else(|| kept.proven.iter().find_map(known));
        Proven { provider: kept.provider, senders, at_its_address, someone }
    }

    /// The senders that it speaks for.
    pub fn names(&self) -> Vec<SenderName> {
        let all = self.senders.values().chain(&self.at_its_address).chain(&self.someone);
        all.map(|sender| sender.name.clone()).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Whose own address it came to.
    pub fn address(&self) -> Option<&SenderName> {
        self.at_its_address.as_ref().map(|sender| &sender.name)
    }

    /// What names no account, and came to no sender's own address, is nobody's as far as can be read.
    pub fn settled(&self, event: Event) -> Event {
        if !event.lacks_account() || self.at_its_address.is_some() {
            return event;
        }
        let reason = "it names no account, and came to no sender's own address";
        Event::Unread(Unread::nameless(event.topic(), self.provider, reason))
    }

    pub fn wants_groups(&self) -> bool {
        self.senders.values().chain(&self.at_its_address).any(|sender| sender.groups)
    }

    /// Whom an event is for. One that should have named an account and does not belongs to the sender of
    /// the address it came to.
    pub fn sender_of(&self, directory: &Directory, event: &Event) -> Found {
        match event.lacks_account() {
            true => self.at_its_address.clone().map_or(Found::Nobody, Found::Sender),
            false => self.sender(directory, event.account()),
        }
    }

    fn sender(&self, directory: &Directory, account: Option<&str>) -> Found {
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

/// The signatures that the body was hashed for, and whether they hold.
struct Hashes<'a> {
    trial: &'a Trial<'a>,
    body: &'a [u8],
    made: Vec<(Signature, bool)>,
    /// So many may be made.
    most: usize,
    /// Was one not made because it would have been one too many?
    left_out: bool,
}

impl<'a> Hashes<'a> {
    fn new(trial: &'a Trial<'a>, body: &'a [u8]) -> Self {
        let most = (HASHED_BYTES / body.len().max(1)).clamp(FEWEST_HASHES, HASHES);
        Hashes { trial, body, made: Vec::new(), most, left_out: false }
    }

    /// `most`: none is made beyond so many.
    fn verify(&mut self, sender: &Sender, most: usize) -> Result<(), Unverified> {
        let Some(signature) = self.trial.knock(sender)? else { return Ok(()) };
        let known = self.made.iter().find(|(made, _)| *made == signature).map(|(_, holds)| *holds);
        if known.is_none() && self.made.len() >= most {
            self.left_out = true;
            return Err(Unverified::WrongKey);
        }
        let holds = known.unwrap_or_else(|| {
            let holds = signature.holds(self.body);
            self.made.push((signature, holds));
            holds
        });
        if holds { Ok(()) } else { Err(Unverified::WrongSignature) }
    }
}
