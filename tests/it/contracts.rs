//! Every request that the adapters make, held to what the providers say they take: each kind of message
//! in each of its shapes, read marks and typing, templates from their making to their end, files, and
//! WAHA's sessions. A schema a provider lies in `tests/schemas`, made from the provider's public pages; a
//! request that no call of it fits fails, and so does a call that no request reaches.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use switchboard::channel::media::{Fetch, Place, Source, Takes};
use switchboard::channel::{Outgoing, Signal, adapter};
use switchboard::message::{Outbound, OutboundContent, Provider};
use switchboard::template::Template;
use switchboard::tenant::Sender;
use switchboard::tenant::settings::Settings;

use self::schema::{Made, Schema};

mod samples;
mod schema;
mod sessions;

const PHONE: &str = "971501234567";
const OURS: &str = "file-0123456789abcdef0123456789abcdef";
const PROVIDERS: [Provider; 5] =
    [Provider::Waha, Provider::Infobip, Provider::Gupshup, Provider::Meta, Provider::Dialog360];

fn sender(provider: Provider) -> Sender {
    let mut sender = json!({
        "name": "main", "provider": provider, "api_key": "secret", "number": "+971 50 000 0001",
        "base_url": "https://provider.example.com/",
    });
    for (key, value) in [("app_id", "app-1"), ("business_account", "102290129340398")] {
        if Settings::keys(provider).contains(&key) {
            sender[key] = value.into();
        }
    }
    sender["account"] = match provider {
        Provider::Waha => "default",
        Provider::Infobip => "41793026731",
        Provider::Gupshup => "DemoApp",
        Provider::Meta | Provider::Dialog360 => "106540352242922",
        Provider::Simulator => "simulator",
    }
    .into();
    serde_json::from_value(sender).expect("a sender")
}

/// The id of a message of a contact's.
fn message_id(provider: Provider) -> &'static str {
    match provider {
        Provider::Waha => "false_971501234567@c.us_3EB0AAAA",
        _ => "wamid.HBgMOTcxNTAxMjM0NTY3",
    }
}

/// A file of ours, as this provider is handed it.
fn of_ours(provider: Provider, filename: Option<&str>) -> Source {
    let place = match adapter(provider).media().expect("it takes files").takes() {
        Takes::Links => Place::Link("https://gateway.example.com/media/AAAA".into()),
        Takes::Uploads => Place::Uploaded("1166846181421424".into()),
        Takes::Inline => Place::Inline { base64: "AAEC".into() },
    };
    Source { place, mime_type: "application/pdf".into(), filename: filename.map(str::to_owned) }
}

struct Try<'a> {
    provider: Provider,
    template: Option<&'a Template>,
    media: Option<Source>,
    reply_to: Option<&'a str>,
}

