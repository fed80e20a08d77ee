//! What a turn comes to: actions in the order they were called, and the memory from now on. Nothing
//! happens until the turn ends well.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::action::{
    Action, Buttons, LeadUpdate, ListMenu, Outgoing, OutgoingContent, OutgoingMedia, Schedule, Template,
};
use crate::fault::Fault;
use crate::limits;
use crate::message::{Choice, ContactCard, Location, MediaKind, Reaction};
use crate::time::Timestamp;

/// Collects what the brain wants done.
#[derive(Debug, Default)]
pub struct Reply {
    actions: Vec<Action>,
    memory: Option<String>,
    quote: Option<String>,
    uncut: bool,
}

impl Reply {
    pub fn new() -> Self {
        Reply::default()
    }

    /// At most 4096 characters. A text that is empty, as a tenant may have made it, is not sent.
    pub fn text(&mut self, text: impl Into<String>) -> &mut Self {
        let text = text.into();
        if text.trim().is_empty() { self } else { self.send(OutgoingContent::Text { text }) }
    }

    /// At most 3, each an id and a title of at most 20 characters.
    pub fn buttons<I, T>(
        &mut self,
        body: impl Into<String>,
        buttons: impl IntoIterator<Item = (I, T)>,
    ) -> &mut Self
    where
        I: Into<String>,
        T: Into<String>,
    {
        let buttons = buttons.into_iter().map(|(id, title)| Choice::new(id, title)).collect();
        self.send(OutgoingContent::Buttons(Buttons { body: body.into(), footer: None, buttons }))
    }

    pub fn list(&mut self, list: ListMenu) -> &mut Self {
        self.send(OutgoingContent::List(list))
    }

    /// By its `https` address, or the handle of a received file.
    pub fn image(&mut self, source: impl Into<String>, caption: impl Into<String>) -> &mut Self {
        let caption = Some(caption.into()).filter(|caption| !caption.is_empty());
        self.media(OutgoingMedia { kind: MediaKind::Image, source: source.into(), caption, filename: None })
    }

    pub fn media(&mut self, media: OutgoingMedia) -> &mut Self {
        self.send(OutgoingContent::Media(media))
    }

    /// Degrees, WGS 84.
    pub fn location(&mut self, latitude: f64, longitude: f64, name: impl Into<String>) -> &mut Self {
        let name = Some(name.into()).filter(|name| !name.is_empty());
        self.send(OutgoingContent::Location(Location { latitude, longitude, name, address: None }))
    }

    /// Somebody's card, to be saved or written to.
    pub fn contact(&mut self, card: ContactCard) -> &mut Self {
        self.contacts([card])
    }

    /// Several in one message, at most 5.
    pub fn contacts(&mut self, cards: impl IntoIterator<Item = ContactCard>) -> &mut Self {
        self.send(OutgoingContent::Contacts { contacts: cards.into_iter().collect() })
    }

    pub fn template(&mut self, template: Template) -> &mut Self {
        self.send(OutgoingContent::Template(template))
    }

    /// Puts an emoji on a message of the contact.
    pub fn react(&mut self, message_id: impl Into<String>, emoji: impl Into<String>) -> &mut Self {
        let reaction = Reaction { message_id: message_id.into(), emoji: emoji.into() };
        self.send(OutgoingContent::Reaction(reaction))
    }

    /// The next message sent quotes this one.
    pub fn quote(&mut self, message_id: impl Into<String>) -> &mut Self {
        self.quote = Some(message_id.into());
        self
    }

    pub fn send(&mut self, content: OutgoingContent) -> &mut Self {
        let reply_to = self.quote.take();
        self.actions.push(Action::Send(Outgoing { content, reply_to }));
        self
    }

    /// Runs a turn at that time with this key and payload; one timer per key, setting it again
    /// replaces it.
    pub fn schedule(
        &mut self,
        key: impl Into<String>,
        at: Timestamp,
        payload: &impl Serialize,
    ) -> Result<&mut Self, Fault> {
        let payload = serde_json::to_string(payload)?;
        self.actions.push(Action::Schedule(Schedule { key: key.into(), at, payload }));
        Ok(self)
    }

