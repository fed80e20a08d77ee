//! What must hold after any number of kills, said as a function: what was acknowledged, what the
//! store holds and what reached the provider in, violations out.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use super::load::{Fact, TENANTS};

/// What the store holds of one conversation, and what the provider got of it.
#[derive(Default)]
pub struct Conversation {
    /// Ids of the contact's messages, in the order of the history.
    pub heard: Vec<String>,
    /// Replies in the order of the history.
    pub said: Vec<Said>,
    /// For each committed turn the ids of the messages that it used up, and its number.
    pub turns: Vec<(u64, Vec<String>)>,
    /// Texts in the order in which the provider took them.
    pub received: Vec<String>,
    /// What it took after nobody wrote any more: replies that were torn off, sent again.
    pub again: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    pub text: String,
    pub fate: Fate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Sent,
    /// Given up, or still waiting: the provider must not have it.
    NotSent,
    /// The provider may have it.
    Unknown,
}

/// Everything there is to check.
pub struct History {
    pub facts: Vec<Fact>,
    pub locks: BTreeMap<String, u32>,
    pub conversations: BTreeMap<(u32, String), Conversation>,
}

impl History {
    pub fn violations(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut by_contact: BTreeMap<&str, Vec<&Fact>> = BTreeMap::new();
        for fact in &self.facts {
            by_contact.entry(&fact.contact).or_default().push(fact);
        }
        for (contact, facts) in &by_contact {
            wrong.extend(self.answers(contact, facts));
            wrong.extend(self.kept_once(contact, facts));
        }
        for ((tenant, contact), conversation) in &self.conversations {
            let place = format!("{tenant}/{contact}");
            wrong.extend(conversation.violations().iter().map(|what| format!("{place}: {what}")));
            let facts = by_contact.get(contact.as_str()).map_or(&[][..], Vec::as_slice);
            wrong.extend(conversation.order(facts).iter().map(|what| format!("{place}: {what}")));
            if *tenant == 0 && conversation.said.len() > 1 {
                wrong.push(format!("{place}: told {} times to use a link", conversation.said.len()));
            }
        }
        wrong
    }

    /// Every answer to one message is the first; all routed ones name the lock's tenant; one of them
    /// made the lock.
    fn answers(&self, contact: &str, facts: &[&Fact]) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut new_sessions = 0;
        for fact in facts {
            let id = &fact.id;
            let first = &fact.answers[0];
            if fact.answers.iter().any(|answer| answer != first) {
                wrong.push(format!("{id}: a duplicate was answered otherwise: {:?}", fact.answers));
            }
            match tenant_of(first) {
                Some(tenant) if self.locks.get(contact) == Some(&tenant) => {}
                Some(tenant) => {
                    let lock = self.locks.get(contact);
                    wrong.push(format!("{id}: acknowledged for {tenant}, but the lock is {lock:?}"));
                }
                None if fact.text.starts_with("start_realty_") => {
                    wrong.push(format!("{id}: a link was answered {first}"));
                }
                None => {}
            }
            if first["is_new_session"] == true {
                new_sessions += 1;
            }
        }
        if new_sessions != 1 {
            wrong.push(format!("{contact}: {new_sessions} messages began its session, not one"));
        }
        wrong
    }

    /// Each routed message stands once in its tenant's history and was used up by one turn; an
    /// ignored one stands nowhere.
    fn kept_once(&self, contact: &str, facts: &[&Fact]) -> Vec<String> {
        let mut wrong = Vec::new();
        for fact in facts {
            let id = &fact.id;
            let expected = tenant_of(&fact.answers[0]);
            for tenant in TENANTS {
                let (heard, turns) = match self.conversations.get(&(tenant, contact.to_owned())) {
                    None => (0, 0),
                    Some(conversation) => (
                        conversation.heard.iter().filter(|heard| *heard == id).count(),
                        conversation.turns.iter().flat_map(|turn| &turn.1).filter(|used| *used == id).count(),
                    ),
                };
                let wanted = usize::from(expected == Some(tenant));
                if heard != wanted {
                    wrong
                        .push(format!("{id}: {heard} times in the history of tenant {tenant}, not {wanted}"));
                }
                if turns != wanted {
                    wrong.push(format!("{id}: {turns} turns of tenant {tenant}, not {wanted}"));
                }
            }
        }
        wrong
    }
}

