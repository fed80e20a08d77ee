//! May this reply go out, to this contact, now? Pure: facts and the time in, a verdict out; whoever
//! asks carries it out.
//!
//! - A contact that opted out hears nothing more, but for the gateway's one word that it will not.
//! - [`quiet`]: what nobody waits for waits for the morning.
//! - [`window`]: 24 hours after the contact's last message only approved templates go out.
//! - [`rate`]: how fast a tenant, a sender, and a sender to one contact may write.
//! - [`circuit`]: how many requests may be under way to whoever answers them, or does not.
//! - [`breaker`]: when two machines talk to each other, a human is asked to look.
//! - [`quota`]: what a tenant used lately, and whether there is any left.

use jiff::tz::TimeZone;

use crate::conversation::{Author, Occasion};
use crate::message::{OutboundContent, Template, Timestamp};
use crate::tenant::policy::Policy;

use quiet::Hours;

pub mod breaker;
pub mod circuit;
pub mod quiet;
pub mod quota;
pub mod rate;
pub mod recent;
pub mod window;

/// A reply that wants to go out.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'a> {
    pub content: &'a OutboundContent,
    pub author: Author,
    pub occasion: Occasion,
}

/// What is known of the contact it goes to, in this conversation.
#[derive(Clone, Copy, Debug)]
pub struct Contact<'a> {
    pub opted_out: Option<OptedOut<'a>>,
    /// When it last wrote; [`Timestamp::ZERO`]: never.
    pub heard_at: Timestamp,
}

#[derive(Clone, Copy, Debug)]
pub struct OptedOut<'a> {
    pub since: Timestamp,
    pub reason: &'a str,
    /// Is this reply the one that tells the contact so?
    pub confirmed_by_this: bool,
}

/// What the sender's provider and the tenant say.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// [`crate::message::Provider::window_ms`].
    pub window_ms: Option<i64>,
    pub policy: &'a Policy,
    /// The tenant's; only looked at where it has quiet hours.
    pub zone: &'a TimeZone,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    Send,
    /// This, in its place.
    Instead(Template),
    Later {
        at: Timestamp,
        why: String,
    },
    Never {
        why: String,
    },
}

/// The rates are not part of it: they count what goes out, and this decides what does.
pub fn decide(reply: &Reply<'_>, contact: &Contact<'_>, rules: &Rules<'_>, now: Timestamp) -> Verdict {
    if let Some(opted_out) = &contact.opted_out
        && !opted_out.confirmed_by_this
    {
        return Verdict::Never {
            why: format!(
                "the contact wants no more messages since {} ({}); it hears from this tenant again when it \
                 asks to, until then this can only be dropped",
                opted_out.since, opted_out.reason
            ),
        };
    }
    if reply.author == Author::Brain
        && reply.occasion != Occasion::Answer
        && let Some(hours) = rules.policy.quiet_hours.as_ref().and_then(|hours| Hours::parse(hours).ok())
        && let Some(at) = hours.end(rules.zone, now)
    {
        return Verdict::Later {
            at,
            why: format!("quiet hours of the tenant ({hours}); it goes out at {at}"),
        };
    }
    let template = matches!(reply.content, OutboundContent::Template(_));
    if template || window::is_open(rules.window_ms, contact.heard_at, now) {
        return Verdict::Send;
    }
    match window::instead(reply.content, rules.policy.fallback_template.as_ref()) {
        Ok(template) => Verdict::Instead(template),
        Err(why) => Verdict::Never { why },
    }
}

#[cfg(test)]
mod tests;