impl Try<'_> {
    /// What is sent, or why nothing is.
    fn encode(&self, content: OutboundContent) -> Result<Made, String> {
        let (sender, to) = (sender(self.provider), PHONE);
        let outbound = Outbound { content, reply_to: self.reply_to.map(str::to_owned) };
        let outgoing = Outgoing {
            sender: &sender,
            to,
            outbound: &outbound,
            reference: "r-0123456789abcdef",
            template: self.template,
            template_id: self.template.map(|_| "t-1"),
            media: self.media.as_ref(),
        };
        match adapter(self.provider).encode(&outgoing) {
            Ok(request) => Ok(Made::of(&request.expect("there is something to call"))),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// Every kind of message, to a quote and alone, with an address and with a file of ours.
fn messages(provider: Provider, refused: &mut BTreeSet<&'static str>) -> Vec<Made> {
    let mut made = Vec::new();
    for content in samples::contents(message_id(provider)) {
        let kind = samples::kind(&content);
        for reply_to in [None, Some(message_id(provider))] {
            let names: &[Option<&str>] =
                if samples::is_ours(&content) { &[None, Some("Plan.pdf")] } else { &[None] };
            for name in names {
                let media = samples::is_ours(&content).then(|| of_ours(provider, *name));
                let attempt = Try { provider, template: None, media, reply_to };
                match attempt.encode(content.clone()) {
                    Ok(request) => made.push(request),
                    Err(_) => {
                        refused.insert(kind);
                    }
                }
            }
        }
    }
    made
}

/// Its making, its change, its end and its use.
fn templates(provider: Provider) -> Vec<Made> {
    let Some(api) = adapter(provider).templates() else { return Vec::new() };
    let sender = sender(provider);
    let mut made = Vec::new();
    for template in samples::templates(provider) {
        let update = api.update(&sender, "77", &template);
        assert_eq!(update.is_err(), provider == Provider::Dialog360, "it alone replaces none");
        for request in [api.submit(&sender, &template), api.delete(&sender, Some("77"), &template)]
            .into_iter()
            .chain(update.is_ok().then_some(update))
        {
            made.push(Made::of(
                &request.unwrap_or_else(|error| panic!("{provider} {}: {error}", template.name)),
            ));
        }
        let file = template.header.as_ref().is_some_and(switchboard::template::Header::is_file);
        for ours in if file { vec![false, true] } else { vec![false] } {
            let media = ours.then(|| of_ours(provider, None));
            let attempt = Try { provider, template: Some(&template), media, reply_to: None };
            let sent =
                attempt.encode(samples::of_template(&template, if ours { OURS } else { samples::ADDRESS }));
            made.push(sent.unwrap_or_else(|error| panic!("{provider} {}: {error}", template.name)));
        }
    }
    made.extend([None, Some("1")].map(|page| Made::of(&api.list(&sender, page).expect("a list"))));
    if provider == Provider::Gupshup {
        let template = &samples::templates(provider)[0];
        made.push(Made::of(&api.delete(&sender, None, template).expect("by its name alone")));
    }
    made
}

/// Received files, and files on their way out.
fn files(provider: Provider) -> Vec<Made> {
    let (sender, api) = (sender(provider), adapter(provider).media().expect("it has files"));
    let handle = match provider {
        Provider::Waha => "http://localhost:3000/api/files/default/A.jpg",
        Provider::Infobip => "https://xxxxx.api.infobip.com/whatsapp/1/senders/41793026731/media/2b5",
        Provider::Gupshup => "https://filemanager.gupshup.io/files/A?download=false",
        _ => "1166846181421424",
    };
    let mut made = match api.fetch(&sender, handle).expect("a request") {
        Fetch::File(request) | Fetch::Locate(request) => vec![Made::of(&request)],
    };
    if api.takes() == Takes::Uploads {
        made.push(Made::upload(&api.upload(&sender, "application/pdf").expect("an upload")));
    }
    made
}

fn signals(provider: Provider) -> Vec<Made> {
    let (sender, adapter) = (sender(provider), adapter(provider));
    let told = [Signal::Read, Signal::Typing];
    let told =
        told.into_iter().filter_map(|signal| adapter.signal(&sender, PHONE, message_id(provider), signal));
    told.chain(adapter.probe(&sender)).map(|request| Made::of(&request)).collect()
}

#[test]
fn every_request_is_one_that_its_provider_takes() {
    for provider in PROVIDERS {
        let schema = Schema::of(provider);
        let mut refused = BTreeSet::new();
        let mut made = messages(provider, &mut refused);
        made.extend(templates(provider));
        made.extend(files(provider));
        made.extend(signals(provider));
        if provider == Provider::Waha {
            made.extend(sessions::all(&sender(provider)));
        }
        let wrong: Vec<String> = made.iter().filter_map(|made| schema.check(made).err()).collect();
        assert!(wrong.is_empty(), "{provider}: {} of {}\n{}", wrong.len(), made.len(), wrong.join("\n"));
        assert_eq!(schema.unreached(&made), Vec::<&str>::new(), "{provider}: nothing makes these calls");
        let expected: &[&str] = match provider {
            Provider::Waha => &["template"],
            Provider::Infobip => &["reaction", "template"],
            _ => &["template"],
        };
        assert_eq!(refused.into_iter().collect::<Vec<_>>(), expected, "{provider}: what it cannot send");
    }
}

/// A schema that takes everything would hold nothing: a field too many or too few is refused.
#[test]
fn the_schemas_refuse_what_is_nearly_a_request() {
    for provider in PROVIDERS {
        let schema = Schema::of(provider);
        let mut made = messages(provider, &mut BTreeSet::new());
        made.extend(templates(provider));
        made.extend(signals(provider));
        for made in made.iter().filter(|made| made.body.is_object()) {
            let mut more = made.clone();
            more.body["unheard_of"] = json!(1);
            assert!(schema.check(&more).is_err(), "{provider}: {more:?}");
            for name in schema.required(made) {
                let mut less = made.clone();
                less.body.as_object_mut().expect("an object").remove(&name);
                assert!(schema.check(&less).is_err(), "{provider}: without {name}: {less:?}");
            }
            let keyless = Made { headers: Vec::new(), ..made.clone() };
            assert!(schema.check(&keyless).is_err(), "{provider}: without a key: {keyless:?}");
        }
    }
}

/// What went out once and was refused.
#[test]
fn what_was_refused_once_is_refused_here() {
    for (provider, method, path, body) in samples::refused() {
        let made = Made {
            method: method.into(),
            path: path.into(),
            query: Vec::new(),
            headers: ["x-api-key", "authorization", "accept", "apikey"].map(str::to_owned).into(),
            body,
        };
        let error = Schema::of(provider).check(&made).expect_err(path);
        assert!(error.contains(path), "{error}");
        assert!(!error.contains("no such call"), "{error}");
    }
}

/// The schemas hold bodies of each kind that there is.
#[test]
fn there_is_a_sample_of_every_kind() {
    let contents = samples::contents("wamid.A");
    let mut kinds: BTreeSet<&str> = contents.iter().map(samples::kind).collect();
    assert!(kinds.remove("template"));
    let known: Value = serde_json::to_value(&contents).expect("JSON");
    let told: BTreeSet<&str> =
        known.as_array().into_iter().flatten().filter_map(|it| it["type"].as_str()).collect();
    assert_eq!(told.len(), kinds.len() + 1, "one name a kind");
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), samples::KINDS);
}
