//! A reply becomes a call of WAHA's API (2026.7.1). `chatId` is the address the contact wrote from.
//!
//! Buttons and lists go out as text with numbered options: WAHA documents its own `sendButtons` and
//! `sendList` as deprecated, and WhatsApp may show nothing at all to the contact. A text always
//! arrives; the contact answers with the number or the words, and the brain sees that as text.
//!
//! WAHA has no templates and no 24-hour window. It keeps no caption beside a voice message, so that
//! a voice message with one is refused rather than cut in two.

use serde_json::{Value, json};
use url::Url;

use crate::channel::media::{Place, Source, file_name};
use crate::channel::waha::api;
use crate::channel::waha::person::chat_id;
use crate::channel::{EncodeError, Outgoing, Request, Signal, card, fallback, mime, vcard};
use crate::internet;
use crate::message::{MediaKind, OutboundContent, OutboundMedia};
use crate::tenant::Sender;

/// The one request that sends a reply.
pub fn request(outgoing: &Outgoing<'_>) -> Result<Request, EncodeError> {
    let Outgoing { sender, to, outbound, .. } = *outgoing;
    let chat = chat_id(to)?;
    let (method, path, mut body) = call(&outbound.content, outgoing.media)?;
    body["session"] = sender.account.as_str().into();
    if !matches!(outbound.content, OutboundContent::Reaction(_)) {
        body["chatId"] = chat.into();
        if let Some(quoted) = outbound.reply_to.as_deref().filter(|id| !id.is_empty()) {
            body["reply_to"] = quoted.into();
        }
    }
    api::request(sender, method, path, Some(&body))
}

/// Marks a message as read, or shows that an answer is being written.
pub fn signal(sender: &Sender, to: &str, message_id: &str, signal: Signal) -> Option<Request> {
    let chat = chat_id(to).ok()?;
    let (path, body) = match signal {
        Signal::Read if message_id.is_empty() => return None,
        Signal::Read => (
            "/api/sendSeen",
            json!({ "session": sender.account, "chatId": chat, "messageIds": [message_id] }),
        ),
        Signal::Typing => ("/api/startTyping", json!({ "session": sender.account, "chatId": chat })),
    };
    api::request(sender, http::Method::POST, path, Some(&body)).ok()
}

fn call(
    content: &OutboundContent,
    source: Option<&Source>,
) -> Result<(http::Method, &'static str, Value), EncodeError> {
    let post = |path, body| Ok((http::Method::POST, path, body));
    match content {
        OutboundContent::Text { text } => post("/api/sendText", text_body(text)?),
        OutboundContent::Buttons(buttons) => post("/api/sendText", text_body(&fallback::buttons(buttons))?),
        OutboundContent::List(list) => post("/api/sendText", text_body(&fallback::list(list))?),
        OutboundContent::Media(media) => {
            let (path, body) = media_call(media, source)?;
            post(path, body)
        }
        OutboundContent::Location(location) => {
            let named = [location.name.as_deref(), location.address.as_deref()];
            let title = named.into_iter().flatten().filter(|text| !text.is_empty()).collect::<Vec<_>>();
            let body = json!({
                "latitude": location.latitude, "longitude": location.longitude, "title": title.join("\n"),
            });
            if !(location.latitude.is_finite() && location.longitude.is_finite()) {
                return Err(EncodeError("the location's coordinates are no numbers".into()));
            }
            post("/api/sendLocation", body)
        }
        OutboundContent::Contacts { contacts } => {
            card::named(contacts)?;
            let cards: Vec<Value> =
                contacts.iter().map(|contact| json!({ "vcard": vcard::write(contact) })).collect();
            post("/api/sendContactVcard", json!({ "contacts": cards }))
        }
        OutboundContent::Reaction(reaction) => {
            if reaction.message_id.is_empty() {
                return Err(EncodeError("the reaction names no message".into()));
            }
            let body = json!({ "messageId": reaction.message_id, "reaction": reaction.emoji });
            Ok((http::Method::PUT, "/api/reaction", body))
        }
        OutboundContent::Template(template) => Err(EncodeError(format!(
            "WAHA has no templates, so `{}` cannot be sent; it has no 24-hour window either: send text",
            template.name
        ))),
    }
}

fn text_body(text: &str) -> Result<Value, EncodeError> {
    if text.trim().is_empty() {
        return Err(EncodeError("the text is empty".into()));
    }
    Ok(json!({ "text": text }))
}

