//! The providers, and what is true of each of them wherever it is asked: one row of facts a provider.
//! Elsewhere nobody asks which provider it is, but for a fact. How a provider speaks is its adapter's, see
//! [`crate::channel`].

use std::fmt;

use serde::{Deserialize, Serialize, de};

/// Who carries messages between WhatsApp and us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Provider {
    Waha,
    Infobip,
    Gupshup,
    Meta,
    Dialog360,
    Simulator,
}

/// What is true of a provider.
#[derive(Debug)]
pub struct Facts {
    pub provider: Provider,
    /// In the configuration, in addresses and in the store: never changed.
    pub name: &'static str,
    /// In sentences.
    pub title: &'static str,
    pub platform: Platform,
    /// What a sender's account is there.
    pub account: Account,
    pub base_url: BaseUrl,
    /// Does it take a reply only with the number that it leaves by?
    pub needs_number: bool,
    /// The secrets that are sent to it, under their names in the configuration.
    pub sent_secrets: &'static [&'static str],
    /// Can its webhooks be signed?
    pub signs: bool,
    /// Whoever is shown that we write is also shown that the message was read.
    pub typing_shows_read: bool,
    /// Do its reports on what we sent say whose it was? Where not, its message ids are unique without it.
    pub reports_name_account: bool,
    /// A list of templates is not to be asked for more often than once in so many minutes.
    pub list_minutes: u32,
}

/// How WhatsApp is reached, and what follows from it.
#[derive(Debug)]
pub struct Platform {
    /// How long free-form messages may follow the contact's last one; `None`: without end.
    pub window_ms: Option<i64>,
    /// How fast a number may write; `None`: without limit.
    pub pace: Option<Pace>,
    /// Does a sender have to keep its distance in each conversation?
    pub pair_limit: bool,
    /// Is a number a device that is logged in by a session, at a server that the operator runs?
    pub sessions: bool,
    /// Is there nobody to call, and the operator's word enough?
    pub simulated: bool,
    /// Does it take nothing without a key?
    pub needs_key: bool,
}

/// So many messages a second, and so many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    pub per_second: u32,
    pub burst: u32,
}

/// What a provider calls a sender.
#[derive(Debug)]
pub enum Account {
    /// The phone number, in any way of writing it.
    Phone,
    /// A name or an id; what of, in words.
    Name(&'static str),
}

/// Where a provider's API is.
#[derive(Debug)]
pub struct BaseUrl {
    /// Is it another one for each customer?
    pub required: bool,
    /// What to write.
    pub hint: &'static str,
}

/// WhatsApp's business platform, whoever sells access to it: a window of 24 hours, 80 messages a second
/// and number, and one every six seconds to one contact, after a burst. A tenth of a second's worth at
/// once is enough to make up for a loop's rounds.
const BUSINESS: Platform = Platform {
    window_ms: Some(24 * 60 * 60 * 1000),
    pace: Some(Pace { per_second: 80, burst: 8 }),
    pair_limit: true,
    sessions: false,
    simulated: false,
    needs_key: true,
};

/// An ordinary account, driven by a linked device. No limit is published; what such an account risks is
/// to be banned for writing like no person does, and with it the number: five a second, after twenty at
/// once, is what a busy office with several linked devices does.
const DEVICE: Platform = Platform {
    window_ms: None,
    pace: Some(Pace { per_second: 5, burst: 20 }),
    pair_limit: false,
    sessions: true,
    simulated: false,
    needs_key: false,
};

const NOBODY: Platform = Platform {
    window_ms: None,
    pace: None,
    pair_limit: false,
    sessions: false,
    simulated: true,
    needs_key: false,
};

/// The same for everyone, where a sender names no other.
const ITS_OWN: BaseUrl =
    BaseUrl { required: false, hint: "write the provider's address, such as \"http://127.0.0.1:3000\"" };

/// What a row says that says nothing of it.
const USUAL: Facts = Facts {
    provider: Provider::Simulator,
    name: "",
    title: "",
    platform: NOBODY,
    account: Account::Name("any name"),
    base_url: ITS_OWN,
    needs_number: false,
    sent_secrets: &["api_key"],
    signs: true,
    typing_shows_read: false,
    reports_name_account: true,
    list_minutes: 1,
};

/// In the order of [`Provider`].
const FACTS: &[Facts] = &[
    Facts {
        provider: Provider::Waha,
        name: "waha",
        title: "WAHA",
        platform: DEVICE,
        account: Account::Name("the session, such as \"default\""),
        base_url: BaseUrl { required: true, ..ITS_OWN },
        // A session is told how its webhooks prove themselves.
        sent_secrets: &["api_key", "hmac_key", "webhook_key", "webhook_path"],
        ..USUAL
    },
    Facts {
        provider: Provider::Infobip,
        name: "infobip",
        title: "Infobip",
        platform: BUSINESS,
        account: Account::Phone,
        base_url: BaseUrl {
            required: true,
            hint: "write your account's own address, such as \"https://abc123.api.infobip.com\"",
        },
        reports_name_account: false,
        ..USUAL
    },
    Facts {
        provider: Provider::Gupshup,
        name: "gupshup",
        title: "Gupshup",
        platform: BUSINESS,
        account: Account::Name("the app's name"),
        needs_number: true,
        signs: false,
        list_minutes: 60,
        ..USUAL
    },
    Facts {
        provider: Provider::Meta,
        name: "meta",
        title: "Meta",
        platform: BUSINESS,
        account: Account::Name("the phone number id"),
        typing_shows_read: true,
        ..USUAL
    },
    Facts {
        provider: Provider::Dialog360,
        name: "360dialog",
        title: "360dialog",
        platform: BUSINESS,
        account: Account::Name("the phone number id at Meta"),
        signs: false,
        typing_shows_read: true,
        ..USUAL
    },
    Facts { provider: Provider::Simulator, name: "simulator", title: "the simulator", ..USUAL },
];

const COUNT: usize = FACTS.len();

impl Provider {
    pub const ALL: [Provider; COUNT] = {
        let mut all = [Provider::Simulator; COUNT];
        let mut at = 0;
        while at < COUNT {
            all[at] = FACTS[at].provider;
            assert!(all[at] as usize == at, "the facts stand in the order of the providers");
            at += 1;
        }
        all
    };

