//! The answer to a message that was sent. It differs by engine; the forms are those of the samples
//! `api_send_text_response_*`.

use serde_json::{Value, json};

use super::Sent;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// The id as text, serialized.
    Gows,
    /// The raw message: the id is bare, the chat in the raw form.
    Noweb,
    /// The id is an object.
    Webjs,
}

impl Engine {
    /// As WAHA calls it.
    pub fn name(self) -> &'static str {
        match self {
            Engine::Gows => "GOWS",
            Engine::Noweb => "NOWEB",
            Engine::Webjs => "WEBJS",
        }
    }
}

pub fn to(engine: Engine, sent: &Sent) -> Value {
    let (_, bare) = sent.id.rsplit_once('_').expect("ids are made with three parts");
    let raw_chat = sent.chat.replace("@c.us", "@s.whatsapp.net");
    match engine {
        Engine::Gows => json!({
            "id": sent.id,
            "_data": { "Info": { "ID": bare, "Chat": raw_chat, "IsFromMe": true } },
        }),
        Engine::Noweb => json!({
            "key": { "remoteJid": raw_chat, "fromMe": true, "id": bare },
            "message": { "extendedTextMessage": { "text": sent.text() } },
            "messageTimestamp": "1741250500",
            "status": "PENDING",
        }),
        Engine::Webjs => {
            let id = json!({ "fromMe": true, "remote": sent.chat, "id": bare, "_serialized": sent.id });
            json!({
                "_data": { "id": id.clone() },
                "id": id,
                "ack": 0,
                "hasMedia": false,
                "body": sent.text(),
                "type": "chat",
                "timestamp": 1_741_250_501,
                "from": "5511900000001@c.us",
                "to": sent.chat,
                "fromMe": true,
            })
        }
    }
}

/// A message of ours as its chat shows it.
pub fn recalled(sent: &Sent) -> Value {
    let seconds =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |now| now.as_secs());
    json!({
        "id": sent.id,
        "timestamp": seconds - sent.at.elapsed().as_secs(),
        "from": sent.chat,
        "fromMe": true,
        "source": "api",
        "to": null,
        "body": sent.text(),
        "hasMedia": false,
        "ack": 2,
        "ackName": "DEVICE",
        "vCards": null,
        "_data": { "Info": { "Chat": sent.chat.replace("@c.us", "@s.whatsapp.net"), "IsFromMe": true } },
    })
}
