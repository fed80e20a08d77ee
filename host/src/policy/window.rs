//! The 24-hour window of WhatsApp's business platform, and what goes out when it is closed.

use crate::message::{OutboundContent, Template, TemplateParameter, Timestamp};
use crate::tenant::policy::FallbackTemplate;
use crate::whatsapp_limits::template::PARAMETER;

/// May anything go out, or templates only? `window_ms`: `None` where the provider has no window.
/// `heard_at`: when the contact last wrote; [`Timestamp::ZERO`]: never.
pub fn is_open(window_ms: Option<i64>, heard_at: Timestamp, now: Timestamp) -> bool {
    match window_ms {
        None => true,
        Some(_) if heard_at == Timestamp::ZERO => false,
        Some(window_ms) => now < heard_at.plus_ms(window_ms),
    }
}

/// The tenant's fallback template in place of this content; else why there is none, and what to do.
pub fn instead(content: &OutboundContent, fallback: Option<&FallbackTemplate>) -> Result<Template, String> {
    const CLOSED: &str = "the contact last wrote more than 24 hours ago, so that only an approved template \
                          may go out";
    let Some(fallback) = fallback else {
        return Err(format!(
            "{CLOSED}; set [tenant.policy.fallback_template], let the brain send a template, or retry this \
             once the contact has written"
        ));
    };
    let words = words(content);
    let parameters = match (&fallback.parameter, words) {
        (_, None) => {
            return Err(format!(
                "{CLOSED}, and a reaction has no place in one; nothing is lost by dropping it"
            ));
        }
        (None, Some(_)) => Vec::new(),
        (Some(name), Some(words)) => {
            let value = one_line(words);
            if value.is_empty() {
                return Err(format!(
                    "{CLOSED}, and this has no words to put into {} of the fallback template {}",
                    name, fallback.name
                ));
            }
            vec![TemplateParameter { name: name.clone(), value }]
        }
    };
    Ok(Template { name: fallback.name.clone(), language: fallback.language.clone(), parameters })
}

/// What is said in words; `None` for what is no message of its own.
fn words(content: &OutboundContent) -> Option<&str> {
    Some(match content {
        OutboundContent::Text { text } => text,
        OutboundContent::Media(media) => media.caption.as_deref().unwrap_or_default(),
        OutboundContent::Buttons(buttons) => &buttons.body,
        OutboundContent::List(list) => &list.body,
        OutboundContent::Location(location) => {
            location.name.as_deref().or(location.address.as_deref()).unwrap_or_default()
        }
        OutboundContent::Contacts { contacts } => contacts.first().map(|card| card.name.as_str())?,
        OutboundContent::Template(_) | OutboundContent::Reaction(_) => return None,
    })
}

/// As a parameter must be: no line breaks, no tabs, no runs of spaces, not too long.
fn one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= PARAMETER {
        return line;
    }
    let mut cut: String = line.chars().take(PARAMETER - 1).collect();
    cut.push('…');
    cut
}
