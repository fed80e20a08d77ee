//! What was found in looking at all sessions, told together: a WAHA that is down, or that was restarted, is one line and
//! not one for each of its numbers.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::message::SenderName;
use crate::repeats;
use crate::tenant::Sender;

/// What is to be told of a session.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// It does not answer, or is not asked because it does not: an error each.
    Unreached {
        action: String,
    },
    Unwatched {
        error: String,
        action: String,
    },
    Unset {
        lacks: String,
    },
    Unmended {
        trouble: String,
        error: String,
    },
    PutRight {
        trouble: String,
    },
    Started {
        trouble: String,
    },
    Restarted {
        trouble: String,
    },
}

#[derive(Debug, Default)]
pub struct News(Mutex<BTreeMap<(String, What), Vec<Told>>>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Told {
    sender: SenderName,
    /// How often something was done with it since it last was well.
    times: u32,
    error: Option<String>,
}

impl News {
    pub fn add(&self, sender: &Sender, what: What, times: u32) {
        self.put(sender, what, times, None);
    }

    /// `error`: what came of asking; none where it was not asked.
    pub fn unreached(&self, sender: &Sender, action: String, error: Option<String>) {
        self.put(sender, What::Unreached { action }, 0, error);
    }

    fn put(&self, sender: &Sender, what: What, times: u32, error: Option<String>) {
        let server = sender.base_url.clone().unwrap_or_default();
        let told = Told { sender: sender.name.clone(), times, error };
        // Whatever broke off in between, at worst a line is missing.
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry((server, what)).or_default().push(told);
    }

    /// What came since the last time: one line for each server and what it is about.
    pub fn tell(&self) {
        let all = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for ((server, what), of) in all {
            say(&server, &what, &of);
        }
    }
}

fn say(server: &str, what: &What, of: &[Told]) {
    // Of one alone its name, of several how many and some names.
    let sender = (of.len() == 1).then(|| of[0].sender.as_str());
    let senders = (of.len() > 1).then_some(of.len());
    let some = senders.map(|_| some_of(of));
    let times = of.iter().map(|told| told.times).max().filter(|times| *times > 0);
    macro_rules! told {
        ($level:ident, $($field:ident),*; $text:literal) => {
            tracing::$level!(sender, senders, some, server, times, $($field),*, $text)
        };
    }
    match what {
        What::Unreached { action } => {
            let error = of.iter().find_map(|told| told.error.as_deref()).unwrap_or("WAHA does not answer");
            told!(error, error, action; "the WhatsApp session cannot be watched");
        }
        What::Unwatched { error, action } => {
            told!(error, error, action; "the WhatsApp session cannot be watched");
        }
        What::Unset { lacks } => {
            told!(warn, lacks; "the WhatsApp session is not set up for this gateway, and nothing was heard of it; `switchboard sender connect` sets it up");
        }
        What::Unmended { trouble, error } => {
            told!(error, trouble, error; "the WhatsApp session is in trouble, and WAHA did not mend it");
        }
        What::PutRight { trouble } => {
            told!(error, trouble; "the WhatsApp session's settings were put right; messages may have been lost meanwhile");
        }
        What::Started { trouble } => {
            told!(error, trouble; "the WhatsApp session was started again");
        }
        What::Restarted { trouble } => {
            told!(error, trouble; "the WhatsApp session was restarted; if that does not help, connect it again");
        }
    }
}

fn some_of(of: &[Told]) -> String {
    let mut names: Vec<&str> = of.iter().map(|told| told.sender.as_str()).collect();
    names.sort_unstable();
    repeats::some_of(&names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sender(n: u32, url: &str) -> Sender {
        let name = format!("n{n}");
        let sender = serde_json::json!({"name": name, "provider": "waha", "account": name, "base_url": url});
        serde_json::from_value(sender).expect("a sender")
    }

    #[test]
    fn a_server_that_is_down_is_one_line() {
        let news = News::default();
        let down = || What::Unwatched { error: "no answer".into(), action: "look".into() };
        for n in 0..300 {
            news.add(&sender(n, "http://one"), down(), 0);
        }
        news.add(&sender(300, "http://two"), down(), 0);
        news.add(&sender(1, "http://one"), What::Started { trouble: "stopped".into() }, 2);
        let lines = news.0.lock().expect("whole").clone();
        assert_eq!(lines.len(), 3);
        let all = &lines[&("http://one".to_owned(), down())];
        assert_eq!((all.len(), some_of(all).as_str()), (300, "n0, n1, n10, n100, n101 and 295 more"));
    }
}
