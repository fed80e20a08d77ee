//! Whom is asked about what is in doubt, and what they said. Each is asked again after a pause that grows,
//! and nobody waits for one that takes its time.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tokio::time::Instant;

use crate::message::SenderName;

/// It is asked about again after so long, and then after twice as long, up to
const FIRST: Duration = Duration::from_secs(10);
pub const AT_MOST: Duration = Duration::from_secs(600);

/// What was said longer ago says nothing of now.
const FRESH: Duration = Duration::from_secs(60);

/// A chat of a sender's, or a reply by its name.
pub type Topic = (SenderName, String);

/// What is known of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// It settled one.
    Found,
    /// Who sees all that was said was asked just now, and sees nothing of it.
    None,
    /// Who may know was asked just now, and does not: that says nothing.
    Silent,
    /// It is to be asked first.
    Later,
    /// Nobody can be asked.
    Nowhere,
}

#[derive(Debug, Default)]
pub struct Asking {
    topics: HashMap<Topic, Asked>,
    /// In this look.
    seen: HashSet<Topic>,
}

#[derive(Debug)]
struct Asked {
    again_at: Instant,
    pause: Duration,
    under_way: bool,
    /// Replies that were in doubt when it was asked last: of another it says nothing.
    about: HashSet<String>,
    said: Option<(Evidence, Instant)>,
}

impl Asking {
    /// Nothing is in doubt any more.
    pub fn clear(&mut self) {
        self.topics.clear();
        self.seen.clear();
    }

    /// Is it to be asked about now? Then it is, about these replies.
    pub fn begin(&mut self, topic: &Topic, about: HashSet<String>, now: Instant) -> bool {
        self.seen.insert(topic.clone());
        let asked = self.topics.entry(topic.clone()).or_insert(Asked {
            again_at: now,
            pause: FIRST,
            under_way: false,
            about: HashSet::new(),
            said: None,
        });
        let begins = !asked.under_way && asked.again_at <= now;
        if begins {
            (asked.under_way, asked.about) = (true, about);
        }
        begins
    }

    /// What came of it.
    pub fn learn(&mut self, topic: &Topic, evidence: Evidence, now: Instant) {
        let Some(asked) = self.topics.get_mut(topic) else { return };
        *asked = Asked {
            again_at: now + asked.pause,
            pause: (2 * asked.pause).min(AT_MOST),
            under_way: false,
            about: std::mem::take(&mut asked.about),
            said: Some((evidence, now)),
        };
    }

    /// What is known of a reply to which this topic belongs.
    pub fn of(&self, topic: &Topic, reply: &str, now: Instant) -> Evidence {
        let asked = self.topics.get(topic).filter(|asked| !asked.under_way && asked.about.contains(reply));
        match asked.and_then(|asked| asked.said) {
            Some((evidence, at)) if now.duration_since(at) < FRESH => evidence,
            _ => Evidence::Later,
        }
    }

    /// The look is over: what nothing is in doubt of any more is forgotten.
    pub fn end_look(&mut self) {
        let seen = std::mem::take(&mut self.seen);
        self.topics.retain(|topic, asked| asked.under_way || seen.contains(topic));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_asked_ever_more_seldom_and_what_it_said_holds_for_a_while() {
        let (mut asking, began) = (Asking::default(), Instant::now());
        let topic = (SenderName::new("main"), "971501234567".to_owned());
        let at = |seconds| began + Duration::from_secs(seconds);
        let one = || HashSet::from(["2-a-1".to_owned()]);
        assert_eq!(asking.of(&topic, "2-a-1", at(0)), Evidence::Later);
        assert!(asking.begin(&topic, one(), at(0)));
        assert!(!asking.begin(&topic, one(), at(1)), "it is being asked");
        assert_eq!(asking.of(&topic, "2-a-1", at(1)), Evidence::Later);
        asking.learn(&topic, Evidence::None, at(2));
        assert_eq!(asking.of(&topic, "2-a-1", at(3)), Evidence::None);
        assert_eq!(asking.of(&topic, "2-a-2", at(3)), Evidence::Later, "nobody looked for this one");
        assert!(!asking.begin(&topic, one(), at(11)));
        assert_eq!(asking.of(&topic, "2-a-1", at(62)), Evidence::Later, "stale");
        assert!(asking.begin(&topic, one(), at(62)));
        asking.learn(&topic, Evidence::Later, at(70));
        assert!(!asking.begin(&topic, one(), at(89)), "twice as long");
        assert!(asking.begin(&topic, one(), at(90)));
        asking.end_look();
        asking.end_look();
        assert!(!asking.begin(&topic, one(), at(1_000)), "what is under way is not forgotten");
        asking.learn(&topic, Evidence::Found, at(1_001));
        asking.end_look();
        asking.end_look();
        assert_eq!(asking.topics.len(), 0);
    }
}
