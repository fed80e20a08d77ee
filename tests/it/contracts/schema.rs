//! A provider's calls as JSON Schemas: which calls there are, which headers and query they want, and
//! what their bodies are.

use std::collections::BTreeMap;

use jsonschema::Validator;
use serde_json::{Map, Value, json};
use switchboard::channel::Request;
use switchboard::channel::media::Upload;
use switchboard::message::Provider;
use url::Url;

/// A request, in the parts that a schema looks at.
#[derive(Clone, Debug)]
pub struct Made {
    pub method: String,
    pub path: String,
    /// The names in it.
    pub query: Vec<String>,
    /// The names, in small letters.
    pub headers: Vec<String>,
    /// Null where there is none; of a form an object.
    pub body: Value,
}

impl Made {
    pub fn of(request: &Request) -> Self {
        let header = |wanted: &str| {
            let found = request.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
            found.map(|(_, value)| value.as_str())
        };
        let form = |body: &[u8]| {
            let fields = url::form_urlencoded::parse(body).into_owned();
            fields.map(|(name, value)| (name, Value::from(value))).collect::<Map<String, Value>>().into()
        };
        let body = match header("content-type") {
            None => {
                assert!(request.body.is_empty(), "a body that does not say what it is: {request:?}");
                Value::Null
            }
            Some("application/json") => serde_json::from_slice(&request.body).expect("JSON"),
            Some("application/x-www-form-urlencoded") => form(&request.body),
            Some(other) => panic!("{other}: {request:?}"),
        };
        Made { body, ..Made::at(request.method.as_str(), &request.url, &request.headers) }
    }

    /// The fields beside the file.
    pub fn upload(upload: &Upload) -> Self {
        let fields = upload.fields.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str())));
        let body = Value::Object(fields.collect());
        Made { body, ..Made::at("POST", &upload.url, &upload.headers) }
    }

    fn at(method: &str, url: &str, headers: &[(String, String)]) -> Self {
        let url = Url::parse(url).expect("an address");
        Made {
            method: method.into(),
            path: url.path().into(),
            query: url.query_pairs().map(|(name, _)| name.into_owned()).collect(),
            headers: headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect(),
            body: Value::Null,
        }
    }
}

/// Whoever passes the Cloud API on takes the same bodies.
const META: &str = include_str!("../../schemas/meta.json");

struct Call {
    /// None: without a key.
    headers: Vec<String>,
    query: Vec<String>,
    required: Vec<String>,
    body: Option<Validator>,
}

pub struct Schema {
    /// By method and path, whose open parts are `{}`.
    calls: BTreeMap<String, Call>,
    /// Fields of forms that are JSON.
    json: Vec<String>,
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned)).collect()
}

impl Schema {
    pub fn of(provider: Provider) -> Self {
        let text = match provider {
            Provider::Waha => include_str!("../../schemas/waha.json"),
            Provider::Infobip => include_str!("../../schemas/infobip.json"),
            Provider::Gupshup => include_str!("../../schemas/gupshup.json"),
            Provider::Meta => META,
            Provider::Dialog360 => include_str!("../../schemas/dialog360.json"),
            Provider::Simulator => panic!("nothing is sent to the simulator"),
        };
        let file: Value = serde_json::from_str(text).expect("JSON");
        let meta: Value = serde_json::from_str(META).expect("JSON");
        let call = |(name, call): (&String, &Value)| {
            let (call, defs) = match call["as"].as_str() {
                Some(name) => (&meta["calls"][name], &meta["$defs"]),
                None => (call, &file["$defs"]),
            };
            let body = call.get("body").map(|body| {
                let mut schema = body.clone();
                schema["$defs"] = defs.clone();
                jsonschema::validator_for(&schema).unwrap_or_else(|error| panic!("{name}: {error}"))
            });
            let mut headers = texts(&call["headers"]);
            if call["open"] != json!(true) {
                headers.extend(texts(&file["headers"]));
            }
            let required = texts(&call["body"]["required"]);
            (name.clone(), Call { headers, query: texts(&call["query"]), required, body })
        };
        let calls = file["calls"].as_object().expect("calls").iter().map(call).collect();
        Schema { calls, json: texts(&file["json"]) }
    }

    fn find(&self, made: &Made) -> Option<(&str, &Call)> {
        let fits = |name: &str| {
            let Some((method, path)) = name.split_once(' ') else { return false };
            let (wanted, found): (Vec<&str>, Vec<&str>) =
                (path.split('/').collect(), made.path.split('/').collect());
            method == made.method
                && wanted.len() == found.len()
                && wanted.iter().zip(found).all(|(wanted, found)| match *wanted {
                    "{}" => !found.is_empty(),
                    wanted => wanted == found,
                })
        };
        // A part that is named goes before one that is open.
        let found = self.calls.iter().filter(|(name, _)| fits(name));
        found.min_by_key(|(name, _)| name.matches("{}").count()).map(|(name, call)| (name.as_str(), call))
    }

    /// What its body cannot be without.
    pub fn required(&self, made: &Made) -> Vec<String> {
        self.find(made).map(|(_, call)| call.required.clone()).unwrap_or_default()
    }

    pub fn check(&self, made: &Made) -> Result<(), String> {
        let wrong = |what: &str| Err(format!("{} {}: {what}: {}", made.method, made.path, made.body));
        let Some((_, call)) = self.find(made) else { return wrong("no such call") };
        if let Some(missing) = call.headers.iter().find(|name| !made.headers.contains(name)) {
            return wrong(&format!("the header {missing} is missing"));
        }
        if call.headers.is_empty() && !made.headers.is_empty() {
            return wrong("it is open, and the key does not belong here");
        }
        if let Some(unknown) = made.query.iter().find(|name| !call.query.contains(name)) {
            return wrong(&format!("the query's {unknown} is not known"));
        }
        let Some(validator) = &call.body else {
            return if made.body.is_null() { Ok(()) } else { wrong("it takes no body") };
        };
        let mut body = made.body.clone();
        for name in &self.json {
            let read = body[name.as_str()].as_str().map(serde_json::from_str);
            match read {
                None => {}
                Some(Ok(read)) => body[name.as_str()] = read,
                Some(Err(error)) => return wrong(&format!("{name}: {error}")),
            }
        }
        // A field that is looked at is there as nothing.
        if let Some(fields) = body.as_object_mut() {
            fields.retain(|name, value| !(self.json.contains(name) && value.is_null()));
        }
        match validator.iter_errors(&body).next() {
            None => Ok(()),
            Some(error) => wrong(&format!("{error} at {}", error.instance_path())),
        }
    }

    /// The calls that none of these is.
    pub fn unreached(&self, made: &[Made]) -> Vec<&str> {
        let reached: Vec<&str> = made.iter().filter_map(|made| Some(self.find(made)?.0)).collect();
        self.calls.keys().map(String::as_str).filter(|name| !reached.contains(name)).collect()
    }
}
