//! Contacts write: for the first time and again, by links and without, late, twice.

use rand::Rng as _;
use switchboard::message::{ConversationKey, SenderName};
use switchboard::route::Answer;
use switchboard::store::Arrival;

use super::model::Told;
use super::{Holds, World, main_sender};
use crate::cast;

/// So many people there are.
const CONTACTS: u32 = 8;

/// All conversations that there may be.
pub fn conversations() -> impl Iterator<Item = ConversationKey> {
    let of = |n| (0..5).map(move |tenant| cast::key(tenant, &format!("97150{n}")));
    (0..CONTACTS).flat_map(of)
}

impl World {
    pub fn somebody(&mut self) -> String {
        format!("97150{}", self.random.random_range(0..CONTACTS))
    }

    pub async fn somebody_writes(&mut self) -> Holds {
        if !self.model.ids.is_empty() && self.random.random_bool(0.2) {
            return self.it_comes_again().await;
        }
        let arrival = self.something_new();
        let accepted = self.store.accept(arrival.clone()).await;
        let accepted = accepted.map_err(|error| self.broken(1, format!("a message is refused: {error}")))?;
        let id = arrival.inbound.id.clone();
        self.tell(|| {
            let (who, text) = (&arrival.inbound.contact, arrival.inbound.content.text().unwrap_or_default());
            format!("{who} writes {id} to {}: {text}; {:?}", arrival.sender, accepted)
        });
        if accepted.duplicate {
            return Err(self.broken(2, format!("{id} is new, and is taken for a duplicate")));
        }
        self.is_where_it_belongs(&arrival, &accepted.answer).await?;
        if let (Answer::Routed { tenant, contact, .. }, Some(seq)) = (&accepted.answer, accepted.message)
            && !accepted.for_human
        {
            let key = ConversationKey { tenant: *tenant, contact: contact.clone() };
            let waiting = self.model.waiting.entry(key).or_default();
            waiting.insert((arrival.inbound.sent_at, seq), id.clone());
        }
        self.model.ids.push(id.clone());
        self.model.messages.insert(id, Told { arrival, answer: accepted.answer });
        Ok(())
    }

    /// Written a while ago, perhaps before what came last.
    fn something_new(&mut self) -> Arrival {
        let (who, n) = (self.somebody(), self.model.ids.len());
        let text = match self.random.random_range(0..5) {
            0 => format!("start_realty_{}", self.random.random_range(1..5)),
            _ => format!("message {n}"),
        };
        let mut arrival = cast::arrival(&who, &format!("m{n}"), &text, self.present());
        let late = self.random.random_range(0..10_000);
        arrival.inbound.sent_at = self.at((self.now - late).max(0));
        if self.random.random_bool(0.2) {
            (arrival.sender, arrival.inbound.account) = (SenderName::new("own"), "own".into());
        }
        arrival
    }

    /// The provider did not hear that it was taken, or sends it twice in any case.
    async fn it_comes_again(&mut self) -> Holds {
        let at = self.random.random_range(0..self.model.ids.len());
        let told = &self.model.messages[&self.model.ids[at]];
        let (mut arrival, first) = (told.arrival.clone(), told.answer.clone());
        arrival.received_at = self.present();
        let id = arrival.inbound.id.clone();
        let accepted = self.store.accept(arrival).await;
        let accepted =
            accepted.map_err(|error| self.broken(1, format!("a duplicate is refused: {error}")))?;
        if !accepted.duplicate {
            return Err(self.broken(2, format!("{id} came before, and is taken for new")));
        }
        if accepted.answer != first {
            let what = format!("{id} was answered {first:?}, and is answered {:?}", accepted.answer);
            return Err(self.broken(2, what));
        }
        Ok(())
    }

    /// The first link wins, and whoever it named keeps the contact.
    async fn is_where_it_belongs(&mut self, arrival: &Arrival, answer: &Answer) -> Holds {
        let (id, who) = (&arrival.inbound.id, &arrival.inbound.contact);
        if arrival.sender != main_sender() {
            return Ok(());
        }
        let locked = self.model.locks.get(who).copied();
        match answer {
            Answer::Routed { tenant, .. } => {
                if let Some(locked) = locked.filter(|locked| locked != tenant) {
                    return Err(self.broken(3, format!("{who} is {locked}'s, and {id} went to {tenant}")));
                }
                let lock = self.store.lock_of(who).await;
                let lock = lock.map_err(|error| self.broken(3, error.to_string()))?;
                if lock.as_ref().map(|lock| lock.tenant) != Some(*tenant) {
                    return Err(self.broken(3, format!("{id} went to {tenant}, and {who} is {lock:?}'s")));
                }
                self.model.locks.insert(who.clone(), *tenant);
            }
            Answer::Ignored(reason) => {
                if let Some(locked) = locked {
                    return Err(self.broken(3, format!("{who} is {locked}'s, and {id} is ignored: {reason}")));
                }
            }
        }
        Ok(())
    }
}
