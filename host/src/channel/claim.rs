//! Whose a webhook says it is, read before it is believed: one pass over the bytes that keeps a few
//! words and builds nothing else, within bounds on values, words and depth. What is read here only
//! chooses whose keys are tried.
//!
//! Where a provider's bodies name their accounts is said by a table of its adapter's, a [`Look`].

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize as _, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::channel::{DecodeError, json};

/// A body with more values is not read on. The largest that a provider sends, two thousand reports at
/// once, has about half as many.
const VALUES: usize = 250_000;

/// Accounts that a body may name, and bytes that they may take together: Meta puts up to a thousand
/// changes into one body, a number and its business account for each.
const ACCOUNTS: usize = 4_096;
const ACCOUNT_BYTES: usize = 256 << 10;

/// More messages of ours need not be known to find whose keys to try.
const REPORTS: usize = 4;

/// Words that are kept of one object until its end.
const WORDS: usize = 8;

/// What a value takes in memory when the body is decoded, and an object beside its values. Measured
/// with `serde_json` and rounded up.
const VALUE_BYTES: usize = 160;
const OBJECT_BYTES: usize = 512;

/// Where accounts stand in a body.
#[derive(Debug)]
pub enum Look {
    /// Nothing to see here.
    Past,
    /// An account: text, or a whole number.
    Account,
    /// Text or a whole number that decides together with other words of its object.
    Word(usize),
    /// Whether there is anything but null.
    There(usize),
    /// The items of a list.
    Each(&'static Look),
    /// Fields of an object, their names in any case.
    Fields(&'static [(&'static str, Look)]),
    /// The same; at the end of the object its words say whose it is.
    Object(&'static [(&'static str, Look)], fn(&Words) -> Claim),
}

/// The words of an object. What is only there is an empty word.
pub type Words = [Option<String>; WORDS];

/// What an object says of whose it is.
#[derive(Debug)]
pub enum Claim {
    Nobodys,
    Account(String),
    /// It is about a message of ours, by our name for it.
    Report(String),
}

/// What a body claims.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// Each once, in the order of the body.
    pub accounts: Vec<String>,
    /// Messages of ours that it reports on, the first few.
    pub reports: Vec<String>,
    /// What it will take in memory when it is decoded, in bytes.
    pub tree_bytes: usize,
}

/// Reads the claims of a body that is one object.
pub fn read(look: &'static Look, body: &[u8]) -> Result<Claims, DecodeError> {
    json::is_object(body)?;
    json::mended(body, |body| {
        let mut scan = Scan { at_most: VALUES, ..Scan::default() };
        let mut deserializer = serde_json::Deserializer::from_slice(body);
        At { look, scan: &mut scan }.deserialize(&mut deserializer)?;
        deserializer.end()?;
        Ok(Claims { tree_bytes: scan.tree_bytes() + body.len(), ..scan.claims })
    })
}

/// What any JSON text will take in memory when it is parsed; an error where it is none or has more than
/// so many values.
pub fn tree_bytes(text: &[u8], at_most: usize) -> Result<usize, DecodeError> {
    let mut scan = Scan { at_most, ..Scan::default() };
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let whole = At { look: &Look::Past, scan: &mut scan }.deserialize(&mut deserializer);
    whole.and_then(|()| deserializer.end()).map_err(|error| json::syntax(&error))?;
    Ok(scan.tree_bytes() + text.len())
}

#[derive(Default)]
struct Scan {
    claims: Claims,
    seen: HashSet<String>,
    /// Of the accounts, together.
    bytes: usize,
    words: Words,
    values: usize,
    at_most: usize,
    objects: usize,
}

impl Scan {
    fn tree_bytes(&self) -> usize {
        self.values * VALUE_BYTES + self.objects * OBJECT_BYTES
    }

    fn count<E: serde::de::Error>(&mut self) -> Result<(), E> {
        self.values += 1;
        match self.values > self.at_most {
            true => Err(E::custom(format_args!("more than {} values", self.at_most))),
            false => Ok(()),
        }
    }

