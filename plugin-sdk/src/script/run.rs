//! Plays a script against a brain, and checks what it says.

use serde_json::Value;

use super::Problem;
use super::parse::{Expect, Script, Step};
use crate::action::{Action, OutgoingContent};
use crate::conversation::{Conversation, Mode, Subject};
use crate::fault::Fault;
use crate::message::{Content, MediaKind};
use crate::package::Package;
use crate::replies::{contains, messages, plain, said};
use crate::zone::Zone;

/// Stops at the first line that does not hold.
pub(super) fn run(script: &Script, package: &Package, subject: &mut dyn Subject) -> Result<(), Problem> {
    let first = script.steps.first().map_or(0, |(line, _)| *line);
    let problem = |line: usize| move |message: String| Problem { line, message };
    let mut stage =
        Stage { conversation: set_up(script, package).map_err(problem(first))?, last: Ok(Vec::new()), at: 0 };
    let mut asked = first;
    for (line, step) in &script.steps {
        if let Step::Expect(expect) = step {
            stage.check(expect).map_err(problem(*line))?;
        } else {
            // A fault that the line after it did not expect belongs to the line that caused it.
            stage.settled().map_err(problem(asked))?;
            asked = *line;
            stage.play(step, script, subject).map_err(problem(*line))?;
        }
    }
    stage.settled().map_err(problem(asked))
}

fn set_up(script: &Script, package: &Package) -> Result<Conversation, String> {
    let settings = &script.settings;
    let mut conversation = package.conversation();
    if let Some(zone) = &settings.zone {
        conversation.time_zone.clone_from(zone);
    }
    if let Some(tenant) = &settings.tenant {
        conversation.tenant_name.clone_from(tenant);
    }
    let zone = Zone::named(&conversation.time_zone).map_err(|fault| fault.message)?;
    match settings.instant(&zone) {
        Some(Some(now)) => conversation.now = now,
        Some(None) => return Err(format!("the clocks of {} skip this time", conversation.time_zone)),
        None => {}
    }
    if let Some(language) = &settings.language {
        conversation.speak(language);
    }
    if settings.name.is_some() {
        conversation.contact.display_name.clone_from(&settings.name);
    }
    conversation.memory.clone_from(&settings.memory);
    for (path, value) in &settings.personality {
        conversation.set_personality(path, value.clone());
    }
    Ok(conversation)
}

struct Stage {
    conversation: Conversation,
    /// What the last step came to.
    last: Result<Vec<Action>, Fault>,
    /// The message that the last `bot:` line matched: the next is looked for from here on.
    at: usize,
}

impl Stage {
    fn play(&mut self, step: &Step, script: &Script, subject: &mut dyn Subject) -> Result<(), String> {
        let conversation = &mut self.conversation;
        if let (Some(window), Step::Start { .. } | Step::Say(_) | Step::Choose(_)) =
            (script.settings.window, step)
        {
            conversation.window_open_until = Some(conversation.now + window);
        }
        self.at = 0;
        self.last = match step {
            Step::Start { attribution, text } => conversation.start(subject, attribution.as_deref(), text),
            Step::Say(contents) => conversation.receive(subject, contents.clone()),
            Step::Choose(which) => match conversation.offer(which) {
                Some(choice) => conversation.receive(subject, [Content::Choice(choice)]),
                None => {
                    let titles: Vec<&str> =
                        conversation.offered().iter().map(|choice| choice.title.as_str()).collect();
                    return Err(format!("`{which}` is not offered; offered is {}", titles.join(" | ")));
                }
            },
            Step::After(span) => conversation.pass(subject, *span),
            Step::Human(text) => {
                conversation.human_says(text);
                Ok(Vec::new())
            }
            Step::HandBack => conversation.hand_back(subject),
            Step::Expect(_) => return Ok(()),
        };
        Ok(())
    }

    fn settled(&self) -> Result<(), String> {
        self.last.as_ref().map(|_| ()).map_err(|fault| format!("the turn failed: {fault}"))
    }

