//! One turn as its brain sees it: why it runs, where it runs, what was remembered, and what the
//! tenant lets it read.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;

use crate::fault::Fault;
use crate::host;
use crate::message::{Choice, Contact, Content, Context, HistoryEntry, Message, Referral, Trigger};
use crate::phrase::{Phrase, setting};
use crate::time::Timestamp;
use crate::zone::Zone;

/// What a brain is given.
#[derive(Clone, Debug)]
pub struct Turn {
    trigger: Trigger,
    context: Context,
    memory: Option<String>,
}

impl Turn {
    pub fn new(trigger: Trigger, context: Context, memory: Option<String>) -> Self {
        Turn { trigger, context, memory }
    }

    pub fn trigger(&self) -> &Trigger {
        &self.trigger
    }

    pub fn context(&self) -> &Context {
        &self.context
    }

    pub fn contact(&self) -> &Contact {
        &self.context.contact
    }

    /// The turn's own time; no other clock is to be trusted in a brain.
    pub fn now(&self) -> Timestamp {
        self.context.now
    }

    /// The tenant's clock.
    pub fn zone(&self) -> Result<Zone, Fault> {
        Zone::named(&self.context.time_zone)
    }

    /// The language to answer in, as far as the gateway knows: the contact's, else the tenant's.
    pub fn language(&self) -> &str {
        self.context.contact.language.as_deref().unwrap_or(&self.context.language)
    }

    /// The contact's messages of this turn; none when a timer or a human is the reason.
    pub fn messages(&self) -> &[Message] {
        match &self.trigger {
            Trigger::Started { message, .. } => std::slice::from_ref(message),
            Trigger::Messages { messages } => messages,
            _ => &[],
        }
    }

    /// What the contact said in words, several messages on lines of their own. Of a deep link, what
    /// was written after it.
    pub fn said(&self) -> Option<String> {
        let link = matches!(self.trigger, Trigger::Started { .. });
        let mut said = String::new();
        for text in self.messages().iter().filter_map(|message| message.content.text()) {
            let text = if link { after_first_word(text) } else { text.trim() };
            if !text.is_empty() {
                if !said.is_empty() {
                    said.push('\n');
                }
                said.push_str(text);
            }
        }
        if said.is_empty() { None } else { Some(said) }
    }

    /// The button or row chosen last in this turn.
    pub fn choice(&self) -> Option<&Choice> {
        self.messages().iter().rev().find_map(|message| match &message.content {
            Content::Choice(choice) => Some(choice),
            _ => None,
        })
    }

    /// What was remembered, or the type's default where nothing was yet.
    pub fn memory<T: DeserializeOwned + Default>(&self) -> Result<T, Fault> {
        let Some(memory) = &self.memory else { return Ok(T::default()) };
        match serde_json::from_str::<Option<T>>(memory) {
            Ok(memory) => Ok(memory.unwrap_or_default()),
            Err(error) => Err(Fault::new("memory", format!("the memory does not read: {error}"))),
        }
    }

    /// The memory as it was stored.
    pub fn memory_raw(&self) -> Option<&str> {
        self.memory.as_deref()
    }

    /// A text of the personality, in [`Turn::language`] unless told otherwise: `welcome` finds
    /// `welcome.fa`, then `welcome` in the tenant's language, then in English.
    pub fn phrase(&self, path: impl Into<String>) -> Phrase {
        Phrase::new(path, self.language(), &self.context.language)
    }

    /// A value of the personality at a dotted path; `None` where there is none.
    pub fn setting<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, Fault> {
        setting(path)
    }

    /// What the operator's other systems call this tenant: `user_id`, `chatbot_id`, `agent_id`. Takes
    /// the grant `details`, as does [`Turn::referral`].
    pub fn labels(&self) -> BTreeMap<String, String> {
        host::labels().into_iter().collect()
    }

    /// The advertisement or post that led to this message of the turn, where the provider tells.
    pub fn referral(&self, message: &Message) -> Option<Referral> {
        host::referral(&message.id)
    }

    /// The newest entries of this conversation, oldest first; at most 100.
    pub fn history(&self, limit: u32) -> Vec<HistoryEntry> {
        host::history(limit)
    }
}

fn after_first_word(text: &str) -> &str {
    text.trim_start().split_once(char::is_whitespace).map_or("", |(_, rest)| rest.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::Conversation;

    fn turn(trigger: Trigger, memory: Option<&str>) -> Turn {
        Turn::new(trigger, Conversation::default().context(), memory.map(str::to_owned))
    }

    fn message(content: Content) -> Message {
        Message { id: "m".into(), sent_at: Timestamp::default(), content, quoted: None }
    }

    #[test]
    fn of_a_link_only_the_rest_was_said() {
        let started = |text: &str| {
            let message = message(Content::from_text(text));
            turn(Trigger::Started { first: true, attribution: None, message }, None).said()
        };
        assert_eq!(started("start_realty_2"), None);
        assert_eq!(started(" start_realty_2-instagram  a villa, please "), Some("a villa, please".into()));
    }

    #[test]
    fn messages_that_came_together_are_lines() {
        let messages = vec![
            message(Content::from_text("one")),
            message(Content::Unknown { kind: "poll".into(), data: "{}".into() }),
            message(Content::Choice(Choice::new("2", "two"))),
        ];
        let turn = turn(Trigger::Messages { messages }, None);
        assert_eq!(turn.said().as_deref(), Some("one\ntwo"));
        assert_eq!(turn.choice().map(|choice| choice.id.as_str()), Some("2"));
    }

    #[test]
    fn memory_reads_or_says_why_not() {
        let timer = || Trigger::Timer { key: "k".into(), payload: "null".into() };
        assert_eq!(turn(timer(), None).memory::<u32>(), Ok(0));
        assert_eq!(turn(timer(), Some("null")).memory::<u32>(), Ok(0));
        assert_eq!(turn(timer(), Some("7")).memory::<u32>(), Ok(7));
        assert_eq!(turn(timer(), Some("{")).memory::<u32>().expect_err("broken").code, "memory");
    }
}
