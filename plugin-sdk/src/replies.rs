//! What a brain replied, for a test to look at.

use serde_json::Value;

use crate::action::{Action, OutgoingContent};
use crate::conversation::{Conversation, Mode};
use crate::fault::Fault;
use crate::message::MediaKind;

/// The actions of one step. Every `expect_…` panics at the test's line with what was said instead; a
/// fault that no one expects panics too.
#[derive(Debug)]
pub struct Replies<'a> {
    result: Result<Vec<Action>, Fault>,
    conversation: &'a Conversation,
    looked: bool,
}

impl<'a> Replies<'a> {
    pub(crate) fn new(result: Result<Vec<Action>, Fault>, conversation: &'a Conversation) -> Self {
        Replies { result, conversation, looked: false }
    }

    /// One of the messages contains this, whatever the case and the white space.
    #[track_caller]
    pub fn expect(mut self, text: &str) -> Self {
        let found = messages(self.actions()).any(|content| contains(content.body(), text));
        self.check(found, &format!("a message with {text:?}"));
        self
    }

    /// One of the messages is this, to the letter.
    #[track_caller]
    pub fn expect_exactly(mut self, text: &str) -> Self {
        let found = messages(self.actions()).any(|content| content.body() == text);
        self.check(found, &format!("exactly {text:?}"));
        self
    }

    #[track_caller]
    pub fn expect_not(mut self, text: &str) -> Self {
        let found = messages(self.actions()).any(|content| contains(content.body(), text));
        self.check(!found, &format!("no message with {text:?}"));
        self
    }

    /// The buttons or rows of the last message that has any, all of them, in order.
    #[track_caller]
    pub fn expect_choices<'t>(mut self, titles: impl IntoIterator<Item = &'t str>) -> Self {
        let titles: Vec<&str> = titles.into_iter().collect();
        let offered = messages(self.actions()).map(OutgoingContent::choices).rfind(|it| !it.is_empty());
        let same =
            offered.unwrap_or_default().iter().map(|choice| choice.title.as_str()).eq(titles.iter().copied());
        self.check(same, &format!("the choices {titles:?}"));
        self
    }

    /// A button or row with this title or id.
    #[track_caller]
    pub fn expect_choice(mut self, which: &str) -> Self {
        let found = messages(self.actions())
            .flat_map(OutgoingContent::choices)
            .any(|choice| choice.id == which || contains(&choice.title, which));
        self.check(found, &format!("the choice {which:?}"));
        self
    }

    #[track_caller]
    pub fn expect_media(mut self, kind: MediaKind) -> Self {
        let found = messages(self.actions())
            .any(|content| matches!(content, OutgoingContent::Media(media) if media.kind == kind));
        self.check(found, &format!("a message with media {kind:?}"));
        self
    }

    #[track_caller]
    pub fn expect_location(mut self) -> Self {
        let found = messages(self.actions()).any(|content| matches!(content, OutgoingContent::Location(_)));
        self.check(found, "a location");
        self
    }

    /// A card with this name.
    #[track_caller]
    pub fn expect_contact(mut self, name: &str) -> Self {
        let found = messages(self.actions()).any(|content| match content {
            OutgoingContent::Contacts { contacts } => contacts.iter().any(|card| contains(&card.name, name)),
            _ => false,
        });
        self.check(found, &format!("the card of {name:?}"));
        self
    }

    #[track_caller]
    pub fn expect_template(mut self, name: &str) -> Self {
        let found = messages(self.actions())
            .any(|content| matches!(content, OutgoingContent::Template(template) if template.name == name));
        self.check(found, &format!("the template {name:?}"));
        self
    }

    /// Nothing is sent; other actions do not matter.
    #[track_caller]
    pub fn expect_silence(mut self) -> Self {
        let silent = messages(self.actions()).next().is_none();
        self.check(silent, "no message");
        self
    }

    /// The lead's stage, from whichever turn it is.
    #[track_caller]
    pub fn expect_lead_stage(mut self, stage: &str) -> Self {
        self.actions();
        let found = self.conversation.lead.as_ref().is_some_and(|lead| lead.stage == stage);
        self.check(found, &format!("the lead in stage {stage:?}, it is {:?}", self.conversation.lead));
        self
    }

    /// A field of the lead; null stands for none.
    #[track_caller]
    pub fn expect_lead(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.actions();
        let value = value.into();
        let found = self.conversation.lead.as_ref().and_then(|lead| lead.fields.get(field));
        let found = found.unwrap_or(&Value::Null) == &value;
        self.check(found, &format!("the lead with {field} {value}, it is {:?}", self.conversation.lead));
        self
    }

    #[track_caller]
    pub fn expect_timer(mut self, key: &str) -> Self {
        self.actions();
        self.check(self.conversation.timer(key).is_some(), &format!("a timer {key:?}"));
        self
    }

    #[track_caller]
    pub fn expect_no_timer(mut self, key: &str) -> Self {
        self.actions();
        self.check(self.conversation.timer(key).is_none(), &format!("no timer {key:?}"));
        self
    }

    #[track_caller]
    pub fn expect_hand_off(mut self) -> Self {
        self.actions();
        self.check(self.conversation.mode == Mode::Human, "a hand-off to a human");
        self
    }

    #[track_caller]
    pub fn expect_end(mut self) -> Self {
        self.actions();
        self.check(self.conversation.mode == Mode::Ended, "the end of the conversation");
        self
    }

    /// The turn fails with this code.
    #[track_caller]
    pub fn expect_fault(mut self, code: &str) -> Fault {
        self.looked = true;
        match &self.result {
            Err(fault) if fault.code == code => fault.clone(),
            Err(fault) => panic!("expected the fault `{code}`, it was {fault}"),
            Ok(actions) => panic!("expected the fault `{code}`;{}", said(actions)),
        }
    }

    /// All actions, for what the methods above do not say.
    #[track_caller]
    pub fn actions(&mut self) -> &[Action] {
        self.looked = true;
        match &self.result {
            Ok(actions) => actions,
            Err(fault) => panic!("the turn failed: {fault}"),
        }
    }

    /// Nothing is expected but that the turn goes well.
    #[track_caller]
    pub fn ignore(mut self) {
        self.actions();
    }

    #[track_caller]
    fn check(&self, held: bool, expected: &str) {
        if !held {
            panic!("expected {expected};{}", self.result.as_deref().map_or_else(Fault::to_string, said));
        }
    }
}