    /// Forgets the timer with this key, if there is one.
    pub fn cancel(&mut self, key: impl Into<String>) -> &mut Self {
        self.actions.push(Action::Cancel { key: key.into() });
        self
    }

    /// Moves the contact's lead to this stage.
    pub fn lead_stage(&mut self, stage: impl Into<String>) -> &mut Self {
        self.lead_update().stage = Some(stage.into());
        self
    }

    /// Sets a field of the lead; null takes it away.
    pub fn lead_field(&mut self, field: impl Into<String>, value: impl Into<Value>) -> &mut Self {
        self.lead_update().fields.insert(field.into(), value.into());
        self
    }

    /// One update a turn: what is said of the lead is gathered in it.
    fn lead_update(&mut self) -> &mut LeadUpdate {
        let place = self.actions.iter().position(|action| matches!(action, Action::UpdateLead(_)));
        let place = place.unwrap_or_else(|| {
            self.actions.push(Action::UpdateLead(LeadUpdate { stage: None, fields: Map::new() }));
            self.actions.len() - 1
        });
        match &mut self.actions[place] {
            Action::UpdateLead(update) => update,
            _ => unreachable!("the place was found by its kind"),
        }
    }

    /// Hands the conversation to a human, and says why. The brain is not asked again until it is
    /// given back.
    pub fn hand_off(&mut self, reason: impl Into<String>) -> &mut Self {
        self.actions.push(Action::HandOff { reason: reason.into() });
        self
    }

    pub fn end(&mut self) -> &mut Self {
        self.actions.push(Action::EndConversation);
        self
    }

    /// The conversation's memory from now on. A turn that does not call this keeps the old one.
    pub fn remember(&mut self, memory: &impl Serialize) -> Result<&mut Self, Fault> {
        self.memory = Some(serde_json::to_string(memory)?);
        Ok(self)
    }

    /// The next turn starts with nothing remembered.
    pub fn forget(&mut self) -> &mut Self {
        self.memory = Some("null".into());
        self
    }

    /// The memory as raw text, for brains that keep something of their own making.
    pub fn remember_raw(&mut self, memory: impl Into<String>) -> &mut Self {
        self.memory = Some(memory.into());
        self
    }

    /// Leaves what is longer than WhatsApp shows as it is, for a channel that shows more. The gateway
    /// has limits of its own.
    pub fn uncut(&mut self) -> &mut Self {
        self.uncut = true;
        self
    }

    pub fn actions(&self) -> &[Action] {
        &self.actions
    }

    /// The actions as WhatsApp can show them, the memory, and a line for each thing that was cut.
    pub(crate) fn finish(mut self) -> (Vec<Action>, Option<String>, Vec<String>) {
        let cuts = if self.uncut { Vec::new() } else { limits::clip(&mut self.actions) };
        (self.actions, self.memory, cuts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_the_lead_is_one_update() {
        let mut reply = Reply::new();
        reply.lead_stage("new").text("hello").lead_field("budget", 5).lead_stage("warm");
        let (actions, memory, cuts) = reply.finish();
        assert_eq!(cuts, Vec::<String>::new());
        assert_eq!(actions.len(), 2);
        let Action::UpdateLead(update) = &actions[0] else { panic!("{actions:?}") };
        assert_eq!(update.stage.as_deref(), Some("warm"));
        assert_eq!(update.fields["budget"], 5);
        assert_eq!(memory, None);
    }

    #[test]
    fn a_quote_holds_for_one_message() {
        let mut reply = Reply::new();
        reply.quote("m1").text("one").text("two");
        let quotes: Vec<_> = reply
            .actions()
            .iter()
            .map(|action| match action {
                Action::Send(outgoing) => outgoing.reply_to.as_deref(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(quotes, [Some("m1"), None]);
    }
}