fn media_call(media: &OutboundMedia, source: Option<&Source>) -> Result<(&'static str, Value), EncodeError> {
    let (path, assumed) = match media.kind {
        // WAHA sends no stickers; the picture arrives as a picture.
        MediaKind::Sticker => ("/api/sendImage", "image/webp"),
        MediaKind::Image => ("/api/sendImage", "image/jpeg"),
        MediaKind::Video => ("/api/sendVideo", "video/mp4"),
        MediaKind::Voice => ("/api/sendVoice", "audio/ogg; codecs=opus"),
        MediaKind::Audio => ("/api/sendFile", "audio/mpeg"),
        MediaKind::Document => ("/api/sendFile", "application/octet-stream"),
    };
    let mut file = match source {
        Some(Source { place: Place::Inline { base64 }, mime_type, .. }) => {
            json!({ "mimetype": mime_type, "data": base64 })
        }
        Some(Source { place: Place::Link(link), mime_type, .. }) => linked(link, mime_type)?,
        Some(Source { place: Place::Uploaded(_), .. }) => {
            return Err(EncodeError("WAHA takes no uploads".into()));
        }
        None => {
            public(&media.source)?;
            linked(&media.source, mime::of_address(&media.source).unwrap_or(assumed))?
        }
    };
    // Videos and voice messages must have a name, and a document without one is "Untitled".
    file["filename"] = file_name(media.filename.as_deref(), &media.source, source).into();
    let mut body = json!({ "file": file });
    if matches!(media.kind, MediaKind::Video | MediaKind::Voice) {
        // By WAHA, to what WhatsApp plays.
        body["convert"] = true.into();
    }
    let caption = media.caption.as_deref().filter(|caption| !caption.is_empty());
    match (media.kind, caption) {
        (MediaKind::Voice, Some(_)) => {
            return Err(EncodeError(
                "a voice message has no caption on WhatsApp: send the words as text".into(),
            ));
        }
        (_, Some(caption)) => body["caption"] = caption.into(),
        (_, None) => {}
    }
    Ok((path, body))
}

/// The address came from a brain, and WAHA stands in the operator's network: none that leads into it.
fn public(address: &str) -> Result<(), EncodeError> {
    match Url::parse(address) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && !internet::may_be_public(&url) => {
            Err(EncodeError("the media's source leads into a private network, or nowhere".into()))
        }
        // What is no address is refused below.
        _ => Ok(()),
    }
}