impl Drop for Replies<'_> {
    fn drop(&mut self) {
        if let (Err(fault), false, false) = (&self.result, self.looked, std::thread::panicking()) {
            panic!("the turn failed: {fault}");
        }
    }
}

pub(crate) fn messages(actions: &[Action]) -> impl DoubleEndedIterator<Item = &OutgoingContent> {
    actions.iter().filter_map(|action| match action {
        Action::Send(outgoing) => Some(&outgoing.content),
        _ => None,
    })
}

/// Whatever the case, the white space and marks of direction.
pub(crate) fn contains(text: &str, part: &str) -> bool {
    plain(text).contains(&plain(part))
}

pub(crate) fn plain(text: &str) -> String {
    let visible: String = text
        .chars()
        .filter(|c| !matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
        .collect();
    visible.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// What was said, for a failure's message.
pub(crate) fn said(actions: &[Action]) -> String {
    if actions.is_empty() {
        return " nothing was said or done".to_owned();
    }
    let mut text = " this was said and done:".to_owned();
    for action in actions {
        text.push_str("\n    ");
        text.push_str(&line(action).replace('\n', "\n      "));
    }
    text
}

fn line(action: &Action) -> String {
    match action {
        Action::Send(outgoing) => {
            let content = &outgoing.content;
            let kind = match content {
                OutgoingContent::Text { .. } => "text".to_owned(),
                OutgoingContent::Media(media) => format!("{:?}", media.kind).to_lowercase(),
                OutgoingContent::Buttons(_) => "buttons".to_owned(),
                OutgoingContent::List(_) => "list".to_owned(),
                OutgoingContent::Location(_) => "location".to_owned(),
                OutgoingContent::Contacts { .. } => "contacts".to_owned(),
                OutgoingContent::Template(_) => "template".to_owned(),
                OutgoingContent::Reaction(_) => "reaction".to_owned(),
            };
            let titles: Vec<String> = content.choices().into_iter().map(|choice| choice.title).collect();
            let choices =
                if titles.is_empty() { String::new() } else { format!(" [{}]", titles.join(" | ")) };
            format!("{kind}: {}{choices}", content.body())
        }
        Action::Schedule(schedule) => format!("timer {} at {}", schedule.key, schedule.at),
        Action::Cancel { key } => format!("no timer {key}"),
        Action::UpdateLead(update) => {
            format!("lead: stage {:?}, {}", update.stage, Value::Object(update.fields.clone()))
        }
        Action::HandOff { reason } => format!("hand-off: {reason}"),
        Action::EndConversation => "end".to_owned(),
    }
}
