//! The questions that every field of an action is asked, and the sentence for each wrong answer.

use std::collections::HashSet;

use super::Rejected;
use crate::brain::budget::Exceeded;
use crate::message::Timestamp;
use crate::tenant::ResolvedLimits;

/// One action under examination.
pub struct Check<'a> {
    /// From 1.
    pub number: usize,
    pub name: &'static str,
    pub limits: &'a ResolvedLimits,
    pub known_handle: &'a dyn Fn(&str) -> bool,
    /// The turn's moment.
    pub now: Timestamp,
    /// Bytes of all texts of the turn so far.
    pub texts: &'a mut u64,
}

impl Check<'_> {
    pub fn wrong(&self, field: &str, why: impl std::fmt::Display) -> Rejected {
        Rejected {
            code: "actions",
            message: format!("action {} ({}): {field}: {why}", self.number, self.name),
        }
    }

    pub fn text(&mut self, field: &str, text: String) -> Result<String, Rejected> {
        *self.texts += text.len() as u64;
        if text.len() as u64 > self.limits.text_bytes {
            let place = format!("action {} ({}): {field}", self.number, self.name);
            return Err(Exceeded::text(self.limits, &place, text.len()).into());
        }
        Ok(text)
    }

    pub fn filled(&mut self, field: &str, text: String) -> Result<String, Rejected> {
        if text.trim().is_empty() {
            return Err(self.wrong(field, "empty"));
        }
        self.text(field, text)
    }

    /// Nothing and the empty text are the same.
    pub fn optional(&mut self, field: &str, text: Option<String>) -> Result<Option<String>, Rejected> {
        text.filter(|text| !text.is_empty()).map(|text| self.text(field, text)).transpose()
    }

    pub fn short(&mut self, field: &str, text: String, at_most: usize) -> Result<String, Rejected> {
        let length = text.chars().count();
        if length > at_most {
            return Err(self.wrong(field, format!("{length} characters; WhatsApp takes at most {at_most}")));
        }
        self.filled(field, text)
    }

    pub fn short_optional(
        &mut self,
        field: &str,
        text: Option<String>,
        at_most: usize,
    ) -> Result<Option<String>, Rejected> {
        text.filter(|text| !text.is_empty()).map(|text| self.short(field, text, at_most)).transpose()
    }

    pub fn count(&self, field: &str, count: usize, at_most: usize) -> Result<(), Rejected> {
        match count {
            0 => Err(self.wrong(field, "there are none; at least 1")),
            count if count > at_most => {
                Err(self.wrong(field, format!("{count}; WhatsApp takes at most {at_most}")))
            }
            _ => Ok(()),
        }
    }

    pub fn once(&self, field: &str, seen: &mut HashSet<String>, id: &str) -> Result<(), Rejected> {
        if seen.insert(id.to_owned()) {
            return Ok(());
        }
        Err(self.wrong(field, format!("`{id}` is there twice; the choice could not be told apart")))
    }

    pub fn json(&mut self, field: &str, text: String) -> Result<String, Rejected> {
        let text = self.text(field, text)?;
        match serde_json::from_str::<serde::de::IgnoredAny>(&text) {
            Ok(_) => Ok(text),
            Err(error) => Err(self.wrong(field, format!("not JSON: {error}"))),
        }
    }
}
