//! Does a text fit into what a provider takes? In characters, as WhatsApp counts.

use std::collections::HashSet;

use crate::channel::EncodeError;

/// How much of a text is taken, and by whom.
#[derive(Clone, Copy, Debug)]
pub struct Most {
    pub chars: usize,
    /// `Meta`.
    pub by: &'static str,
    /// What is said after it: where so much is taken, or what to do.
    pub rest: &'static str,
}

impl Most {
    /// `what`: `the text`.
    pub fn allow(&self, what: &str, text: &str) -> Result<(), EncodeError> {
        let Most { chars, by, rest } = self;
        let used = text.chars().count();
        if used <= *chars {
            return Ok(());
        }
        Err(EncodeError(format!("{what} has {used} characters; {by} takes {chars}{rest}")))
    }
}

/// Something, and not too much of it.
pub fn fills(text: &str, most: usize) -> bool {
    !text.trim().is_empty() && text.chars().count() <= most
}

/// Does each stand there once?
pub fn distinct<'a>(texts: impl IntoIterator<Item = &'a str>) -> bool {
    let mut seen = HashSet::new();
    texts.into_iter().all(|text| seen.insert(text))
}
