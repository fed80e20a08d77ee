//! `GET /api/messages/{message}`: the whole way of one message, by any name of it or of a reply to it. A tenant
//! follows its own.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde_json::{Map, Value, json};

use crate::api::App;
use crate::api::auth::Caller;
use crate::api::error::{Error, Result};
use crate::api::request::Params;
use crate::api::scoped::repeated;
use crate::message::SenderName;
use crate::store::ways::{Found, Message, Reply, State as Stands, Turn, Way};
use crate::tenant::Directory;

pub async fn show(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Params(name): Params<String>,
) -> Result<Json<Value>> {
    let found = app.store.way(&name, caller.confined_to()).await?.ok_or_else(|| unknown(&name))?;
    let directory = app.store.directory();
    Ok(Json(match found {
        Found::Way(way) => shown(&way, &directory),
        Found::LeftAlone { sender, reason } => json!({
            "message": with_sender(&directory, &sender, json!({"state": "left_alone", "error": reason.to_string()})),
            "tenant": null, "contact": null, "turns": [], "replies": [],
        }),
    }))
}

fn unknown(name: &str) -> Error {
    Error::not_found(
        format!("there is no message {}", repeated(name)),
        "name it by `msg` in the log, by an id of `switchboard turns list` or `outbox list`, or by the provider's \
         id; what is older than [retention] says is known no more",
    )
}

fn shown(way: &Way, directory: &Directory) -> Value {
    let turns = way.message.iter().flat_map(|message| &message.turns);
    json!({
        "message": way.message.as_ref().map(|message| message_of(message, directory)),
        "tenant": way.tenant,
        "contact": way.contact,
        "turns": turns.map(turn_of).collect::<Vec<_>>(),
        "replies": way.replies.iter().map(reply_of).collect::<Vec<_>>(),
    })
}

fn message_of(message: &Message, directory: &Directory) -> Value {
    let due_at = match message.state {
        Stands::Waiting { due_at } => Some(due_at.to_string()),
        Stands::Answered | Stands::Dead | Stands::PutDown => None,
    };
    let value = json!({
        "number": message.number,
        "state": message.state.name(),
        "received_at": message.received_at.to_string(),
        "provider_id": message.heard.as_ref().map(|(id, _)| id),
        "sent_at": message.heard.as_ref().map(|(_, at)| at.to_string()),
        "via": message.via.name(),
        "failures": message.failures,
        "error": message.error,
        "due_at": due_at,
        "dealt_at": message.dealt_at.map(|at| at.to_string()),
        "together_with": message.together_with,
    });
    with_sender(directory, &message.sender, value)
}

fn with_sender(directory: &Directory, name: &SenderName, mut value: Value) -> Value {
    let sender = directory.senders.get(name);
    value["sender"] = json!(name);
    value["provider"] = json!(sender.map(|sender| sender.provider()));
    value["account"] = json!(sender.map(|sender| sender.account.as_str()));
    value
}

fn turn_of(turn: &Turn) -> Value {
    json!({
        "number": turn.number,
        "at": turn.at.to_string(),
        "brain": turn.brain_version,
        "took_us": turn.cost.wall_time_us,
        "fuel": turn.cost.fuel,
        "error": turn.fault,
    })
}

fn reply_of(reply: &Reply) -> Value {
    let reached: Map<String, Value> =
        reply.reached.iter().map(|(state, at)| ((*state).to_owned(), json!(at.to_string()))).collect();
    json!({
        "id": reply.id,
        "state": reply.state,
        "author": reply.author,
        "created_at": reply.created_at.to_string(),
        "attempts": reply.attempts,
        "due_at": reply.due_at.map(|at| at.to_string()),
        "sender": reply.sender,
        "error": reply.error,
        "provider_id": reply.provider_id,
        "reached": reached,
    })
}
