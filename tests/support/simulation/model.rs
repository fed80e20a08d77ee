//! What must be so, told from outside: what was acknowledged, who is whose, what was said and what became of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use switchboard::message::{ContactKey, ConversationKey, TenantId, Timestamp};
use switchboard::route::Answer;
use switchboard::store::{Arrival, SendClaim};

#[derive(Default)]
pub struct Model {
    /// Messages by the provider's id, in the order in which they came first.
    pub messages: BTreeMap<String, Told>,
    pub ids: Vec<String>,
    /// Whose a contact is, as long as no operator interferes.
    pub locks: HashMap<ContactKey, TenantId>,
    /// Contacts of whom an operator, or what was learnt, made somebody else: their orders are two that became one.
    pub blurred: BTreeSet<ContactKey>,
    /// Contacts that were one person once, whatever they are by now.
    pub groups: Vec<BTreeSet<ContactKey>>,
    /// What has not been used up by a turn yet, by its conversation: when it was written, and its number.
    pub waiting: HashMap<ConversationKey, BTreeMap<(Timestamp, u64), String>>,
    /// Replies by their texts, which are numbered.
    pub replies: BTreeMap<u64, Reply>,
    /// Turns that died, by the numbers of their first messages.
    pub died: BTreeSet<u64>,
    /// How often operators did what.
    pub deeds: BTreeMap<&'static str, usize>,
}

/// A message, and what its provider was told.
pub struct Told {
    pub arrival: Arrival,
    pub answer: Answer,
}

/// What was said.
#[derive(Debug)]
pub struct Reply {
    pub key: ConversationKey,
    pub fate: Fate,
    /// How often its provider took it.
    pub taken: usize,
    /// How often it may have been taken: once, and once more whenever somebody had it sent again.
    pub granted: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Waits,
    /// An attempt has begun.
    Leaves,
    Sent,
    /// Refused for good, given up, or of unknown outcome: those behind it go on.
    Over,
}

impl Model {
    pub fn says(&mut self, key: &ConversationKey) -> String {
        let number = self.replies.len() as u64 + 1;
        let reply = Reply { key: key.clone(), fate: Fate::Waits, taken: 0, granted: 1 };
        self.replies.insert(number, reply);
        format!("reply {number}")
    }

    pub fn reply(&mut self, claim: &SendClaim) -> Option<(u64, &mut Reply)> {
        let number = number_of(crate::cast::text_of(&claim.entry.outbound))?;
        Some((number, self.replies.get_mut(&number)?))
    }

    /// The process died before anybody could tell what became of it.
    pub fn torn_off(&mut self, claim: &SendClaim) {
        if let Some((_, reply)) = self.reply(claim) {
            reply.fate = Fate::Over;
        }
    }

    pub fn did(&mut self, deed: &'static str) {
        *self.deeds.entry(deed).or_default() += 1;
    }

    /// From now on nothing follows from what was known of who this is, nor of who is taken for the same person.
    pub fn blur(&mut self, contact: &ContactKey) {
        let group = self.group_of(contact);
        self.locks.retain(|other, _| !group.contains(other));
        self.blurred.extend(group);
    }

    /// They were taken for one person once.
    pub fn join(&mut self, one: &ContactKey, other: &ContactKey) {
        let mut group = self.group_of(one);
        group.extend(self.group_of(other));
        self.groups.retain(|known| known.is_disjoint(&group));
        self.groups.push(group);
    }

    fn group_of(&self, contact: &ContactKey) -> BTreeSet<ContactKey> {
        let known = self.groups.iter().find(|group| group.contains(contact));
        known.cloned().unwrap_or_else(|| BTreeSet::from([contact.clone()]))
    }
}

/// `reply 17`.
pub fn number_of(text: &str) -> Option<u64> {
    text.strip_prefix("reply ")?.parse().ok()
}
