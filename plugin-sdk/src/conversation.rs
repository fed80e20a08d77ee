//! A conversation outside the gateway: what lasts between turns (clock, memory, history, lead, timers,
//! who is in charge) and how a turn's actions change it. Tests and scripts drive a brain with it,
//! whether the brain runs natively or as a component: that is the [`Subject`]'s affair.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::action::{Action, OutgoingContent};
use crate::collection::Collections;
use crate::fault::Fault;
use crate::message::{
    Author, Choice, Contact, Content, Context, HistoryEntry, LeadSummary, Media, Message, Referral, Trigger,
};
use crate::sources::Files;
use crate::time::{Span, Timestamp};

/// Runs single turns of a brain. It keeps nothing between them.
pub trait Subject {
    fn turn(&mut self, ask: &Ask) -> Result<Answer, Fault>;
}

/// Everything one turn may see.
#[derive(Clone, Debug)]
pub struct Ask {
    pub trigger: Trigger,
    pub context: Context,
    pub memory: Option<String>,
    /// Oldest first, this turn's messages included.
    pub history: Vec<HistoryEntry>,
    /// An object: the package's personality with what a test laid over it.
    pub personality: Arc<Value>,
    pub collections: Arc<Collections>,
    /// What the operator's other systems call the tenant.
    pub labels: Arc<BTreeMap<String, String>>,
    /// What led to which message.
    pub referrals: Arc<BTreeMap<String, Referral>>,
    pub files: Arc<Files>,
}

/// What a turn came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    pub actions: Vec<Action>,
    /// None keeps the memory as it is.
    pub memory: Option<String>,
}

/// Who answers the contact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    #[default]
    Bot,
    /// A human has taken over; the brain is not asked, its timers wait.
    Human,
    /// The brain ended it; the contact's next message opens it again.
    Ended,
}

#[derive(Clone, Debug)]
pub struct Conversation {
    pub now: Timestamp,
    pub seed: u64,
    pub tenant_id: u32,
    pub tenant_name: String,
    pub time_zone: String,
    pub language: String,
    pub contact: Contact,
    pub window_open_until: Option<Timestamp>,
    pub personality: Arc<Value>,
    pub collections: Arc<Collections>,
    pub labels: Arc<BTreeMap<String, String>>,
    pub files: Arc<Files>,
    /// What leads to the contact's next message.
    pub led_by: Option<Referral>,
    pub memory: Option<String>,
    pub lead: Option<LeadSummary>,
    pub mode: Mode,
    /// Why the conversation was handed to a human.
    pub hand_off: Option<String>,
    history: Vec<HistoryEntry>,
    timers: BTreeMap<String, (Timestamp, String)>,
    /// What may be chosen now: the last message that offered something.
    offered: Vec<Choice>,
    turns: u64,
    starts: u64,
    messages: u64,
    referrals: Arc<BTreeMap<String, Referral>>,
    /// Where the history stood when a human took over.
    handed_at: usize,
}

impl Default for Conversation {
    /// Tenant 2 on Monday 2 March 2026 at nine in the morning in Dubai.
    fn default() -> Self {
        Conversation {
            now: Timestamp::from_ms(1_772_427_600_000),
            seed: 42,
            tenant_id: 2,
            tenant_name: "Harbour Homes".into(),
            time_zone: "Asia/Dubai".into(),
            language: "en".into(),
            contact: Contact { key: "971501234567".into(), display_name: None, language: None },
            window_open_until: None,
            personality: Arc::new(Value::Object(serde_json::Map::new())),
            collections: Arc::default(),
            labels: Arc::default(),
            files: Arc::default(),
            led_by: None,
            memory: None,
            lead: None,
            mode: Mode::Bot,
            hand_off: None,
            history: Vec::new(),
            timers: BTreeMap::new(),
            offered: Vec::new(),
            turns: 0,
            starts: 0,
            messages: 0,
            referrals: Arc::default(),
            handed_at: 0,
        }
    }
}