impl Conversation {
    /// What holds within one conversation, whatever was posted.
    fn violations(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let numbers: Vec<u64> = self.turns.iter().map(|turn| turn.0).collect();
        if numbers.iter().zip(1..).any(|(number, expected)| *number != expected) {
            wrong.push(format!("its turns are numbered {numbers:?}"));
        }
        let used: Vec<&String> = self.turns.iter().flat_map(|turn| &turn.1).collect();
        if !self.turns.is_empty() && used != self.heard.iter().collect::<Vec<_>>() {
            wrong.push(format!("turns used {used:?}, the history has {:?}", self.heard));
        }
        let counted: Vec<usize> = self.said.iter().filter_map(|said| counted(&said.text)).collect();
        if counted.iter().zip(1..).any(|(number, expected)| *number != expected) {
            wrong.push(format!("its memory counted {counted:?}"));
        }
        let mut said = self.said.clone();
        for again in &self.again {
            // It went out once after all, behind those that came after it.
            match said.iter().position(|said| said.text == *again && said.fate == Fate::Sent) {
                Some(place) => drop(said.remove(place)),
                None => wrong.push(format!("{again:?} went out again, and nothing tells why")),
            }
        }
        if !explains(&said, &self.received) {
            wrong.push(format!("it said {:?}, the provider got {:?}", self.said, self.received));
        }
        wrong
    }

    /// A message that was acknowledged before another was posted, and is not younger by the
    /// provider's clock, comes before it.
    fn order(&self, facts: &[&Fact]) -> Vec<String> {
        let places: HashMap<&str, usize> =
            self.heard.iter().enumerate().map(|(place, id)| (id.as_str(), place)).collect();
        let placed: Vec<(&Fact, usize)> =
            facts.iter().filter_map(|fact| Some((*fact, *places.get(fact.id.as_str())?))).collect();
        let mut wrong = Vec::new();
        for (first, first_place) in &placed {
            for (second, second_place) in &placed {
                let before = first.acked < second.posted && first.at <= second.at;
                if before && first_place > second_place {
                    wrong.push(format!("{} came before {} and stands after it", first.id, second.id));
                }
            }
        }
        wrong
    }
}

fn tenant_of(answer: &Value) -> Option<u32> {
    if answer["status"] != "routed" {
        return None;
    }
    u32::try_from(answer["tenant_id"].as_u64()?).ok()
}

/// The number in `You said: … (message 3)`.
fn counted(text: &str) -> Option<usize> {
    text.rsplit_once("(message ")?.1.strip_suffix(')')?.parse().ok()
}

