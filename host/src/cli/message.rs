//! `switchboard message`: one message from the webhook to the last receipt.

use clap::Subcommand;
use serde_json::Value;

use crate::cli::client::{Client, part};
use crate::cli::tenant::items;
use crate::cli::{Result, screen};
use crate::way;

pub const EXAMPLES: &str = "Examples:
  switchboard message show 1042                     as the log's lines name it: msg=1042
  switchboard message show 2-971501234567-1042      as `turns list` and `outbox list` name it
  switchboard message show wamid.HBgLOTcxNTA        by the provider's id, of a message or of a reply to it

Whoever wrote it, when it came in and by which number, whose it is and why, which turn answered it and how long
that took, and what became of each reply.";

#[derive(Subcommand)]
pub enum Message {
    /// The whole way of a message, by any name of it or of a reply to it.
    Show { id: String },
}

impl Message {
    pub async fn run(self, client: &Client, json: bool) -> Result<()> {
        let Message::Show { id } = self;
        let way = client.get(&format!("/api/messages/{}", part(&id))).await?;
        if json {
            return screen::json(&way);
        }
        told(&way).iter().try_for_each(|line| screen::line(line))
    }
}

/// Where no time is written down.
const UNTIMED: &str = "-";

/// A line a step, in order of time.
fn told(way: &Value) -> Vec<String> {
    let mut steps: Vec<(String, String)> = Vec::new();
    let mut say = |at: &Value, what: String| steps.push((screen::text(at), what));
    if !way["message"].is_null() {
        of_message(way, &mut say);
    }
    for turn in items(way, "turns") {
        let took = turn["took_us"].as_u64().unwrap_or_default() / 1000;
        let end = match turn["error"].as_str() {
            Some(error) => format!("failed: {}", screen::one_line(error)),
            None => "done".into(),
        };
        let (number, brain) = (screen::text(&turn["number"]), screen::text(&turn["brain"]));
        let brain = way::short(&brain);
        say(&turn["at"], format!("turn {number} by brain {brain}, {took} ms: {end}"));
    }
    for reply in items(way, "replies") {
        of_reply(reply, &mut say);
    }
    // What happened within one millisecond stays in the order in which it was said; what has no time comes last.
    steps.sort_by(|(one, _), (other, _)| {
        (one.starts_with(UNTIMED), one).cmp(&(other.starts_with(UNTIMED), other))
    });
    let mut lines = vec![heading(way)];
    lines.extend(steps.into_iter().map(|(at, what)| format!("  {at}  {what}")));
    lines.extend(to_do(way));
    lines
}

fn heading(way: &Value) -> String {
    let message = &way["message"];
    let whose = match &way["tenant"] {
        Value::Null => String::new(),
        tenant => format!(" of tenant {tenant}, contact {}", screen::text(&way["contact"])),
    };
    let (number, state) = (&message["number"], screen::text(&message["state"]).replace('_', " "));
    match (message.is_null(), number.is_null()) {
        (true, _) => format!("A reply{whose}, to no message that is known"),
        (false, true) => format!("A message: {state}"),
        (false, false) => format!("Message {number}{whose}: {state}"),
    }
}

fn of_message(way: &Value, say: &mut dyn FnMut(&Value, String)) {
    let message = &way["message"];
    let sender = format!(
        "{} ({} {})",
        screen::text(&message["sender"]),
        screen::text(&message["provider"]),
        screen::text(&message["account"])
    );
    if message["state"] == "left_alone" {
        return say(
            &Value::Null,
            format!("received by {sender}, left alone: {}", screen::text(&message["error"])),
        );
    }
    let name = match message["provider_id"].as_str() {
        Some(id) => format!("received as {} by {sender}", screen::one_line(id)),
        None => format!("came up inside, for {sender}"),
    };
    say(&message["received_at"], name);
    say(&message["received_at"], format!("routed to tenant {}: {}", way["tenant"], why(&message["via"])));
    if let Some(first) = message["together_with"].as_u64() {
        say(&message["received_at"], format!("made one turn with message {first}"));
    }
    match message["state"].as_str() {
        Some("waiting") => {
            let error = match message["error"].as_str() {
                Some(error) => {
                    format!(", after {} failures: {}", message["failures"], screen::one_line(error))
                }
                None => String::new(),
            };
            say(&message["due_at"], format!("its turn is due{error}"));
        }
        Some("put_down") => say(
            &message["dealt_at"],
            "put down without a turn: a human answers, or it was a word about messages such as `stop`".into(),
        ),
        _ => {}
    }
}