impl Conversation {
    pub fn context(&self) -> Context {
        Context {
            now: self.now,
            seed: self.seed.wrapping_add(self.turns),
            tenant_id: self.tenant_id,
            tenant_name: self.tenant_name.clone(),
            time_zone: self.time_zone.clone(),
            language: self.language.clone(),
            contact: self.contact.clone(),
            sender: "test".into(),
            window_open_until: self.window_open_until,
            turn: self.turns + 1,
            brain_version: "test".into(),
            lead: self.lead.clone(),
        }
    }

    /// Tenant and contact speak this language: not every gateway knows the contact's own.
    pub fn speak(&mut self, language: &str) {
        self.language = language.to_owned();
        self.contact.language = Some(language.to_owned());
    }

    /// The contact opens the deep link, with `text` written after it.
    pub fn start(
        &mut self,
        subject: &mut dyn Subject,
        attribution: Option<&str>,
        text: &str,
    ) -> Result<Vec<Action>, Fault> {
        let link = attribution.map_or_else(String::new, |attribution| format!("-{attribution}"));
        let text = format!("start_realty_{}{link} {text}", self.tenant_id);
        let message = self.hear(Content::from_text(text.trim_end()));
        if self.mode == Mode::Human {
            return Ok(Vec::new());
        }
        self.starts += 1;
        let attribution = attribution.map(str::to_owned);
        self.turn(subject, Trigger::Started { first: self.starts == 1, attribution, message })
    }

    /// The contact sends these, close together.
    pub fn receive(
        &mut self,
        subject: &mut dyn Subject,
        contents: impl IntoIterator<Item = Content>,
    ) -> Result<Vec<Action>, Fault> {
        let messages: Vec<Message> = contents.into_iter().map(|content| self.hear(content)).collect();
        if self.mode == Mode::Human {
            return Ok(Vec::new());
        }
        self.turn(subject, Trigger::Messages { messages })
    }

    /// Time passes; timers that become due run at their time, in order.
    pub fn pass(&mut self, subject: &mut dyn Subject, span: Span) -> Result<Vec<Action>, Fault> {
        let until = self.now + span;
        let mut actions = self.due(subject, until)?;
        self.now = until;
        actions.extend(self.due(subject, until)?);
        Ok(actions)
    }

    fn due(&mut self, subject: &mut dyn Subject, until: Timestamp) -> Result<Vec<Action>, Fault> {
        let mut actions = Vec::new();
        // A brain that sets a timer in the past from a timer must not hold a test for ever.
        for _ in 0..1_000 {
            let next = self.timers.iter().map(|(key, (at, _))| (*at, key.clone())).min();
            let Some((at, key)) = next.filter(|(at, _)| *at <= until && self.mode != Mode::Human) else {
                return Ok(actions);
            };
            let Some((_, payload)) = self.timers.remove(&key) else { return Ok(actions) };
            self.now = self.now.max(at);
            actions.extend(self.turn(subject, Trigger::Timer { key, payload })?);
        }
        Err(Fault::new("timers", "1000 timers became due at once: does a timer set itself again?"))
    }

    /// A human writes to the contact.
    pub fn human_says(&mut self, text: &str) {
        self.note(Author::Human, Content::from_text(text));
    }

    /// The human gives the conversation back; timers that waited meanwhile run after it.
    pub fn hand_back(&mut self, subject: &mut dyn Subject) -> Result<Vec<Action>, Fault> {
        let said = self.history.get(self.handed_at..).unwrap_or_default().to_vec();
        self.mode = Mode::Bot;
        self.hand_off = None;
        let mut actions = self.turn(subject, Trigger::Handback { said })?;
        actions.extend(self.due(subject, self.now)?);
        Ok(actions)
    }

    /// What may be chosen by this id, title or number.
    pub fn offer(&self, which: &str) -> Option<Choice> {
        let same = |text: &str| text.trim().to_lowercase() == which.trim().to_lowercase();
        let by_name = self.offered.iter().find(|choice| choice.id == which || same(&choice.title));
        let by_number = || which.parse::<usize>().ok().and_then(|n| self.offered.get(n.checked_sub(1)?));
        by_name.or_else(by_number).cloned()
    }