    fn check(&mut self, expect: &Expect) -> Result<(), String> {
        if let Expect::Fault(code) = expect {
            return match std::mem::replace(&mut self.last, Ok(Vec::new())) {
                Err(fault) if fault.code == *code => Ok(()),
                Err(fault) => Err(format!("expected the fault `{code}`, it was {fault}")),
                Ok(actions) => Err(format!("expected the fault `{code}`;{}", said(&actions))),
            };
        }
        let actions = self.last.as_ref().map_err(|fault| format!("the turn failed: {fault}"))?;
        let failed = |expected: String| Err(format!("expected {expected};{}", said(actions)));
        let says = |matches: &dyn Fn(&str) -> bool| {
            let mut messages = messages(actions).enumerate().skip(self.at);
            messages.find(|(_, content)| matches(content.body())).map(|(at, _)| at)
        };
        match expect {
            Expect::Says(text) => match says(&|body| contains(body, text)) {
                Some(at) => self.at = at,
                None => return failed(format!("the bot to say {text:?}")),
            },
            Expect::SaysExactly(text) => match says(&|body| body == text) {
                Some(at) => self.at = at,
                None => return failed(format!("the bot to say exactly {text:?}")),
            },
            Expect::NeverSays(text) => {
                if messages(actions).any(|content| contains(content.body(), text)) {
                    return failed(format!("the bot not to say {text:?}"));
                }
            }
            Expect::Offers(titles) => {
                let offered = offered(actions);
                if !titles.iter().all(|title| offered.contains(&plain(title))) {
                    return failed(format!("the choices {}", titles.join(" | ")));
                }
            }
            Expect::OffersExactly(titles) => {
                if !offered(actions).iter().eq(&titles.iter().map(|title| plain(title)).collect::<Vec<_>>()) {
                    return failed(format!("exactly the choices {}", titles.join(" | ")));
                }
            }
            Expect::Sends(kind, caption) => {
                let found = messages(actions)
                    .any(|content| kind_of(content) == kind && contains(content.body(), caption));
                if !found {
                    return failed(format!("a message of kind {kind} with {caption:?}"));
                }
            }
            Expect::Silence => {
                if messages(actions).next().is_some() {
                    return failed("the bot to say nothing".into());
                }
            }
            other => return self.check_state(other),
        }
        Ok(())
    }

    /// What lasts between turns.
    fn check_state(&self, expect: &Expect) -> Result<(), String> {
        let conversation = &self.conversation;
        let lead = conversation.lead.as_ref();
        let held = match expect {
            Expect::LeadStage(stage) => {
                let found = lead.map(|lead| lead.stage.as_str()).unwrap_or_default();
                if found == stage {
                    Ok(())
                } else {
                    Err(format!("the lead's stage is {found:?}, not {stage:?}"))
                }
            }
            Expect::Lead(field, value) => {
                let found = lead.and_then(|lead| lead.fields.get(field)).unwrap_or(&Value::Null);
                if same(found, value) {
                    Ok(())
                } else {
                    Err(format!("the lead's {field} is {found}, not {value}"))
                }
            }
            Expect::Timer(key) if conversation.timer(key).is_none() => {
                Err(format!("no timer `{key}` is set"))
            }
            Expect::NoTimer(key) => match conversation.timer(key) {
                Some(at) => Err(format!("the timer `{key}` is set for {at}")),
                None => Ok(()),
            },
            Expect::HandOff(reason) => match (&conversation.mode, &conversation.hand_off) {
                (Mode::Human, Some(why)) if contains(why, reason) => Ok(()),
                (Mode::Human, why) => Err(format!("handed to a human because of {why:?}, not {reason:?}")),
                _ => Err("the conversation is not handed to a human".into()),
            },
            Expect::Ended if conversation.mode != Mode::Ended => Err("the conversation is not ended".into()),
            _ => Ok(()),
        };
        held.map_err(|message| match &self.last {
            Ok(actions) => format!("{message};{}", said(actions)),
            Err(_) => message,
        })
    }
}

/// The titles of the last message that offers something.
fn offered(actions: &[Action]) -> Vec<String> {
    let choices = messages(actions).map(OutgoingContent::choices).rfind(|choices| !choices.is_empty());
    choices.unwrap_or_default().iter().map(|choice| plain(&choice.title)).collect()
}

/// `2` and `2.0` are the same, `Villa` and `villa` too; a script is written by hand.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::String(a), Value::String(b)) => plain(a) == plain(b),
        // A text that looks like a number was read as one.
        (Value::String(a), Value::Number(b)) => *a == b.to_string(),
        _ => a == b,
    }
}

fn kind_of(content: &OutgoingContent) -> &'static str {
    match content {
        OutgoingContent::Text { .. } => "text",
        OutgoingContent::Media(media) => match media.kind {
            MediaKind::Image => "image",
            MediaKind::Video => "video",
            MediaKind::Audio => "audio",
            MediaKind::Voice => "voice",
            MediaKind::Document => "document",
            MediaKind::Sticker => "sticker",
        },
        OutgoingContent::Buttons(_) => "buttons",
        OutgoingContent::List(_) => "list",
        OutgoingContent::Location(_) => "location",
        OutgoingContent::Contacts { .. } => "contacts",
        OutgoingContent::Template(_) => "template",
        OutgoingContent::Reaction(_) => "reaction",
    }
}