fn why(via: &Value) -> &'static str {
    match via.as_str() {
        Some("own_number") => "the number is its own",
        Some("lock") => "the contact was its already",
        Some("link") => "the message's link made the contact its",
        Some("address") => "the webhook's address names it",
        _ => "it is its conversation",
    }
}

fn of_reply(reply: &Value, say: &mut dyn FnMut(&Value, String)) {
    let id = screen::text(&reply["id"]);
    say(&reply["created_at"], format!("reply {id} by the {}", screen::text(&reply["author"])));
    for (state, at) in reply["reached"].as_object().into_iter().flatten() {
        let more = match (state.as_str(), reply["provider_id"].as_str()) {
            ("sent", Some(name)) => {
                format!(" as {}, attempt {}", screen::one_line(name), screen::text(&reply["attempts"]))
            }
            _ => String::new(),
        };
        say(at, format!("reply {id} {state}{more}"));
    }
    let error = match reply["error"].as_str() {
        Some(error) => format!(": {}", screen::one_line(error)),
        None => String::new(),
    };
    match reply["state"].as_str() {
        Some(state @ ("waiting" | "sending")) => {
            let attempts = screen::text(&reply["attempts"]);
            say(&reply["due_at"], format!("reply {id} {state}, {attempts} attempts so far{error}"));
        }
        Some(state @ ("dead" | "unknown")) => {
            say(&Value::Null, format!("reply {id} {state}{error}"));
        }
        Some("failed") if !error.is_empty() => say(&Value::Null, format!("reply {id} failed{error}")),
        _ => {}
    }
}

/// What is left to somebody.
fn to_do(way: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    let message = &way["message"];
    if message["state"] == "dead" {
        let turn = message["together_with"].as_u64().or(message["number"].as_u64()).unwrap_or_default();
        let (tenant, contact) = (&way["tenant"], screen::text(&way["contact"]));
        lines.push(format!("Once more: `switchboard turns retry {tenant}-{contact}-{turn}`"));
    }
    for reply in items(way, "replies") {
        if matches!(reply["state"].as_str(), Some("dead" | "unknown" | "failed")) {
            let id = screen::text(&reply["id"]);
            lines.push(format!(
                "Send it again, or let it be: `switchboard outbox retry {id}`, `outbox drop {id}`"
            ));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_way_is_told_in_order_of_time_with_what_is_left_to_do() {
        let way = json!({
            "message": {
                "number": 17, "state": "answered", "received_at": "2026-03-01T12:00:00.000Z", "sender": "main",
                "provider": "meta", "account": "1", "provider_id": "wamid.1", "via": "lock", "failures": 0,
                "error": null, "due_at": null, "dealt_at": "2026-03-01T12:00:00.020Z", "together_with": null,
            },
            "tenant": 2, "contact": "971501234567",
            "turns": [{"number": 3, "at": "2026-03-01T12:00:00.010Z", "brain": "v1", "took_us": 4200, "error": null}],
            "replies": [
                {"id": "2-971501234567-20", "state": "delivered", "author": "brain", "attempts": 1,
                 "created_at": "2026-03-01T12:00:00.020Z", "due_at": null, "error": null, "provider_id": "wamid.2",
                 "reached": {"sent": "2026-03-01T12:00:01.000Z", "delivered": "2026-03-01T12:00:03.000Z"}},
                {"id": "2-971501234567-21", "state": "dead", "author": "brain", "attempts": 5,
                 "created_at": "2026-03-01T12:00:00.020Z", "due_at": null, "error": "no\u{1b}[2J", "provider_id": null,
                 "reached": {}},
            ],
        });
        let expected = [
            "Message 17 of tenant 2, contact 971501234567: answered",
            "  2026-03-01T12:00:00.000Z  received as wamid.1 by main (meta 1)",
            "  2026-03-01T12:00:00.000Z  routed to tenant 2: the contact was its already",
            "  2026-03-01T12:00:00.010Z  turn 3 by brain v1, 4 ms: done",
            "  2026-03-01T12:00:00.020Z  reply 2-971501234567-20 by the brain",
            "  2026-03-01T12:00:00.020Z  reply 2-971501234567-21 by the brain",
            "  2026-03-01T12:00:01.000Z  reply 2-971501234567-20 sent as wamid.2, attempt 1",
            "  2026-03-01T12:00:03.000Z  reply 2-971501234567-20 delivered",
            "  -  reply 2-971501234567-21 dead: no\\u{1b}[2J",
            "Send it again, or let it be: `switchboard outbox retry 2-971501234567-21`, `outbox drop 2-971501234567-21`",
        ];
        assert_eq!(told(&way), expected);
    }
}