    const NAMES: [&str; COUNT] = {
        let mut names = [""; COUNT];
        let mut at = 0;
        while at < COUNT {
            names[at] = FACTS[at].name;
            at += 1;
        }
        names
    };

    pub const fn facts(self) -> &'static Facts {
        &FACTS[self as usize]
    }

    pub const fn name(self) -> &'static str {
        self.facts().name
    }

    /// Its name in a sentence.
    pub const fn title(self) -> &'static str {
        self.facts().title
    }

    pub fn parse(name: &str) -> Option<Self> {
        Provider::ALL.into_iter().find(|provider| provider.name() == name)
    }

    /// See [`Platform::window_ms`].
    pub const fn window_ms(self) -> Option<i64> {
        self.facts().platform.window_ms
    }

    /// See [`Platform::sessions`].
    pub const fn has_sessions(self) -> bool {
        self.facts().platform.sessions
    }

    /// See [`Platform::simulated`].
    pub const fn is_simulated(self) -> bool {
        self.facts().platform.simulated
    }

    /// Every name, for an error or a help: `waha, infobip, gupshup, meta or simulator`.
    pub fn names() -> String {
        listed(Provider::NAMES.into_iter(), "or")
    }

    /// What a sender's account is called, provider by provider, for a help.
    pub fn accounts() -> String {
        let real = FACTS.iter().filter(|facts| !facts.platform.simulated);
        real.map(|facts| format!("at {} {}", facts.title, facts.account.words()))
            .collect::<Vec<_>>()
            .join(", ")
    }
}

impl Account {
    pub const fn words(&self) -> &'static str {
        match self {
            Account::Phone => "the number itself, with its country code",
            Account::Name(words) => words,
        }
    }
}

/// `a, b or c`.
pub fn listed<'w>(words: impl Iterator<Item = &'w str>, before_last: &str) -> String {
    let words: Vec<&str> = words.collect();
    match words.as_slice() {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [rest @ .., last] => format!("{} {before_last} {last}", rest.join(", ")),
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Provider {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Provider {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;

        impl de::Visitor<'_> for Name {
            type Value = Provider;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Provider, E> {
                Provider::parse(name).ok_or_else(|| E::unknown_variant(name, &Provider::NAMES))
            }
        }

        deserializer.deserialize_str(Name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_it_is_written() {
        for provider in Provider::ALL {
            let written = serde_json::to_string(&provider).expect("it is text");
            assert_eq!(written, format!("\"{provider}\""));
            assert_eq!(serde_json::from_str::<Provider>(&written).expect("its own name"), provider);
            assert_eq!(Provider::parse(provider.name()), Some(provider));
            assert!(!provider.title().is_empty(), "{provider}");
        }
        let error = serde_json::from_str::<Provider>("\"wahu\"").expect_err("nobody is called so");
        assert!(error.to_string().starts_with("unknown variant `wahu`, expected one of `waha`, "), "{error}");
        let error = serde_json::from_str::<Provider>("7").expect_err("no name").to_string();
        assert!(error.starts_with("invalid type: integer `7`, expected a string"), "{error}");
    }

    #[test]
    fn lists_in_words() {
        for (words, expected) in
            [(&[][..], ""), (&["a"], "a"), (&["a", "b"], "a or b"), (&["a", "b", "c"], "a, b or c")]
        {
            assert_eq!(listed(words.iter().copied(), "or"), expected);
        }
        assert!(Provider::names().ends_with(" or simulator"), "{}", Provider::names());
        assert!(Provider::accounts().starts_with("at WAHA the session"), "{}", Provider::accounts());
    }
}
