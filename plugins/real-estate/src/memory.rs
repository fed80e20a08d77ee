//! What is remembered of a conversation between turns.

use serde::{Deserialize, Serialize};
use switchboard_sdk::{Choice, Date, Timestamp};

use crate::criteria::Criteria;
use crate::language::Language;
use crate::step::Step;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    pub language: Option<Language>,
    /// The question that the contact was asked last.
    pub step: Step,
    pub criteria: Criteria,
    /// What was offered last, so that `2` means the second row.
    pub offered: Vec<Choice>,
    /// The first of the matching homes that is shown.
    pub offset: u32,
    /// The home that is looked at.
    pub home: Option<String>,
    /// The day, and then the time, chosen for a viewing that is not confirmed yet.
    pub day: Option<Date>,
    pub slot: Option<Timestamp>,
    pub viewing: Option<Viewing>,
    /// What brought the contact here.
    pub source: Option<String>,
    pub last_at: Timestamp,
    /// Messages in a row that were not understood.
    pub puzzled: u8,
}

/// A viewing that was agreed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Viewing {
    /// The id of the property.
    pub home: String,
    pub title: String,
    pub at: Timestamp,
}

impl Memory {
    /// Forgets the search; the language and an agreed viewing stay.
    pub fn start_over(&mut self) {
        *self = Memory {
            language: self.language,
            viewing: self.viewing.take(),
            source: self.source.take(),
            last_at: self.last_at,
            ..Memory::default()
        };
    }

    /// The first question that is still open, or the homes that match.
    pub fn next_step(&self) -> Step {
        if self.language.is_none() {
            return Step::Language;
        }
        self.criteria.first_open().unwrap_or(Step::Results)
    }
}