    fn claim<E: serde::de::Error>(&mut self, claim: Claim) -> Result<(), E> {
        match claim {
            Claim::Account(account) if !self.seen.contains(&account) => {
                self.bytes += account.len();
                if self.seen.len() == ACCOUNTS || self.bytes > ACCOUNT_BYTES {
                    return Err(E::custom(format_args!(
                        "more than {ACCOUNTS} accounts, or {ACCOUNT_BYTES} bytes of their names"
                    )));
                }
                self.seen.insert(account.clone());
                self.claims.accounts.push(account);
            }
            Claim::Report(name) if self.claims.reports.len() < REPORTS => {
                if !self.claims.reports.contains(&name) {
                    self.claims.reports.push(name);
                }
            }
            Claim::Account(_) | Claim::Report(_) | Claim::Nobodys => {}
        }
        Ok(())
    }

    /// A value that is neither a list nor an object. `word`: as it counts for an account.
    fn leaf<E: serde::de::Error>(&mut self, look: &Look, word: Option<String>) -> Result<(), E> {
        match look {
            Look::Account => self.claim(word.map_or(Claim::Nobodys, Claim::Account)),
            Look::Word(at) => {
                self.words[*at] = word;
                Ok(())
            }
            Look::There(at) => {
                self.words[*at] = Some(String::new());
                Ok(())
            }
            Look::Past | Look::Each(_) | Look::Fields(_) | Look::Object(..) => Ok(()),
        }
    }
}

/// A value, with what is looked for in it.
struct At<'s> {
    look: &'static Look,
    scan: &'s mut Scan,
}

impl<'de> DeserializeSeed<'de> for At<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.scan.count()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for At<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        match self.look {
            Look::Word(at) | Look::There(at) => self.scan.words[*at] = None,
            _ => {}
        }
        Ok(())
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<(), E> {
        self.scan.leaf(self.look, None)
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<(), E> {
        self.scan.leaf(self.look, None)
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<(), E> {
        self.scan.leaf(self.look, wanted(self.look).then(|| number.to_string()))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<(), E> {
        self.scan.leaf(self.look, wanted(self.look).then(|| number.to_string()))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        let word = (wanted(self.look) && !text.is_empty()).then(|| text.to_owned());
        self.scan.leaf(self.look, word)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let At { look, scan } = self;
        scan.leaf(look, None)?;
        let look = if let Look::Each(look) = look { look } else { &Look::Past };
        while items.next_element_seed(At { look, scan: &mut *scan })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let At { look, scan } = self;
        scan.objects += 1;
        scan.leaf(look, None)?;
        let (known, decide) = match look {
            Look::Fields(known) => (*known, None),
            Look::Object(known, decide) => (*known, Some(decide)),
            _ => (&[] as &[_], None),
        };
        let around = decide.map(|_| std::mem::take(&mut scan.words));
        while let Some(look) = fields.next_key_seed(Name(known))? {
            fields.next_value_seed(At { look, scan: &mut *scan })?;
        }
        if let (Some(decide), Some(around)) = (decide, around) {
            let claim = decide(&std::mem::replace(&mut scan.words, around));
            scan.claim(claim)?;
        }
        Ok(())
    }
}

fn wanted(look: &Look) -> bool {
    matches!(look, Look::Account | Look::Word(_))
}

/// A field's name, as what is looked for under it.
struct Name(&'static [(&'static str, Look)]);

impl<'de> DeserializeSeed<'de> for Name {
    type Value = &'static Look;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<&'static Look, D::Error> {
        if self.0.is_empty() {
            return IgnoredAny::deserialize(deserializer).map(|_| &Look::Past);
        }
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name {
    type Value = &'static Look;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field's name")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<&'static Look, E> {
        let found = self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        Ok(found.map_or(&Look::Past, |(_, look)| look))
    }
}