/// Can the provider have got just this, in this order, if the replies had these fates? Each sent one
/// once, each unknown one once or not at all, the others never.
fn explains(said: &[Said], received: &[String]) -> bool {
    // How many of the received texts may be accounted for so far.
    let mut reached = BTreeSet::from([0]);
    for said in said {
        let taken = reached.iter().filter(|at| received.get(**at) == Some(&said.text)).map(|at| at + 1);
        reached = match said.fate {
            Fate::Sent => taken.collect(),
            Fate::NotSent => reached,
            Fate::Unknown => taken.chain(reached.iter().copied()).collect(),
        };
    }
    reached.contains(&received.len())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use serde_json::json;

    use super::*;

    fn said(text: &str, fate: Fate) -> Said {
        Said { text: text.into(), fate }
    }

    /// `a!` was sent, `a?` is unknown, `a-` was not sent.
    fn replies(written: &str) -> Vec<Said> {
        let reply = |word: &str| match word.split_at(word.len() - 1) {
            (text, "!") => said(text, Fate::Sent),
            (text, "?") => said(text, Fate::Unknown),
            (text, _) => said(text, Fate::NotSent),
        };
        written.split_whitespace().map(reply).collect()
    }

    #[test]
    fn replies_reach_the_provider_once_and_in_order() {
        for (written, received, expected) in [
            ("a! b!", "a b", true),
            ("a! b!", "b a", false),
            ("a!", "a a", false),
            ("a!", "", false),
            ("a? b!", "b", true),
            ("a? b!", "a b", true),
            ("a? b!", "b a", false),
            ("a? a!", "a", true),
            ("a? a!", "a a a", false),
            ("a-", "a", false),
            ("a-", "", true),
        ] {
            let received: Vec<String> = received.split_whitespace().map(str::to_owned).collect();
            assert_eq!(explains(&replies(written), &received), expected, "{written} {received:?}");
        }
    }

    /// A contact who opened tenant 1's link and said one word, all well.
    fn sound() -> History {
        let began = Instant::now();
        let fact = |text: &str, number: u64, answer: Value| Fact {
            contact: "971500000001".into(),
            id: format!("false_971500000001@c.us_3EB{number}"),
            text: text.into(),
            at: 1_741_249_000,
            posted: began + Duration::from_secs(number * 10),
            acked: began + Duration::from_secs(number * 10 + 1),
            answers: vec![answer.clone(), answer],
        };
        let routed = |new: bool| json!({"status": "routed", "tenant_id": 1, "is_new_session": new});
        let facts = vec![fact("start_realty_1", 1, routed(true)), fact("word", 2, routed(false))];
        let ids: Vec<String> = facts.iter().map(|fact| fact.id.clone()).collect();
        let conversation = Conversation {
            heard: ids.clone(),
            said: vec![said("Hello!", Fate::Sent), said("You said: word (message 1)", Fate::Sent)],
            turns: vec![(1, vec![ids[0].clone()]), (2, vec![ids[1].clone()])],
            received: vec!["Hello!".into(), "You said: word (message 1)".into()],
            again: Vec::new(),
        };
        History {
            facts,
            locks: BTreeMap::from([("971500000001".into(), 1)]),
            conversations: BTreeMap::from([((1, "971500000001".into()), conversation)]),
        }
    }

    #[track_caller]
    fn finds(damage: impl FnOnce(&mut History, &mut Conversation), expected: &str) {
        let mut history = sound();
        let key = (1, "971500000001".to_owned());
        let mut conversation = history.conversations.remove(&key).expect("it is there");
        damage(&mut history, &mut conversation);
        history.conversations.insert(key, conversation);
        let said = history.violations().join("\n");
        assert!(said.contains(expected), "expected: {expected}\nsaid: {said}");
    }

    #[test]
    fn every_kind_of_damage_is_found() {
        assert_eq!(sound().violations(), [""; 0]);
        finds(|_, c| drop(c.heard.pop()), "0 times in the history of tenant 1, not 1");
        finds(|_, c| c.heard.push(c.heard[1].clone()), "2 times in the history");
        finds(|_, c| drop(c.turns.pop()), "0 turns of tenant 1, not 1");
        finds(|_, c| c.heard.swap(0, 1), "and stands after it");
        finds(|_, c| c.turns[1].0 = 3, "numbered [1, 3]");
        finds(|_, c| c.said[1].text = "You said: word (message 2)".into(), "memory counted [2]");
        finds(|_, c| c.received.push("Hello!".into()), "the provider got");
        finds(|h, _| h.locks = BTreeMap::from([("971500000001".into(), 2)]), "but the lock is Some(2)");
        finds(|h, _| h.facts[1].answers[0]["is_new_session"] = json!(true), "answered otherwise");
        finds(|h, _| h.facts[0].answers = vec![json!({"status": "ignored"})], "a link was answered");
        finds(
            |h, _| {
                let other = Conversation { heard: vec![h.facts[1].id.clone()], ..Conversation::default() };
                h.conversations.insert((2, "971500000001".into()), other);
            },
            "1 times in the history of tenant 2, not 0",
        );
    }
}
