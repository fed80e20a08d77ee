//! A number typed in answer to a menu that went out as text is the choice that it stands for. The
//! brain and its journal see the choice; the history keeps what was typed.

use crate::channel::{self, fallback};
use crate::conversation::{Heard, Line, Trigger};
use crate::message::{Content, OutboundContent};
use crate::offer;
use crate::store::TurnClaim;
use crate::store::pages::Pages;
use crate::tenant::Sender;

/// Puts the choice in the place of a text that makes one. Only a message that is alone in its turn:
/// of several it is not clear which of them answers.
pub async fn choose(store: &dyn Pages, sender: &Sender, claim: &mut TurnClaim) {
    let Trigger::Messages { messages } = &mut claim.trigger else { return };
    let [Heard { content, .. }] = messages.as_mut_slice() else { return };
    let Content::Text { text } = &*content else { return };
    // A longer text costs no look into the history.
    if text.len() > offer::LONGEST {
        return;
    }
    let adapter = channel::adapter(sender.provider());
    let offered = |said: &OutboundContent| match adapter.shows(said) {
        true => Vec::new(),
        false => fallback::options(said),
    };
    // Mostly one reply was said since the contact last spoke: two lines tell.
    for lines in [2, offer::LINES] {
        let history: Vec<_> = match store.history(&claim.key, None, lines).await {
            Ok(history) => history.into_iter().map(|(_, entry)| entry).collect(),
            Err(error) => {
                tracing::warn!(conversation = %claim.key, %error, "the history cannot be read; what was typed stays text");
                return;
            }
        };
        if let Some(choice) = offer::chosen(text, &history, offered) {
            *content = Content::Choice(choice);
            return;
        }
        let whole = history.len() < lines || history.iter().any(|entry| matches!(entry.line, Line::Heard(_)));
        if whole {
            return;
        }
    }
}