/// A file that WAHA fetches itself.
fn linked(url: &str, mime_type: &str) -> Result<Value, EncodeError> {
    if !(url.starts_with("https://") || url.starts_with("http://")) {
        return Err(EncodeError("the media's source is neither an https address nor a received file".into()));
    }
    Ok(json!({ "mimetype": mime_type, "url": url }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{
        Buttons, Choice, ContactCard, ListMenu, ListRow, ListSection, Location, Outbound, Provider, Reaction,
        Template,
    };

    fn encoded(sender: &Sender, to: &str, outbound: &Outbound) -> Result<Request, EncodeError> {
        request(&Outgoing {
            sender,
            to,
            outbound,
            reference: "r-0123456789abcdef",
            template: None,
            template_id: None,
            media: None,
        })
    }

    fn sender() -> Sender {
        serde_json::from_value(json!({
            "name": "main", "provider": Provider::Waha, "account": "default",
            "base_url": "http://127.0.0.1:3000/", "api_key": "key",
        }))
        .expect("a sender")
    }

    fn check(content: OutboundContent, method: http::Method, path: &str, body: Value) {
        let outbound = Outbound { content, reply_to: None };
        let request = encoded(&sender(), "971501234567@c.us", &outbound).expect("a request");
        assert_eq!(request.method, method);
        assert_eq!(request.url, format!("http://127.0.0.1:3000{path}"));
        assert_eq!(serde_json::from_slice::<Value>(&request.body).expect("JSON"), body);
        let headers: Vec<_> =
            request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(headers, [("Content-Type", "application/json"), ("X-Api-Key", "key")]);
    }

    fn media(
        kind: MediaKind,
        source: &str,
        caption: Option<&str>,
        filename: Option<&str>,
    ) -> OutboundContent {
        OutboundContent::Media(OutboundMedia {
            kind,
            source: source.into(),
            caption: caption.map(String::from),
            filename: filename.map(String::from),
        })
    }

    #[test]
    fn texts_and_media() {
        let chat = "971501234567@c.us";
        check(
            OutboundContent::Text { text: "hello\n“you”".into() },
            http::Method::POST,
            "/api/sendText",
            json!({"session": "default", "chatId": chat, "text": "hello\n“you”"}),
        );
        check(
            media(MediaKind::Image, "https://example.com/a.PNG?size=2", Some("A view"), None),
            http::Method::POST,
            "/api/sendImage",
            json!({"session": "default", "chatId": chat, "caption": "A view",
                "file": {"mimetype": "image/png", "url": "https://example.com/a.PNG?size=2", "filename": "a.PNG"}}),
        );
        check(
            media(MediaKind::Video, "https://example.com/tour", None, None),
            http::Method::POST,
            "/api/sendVideo",
            json!({"session": "default", "chatId": chat, "convert": true,
                "file": {"mimetype": "video/mp4", "url": "https://example.com/tour", "filename": "tour"}}),
        );
        check(
            media(MediaKind::Video, "https://example.com/tour.webm", Some("The house"), None),
            http::Method::POST,
            "/api/sendVideo",
            json!({"session": "default", "chatId": chat, "convert": true, "caption": "The house",
                "file": {"mimetype": "video/webm", "url": "https://example.com/tour.webm", "filename": "tour.webm"}}),
        );
        check(
            media(MediaKind::Document, "https://example.com/plan.pdf", None, Some("Plan.pdf")),
            http::Method::POST,
            "/api/sendFile",
            json!({"session": "default", "chatId": chat,
                "file": {"mimetype": "application/pdf", "url": "https://example.com/plan.pdf", "filename": "Plan.pdf"}}),
        );
        check(
            media(MediaKind::Voice, "https://example.com/hello.mp3", None, None),
            http::Method::POST,
            "/api/sendVoice",
            json!({"session": "default", "chatId": chat, "convert": true,
                "file": {"mimetype": "audio/mpeg", "url": "https://example.com/hello.mp3", "filename": "hello.mp3"}}),
        );
    }

    #[test]
    fn locations_and_reactions() {
        check(
            OutboundContent::Location(Location {
                latitude: 25.0772,
                longitude: 55.1392,
                name: Some("Dubai Marina".into()),
                address: Some("Al Marsa Street".into()),
            }),
            http::Method::POST,
            "/api/sendLocation",
            json!({"session": "default", "chatId": "971501234567@c.us", "latitude": 25.0772, "longitude": 55.1392,
                "title": "Dubai Marina\nAl Marsa Street"}),
        );
        check(
            OutboundContent::Reaction(Reaction { message_id: "false_1@c.us_A".into(), emoji: "👍".into() }),
            http::Method::PUT,
            "/api/reaction",
            json!({"session": "default", "messageId": "false_1@c.us_A", "reaction": "👍"}),
        );
    }

    #[test]
    fn contact_cards() {
        let card = ContactCard {
            name: "Jane Doe".into(),
            phones: vec!["+91 11111 11111".into()],
            ..ContactCard::default()
        };
        let vcard = "BEGIN:VCARD\nVERSION:3.0\nN:;Jane Doe;;;\nFN:Jane Doe\n\
            TEL;type=CELL;type=VOICE;waid=911111111111:+91 11111 11111\nEND:VCARD";
        check(
            OutboundContent::Contacts { contacts: vec![card] },
            http::Method::POST,
            "/api/sendContactVcard",
            json!({"session": "default", "chatId": "971501234567@c.us", "contacts": [{"vcard": vcard}]}),
        );
        let nobody = Outbound { content: OutboundContent::Contacts { contacts: vec![] }, reply_to: None };
        assert!(encoded(&sender(), "971501234567", &nobody).is_err());
    }

    #[test]
    fn choices_are_numbered_texts() {
        let choice = |id: &str, title: &str| Choice { id: id.into(), title: title.into() };
        check(
            OutboundContent::Buttons(Buttons {
                body: "Buy or rent?".into(),
                footer: Some("Reply with a number".into()),
                buttons: vec![choice("buy", "Buy"), choice("rent", "Rent")],
            }),
            http::Method::POST,
            "/api/sendText",
            json!({"session": "default", "chatId": "971501234567@c.us",
                "text": "Buy or rent?\n\n1. Buy\n2. Rent\n\nReply with a number"}),
        );
        let row = |title: &str, description: Option<&str>| ListRow {
            id: title.to_lowercase(),
            title: title.into(),
            description: description.map(String::from),
        };
        let section = |title: Option<&str>, rows| ListSection { title: title.map(String::from), rows };
        check(
            OutboundContent::List(ListMenu {
                body: "Which area?".into(),
                footer: None,
                button: "Areas".into(),
                sections: vec![
                    section(Some("Dubai"), vec![row("Marina", Some("by the sea")), row("Downtown", None)]),
                    section(None, vec![row("Elsewhere", Some(""))]),
                ],
            }),
            http::Method::POST,
            "/api/sendText",
            json!({"session": "default", "chatId": "971501234567@c.us",
                "text": "Which area?\n\n*Dubai*\n1. Marina (by the sea)\n2. Downtown\n\n3. Elsewhere"}),
        );
    }

    #[test]
    fn received_files_go_out_in_the_request() {
        let content = media(MediaKind::Document, "file-1", Some("the plan"), Some("Plan.pdf"));
        let outbound = Outbound { content, reply_to: None };
        let source = Source {
            place: Place::Inline { base64: "AAEC".into() },
            mime_type: "application/pdf".into(),
            filename: Some("scan.pdf".into()),
        };
        let (sender, reference) = (sender(), "r-0123456789abcdef");
        let outgoing = Outgoing {
            sender: &sender,
            to: "971501234567@c.us",
            outbound: &outbound,
            reference,
            template: None,
            template_id: None,
            media: Some(&source),
        };
        let sent = request(&outgoing).expect("a request");
        let body: Value = serde_json::from_slice(&sent.body).expect("JSON");
        let file = json!({"mimetype": "application/pdf", "data": "AAEC", "filename": "Plan.pdf"});
        let expected =
            json!({"session": "default", "chatId": "971501234567@c.us", "file": file, "caption": "the plan"});
        assert_eq!((sent.url.as_str(), body), ("http://127.0.0.1:3000/api/sendFile", expected));
        let uploaded = Source { place: Place::Uploaded("7".into()), ..source.clone() };
        assert!(request(&Outgoing { media: Some(&uploaded), ..outgoing }).is_err());
    }

    #[test]
    fn signals() {
        let told = |signal| {
            let request =
                super::signal(&sender(), "5511900000002:3@s.whatsapp.net", "false_1@c.us_A", signal);
            let request = request.expect("a request");
            (request.url, serde_json::from_slice::<Value>(&request.body).expect("JSON"))
        };
        let chat = "5511900000002@c.us";
        let read = json!({"session": "default", "chatId": chat, "messageIds": ["false_1@c.us_A"]});
        assert_eq!(told(Signal::Read), ("http://127.0.0.1:3000/api/sendSeen".into(), read));
        let typing = json!({"session": "default", "chatId": chat});
        assert_eq!(told(Signal::Typing), ("http://127.0.0.1:3000/api/startTyping".into(), typing));
        assert_eq!(super::signal(&sender(), "status@broadcast", "A", Signal::Typing), None);
    }

    #[test]
    fn a_quote_names_the_message() {
        let outbound = Outbound { reply_to: Some("false_1@c.us_A".into()), ..Outbound::text("yes") };
        let request = encoded(&sender(), "245800000000182@lid", &outbound).expect("a request");
        let body: Value = serde_json::from_slice(&request.body).expect("JSON");
        let expected = json!({"session": "default", "chatId": "245800000000182@lid", "text": "yes", "reply_to": "false_1@c.us_A"});
        assert_eq!(body, expected);
    }

    #[test]
    fn what_cannot_be_sent_is_refused_for_good() {
        let template = Template { name: "welcome".into(), language: "en".into(), parameters: vec![] };
        let nowhere = Reaction { message_id: String::new(), emoji: "👍".into() };
        for content in [
            OutboundContent::Template(template),
            OutboundContent::Text { text: " \n".into() },
            OutboundContent::Reaction(nowhere),
            media(MediaKind::Image, "file:///etc/passwd", None, None),
            media(MediaKind::Image, "", None, None),
            media(MediaKind::Image, "https://10.0.0.7/a.jpg", None, None),
            media(MediaKind::Image, "http://localhost:3000/api/files/a.jpg", None, None),
            media(MediaKind::Image, "https://minio/a.jpg", None, None),
            media(MediaKind::Voice, "https://example.com/a.ogg", Some("words"), None),
        ] {
            let outbound = Outbound { content, reply_to: None };
            assert!(encoded(&sender(), "971501234567@c.us", &outbound).is_err(), "{outbound:?}");
        }
        let nowhere = Sender { base_url: None, ..sender() };
        let error = encoded(&nowhere, "971501234567", &Outbound::text("hi")).expect_err("no address");
        assert_eq!(error.to_string(), "the sender main has no base_url: where is its WAHA?");
    }
}