    pub fn offered(&self) -> &[Choice] {
        &self.offered
    }

    pub fn timer(&self, key: &str) -> Option<Timestamp> {
        self.timers.get(key).map(|(at, _)| *at)
    }

    pub fn history(&self) -> &[HistoryEntry] {
        &self.history
    }

    /// Lays a value over the personality at a dotted path.
    pub fn set_personality(&mut self, path: &str, value: Value) {
        let mut place = Arc::make_mut(&mut self.personality);
        for key in path.split('.') {
            if !place.is_object() {
                *place = Value::Object(serde_json::Map::new());
            }
            place = &mut place[key];
        }
        *place = value;
    }

    /// Runs one turn and does what it asks for. A fault changes nothing.
    pub fn turn(&mut self, subject: &mut dyn Subject, trigger: Trigger) -> Result<Vec<Action>, Fault> {
        let ask = Ask {
            trigger,
            context: self.context(),
            memory: self.memory.clone(),
            history: self.history.clone(),
            personality: Arc::clone(&self.personality),
            collections: Arc::clone(&self.collections),
            labels: Arc::clone(&self.labels),
            referrals: Arc::clone(&self.referrals),
            files: Arc::clone(&self.files),
        };
        let answer = subject.turn(&ask)?;
        self.turns += 1;
        self.mode = Mode::Bot;
        if answer.memory.is_some() {
            self.memory = answer.memory;
        }
        for action in &answer.actions {
            self.apply(action);
        }
        Ok(answer.actions)
    }

    fn apply(&mut self, action: &Action) {
        match action {
            Action::Send(outgoing) => {
                let choices = outgoing.content.choices();
                if !choices.is_empty() {
                    self.offered = choices;
                }
                self.note(Author::Brain, as_said(&outgoing.content));
            }
            Action::Schedule(schedule) => {
                self.timers.insert(schedule.key.clone(), (schedule.at, schedule.payload.clone()));
            }
            Action::Cancel { key } => {
                self.timers.remove(key);
            }
            Action::UpdateLead(update) => {
                let lead = self.lead.get_or_insert_default();
                if let Some(stage) = &update.stage {
                    lead.stage.clone_from(stage);
                }
                for (field, value) in &update.fields {
                    match value {
                        Value::Null => lead.fields.remove(field),
                        value => lead.fields.insert(field.clone(), value.clone()),
                    };
                }
            }
            Action::HandOff { reason } => {
                self.mode = Mode::Human;
                self.hand_off = Some(reason.clone());
                self.handed_at = self.history.len();
            }
            Action::EndConversation => self.mode = Mode::Ended,
        }
    }

    fn hear(&mut self, content: Content) -> Message {
        self.messages += 1;
        self.note(Author::Contact, content.clone());
        let id = format!("m{}", self.messages);
        if let Some(referral) = self.led_by.take() {
            Arc::make_mut(&mut self.referrals).insert(id.clone(), referral);
        }
        Message { id, sent_at: self.now, content, quoted: None }
    }

    fn note(&mut self, author: Author, content: Content) {
        self.history.push(HistoryEntry { at: self.now, author, content });
    }
}

/// The history has one shape for what was heard and what was said.
fn as_said(content: &OutgoingContent) -> Content {
    match content {
        OutgoingContent::Media(media) => Content::Media(Media {
            kind: media.kind,
            handle: media.source.clone(),
            mime_type: None,
            filename: media.filename.clone(),
            caption: media.caption.clone(),
            size: None,
        }),
        OutgoingContent::Location(location) => Content::Location(location.clone()),
        OutgoingContent::Contacts { contacts } => Content::Contacts { contacts: contacts.clone() },
        OutgoingContent::Reaction(reaction) => Content::Reaction(reaction.clone()),
        other => Content::from_text(other.body()),
    }
}
