//! The road from a command to a gateway: always the HTTP API, over one of three transports, tried in
//! this order: the network (`--url`, with a token), the control socket of the gateway that runs on
//! the data directory, and, when none runs, the same router in this very process. On the last two
//! the caller is the operator, because it may open the data directory.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use http::{Method, Request, StatusCode};
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::cli::failure::Failure;
use crate::cli::{Place, Result, screen, setup};
use crate::config::Config;
use crate::gateway::{self, Gateway};
use crate::http::control;
use crate::http::own::Own;
use crate::store::embedded::{OpenError, is_held};

/// Long enough for a long poll and for a brain that is compiled; an endless wait helps nobody.
const PATIENCE: Duration = Duration::from_secs(300);

/// A gateway that starts is waited for so long.
const STARTING: Duration = Duration::from_secs(10);

/// Between two looks at it.
const LOOK: Duration = Duration::from_millis(100);

pub struct Client {
    config: Config,
    /// Was it said which gateway is meant?
    named: bool,
    /// May the store be made, if it was said whose?
    may_make: bool,
    /// Found or opened by the first request.
    transport: OnceCell<Transport>,
}

enum Transport {
    Http {
        client: reqwest::Client,
        /// Without a slash at its end.
        base: String,
        token: Option<String>,
        /// Keeps the socket's path valid.
        _socket: Option<control::Address>,
    },
    /// No gateway runs; this process has opened the store.
    Here(Own),
}

/// An answer whose body has not been read yet.
pub struct Answer {
    pub status: StatusCode,
    pub body: BoxStream<'static, anyhow::Result<Bytes>>,
}

impl Client {
    /// The gateway that is meant. Where none runs, the first request opens the store.
    pub async fn open(place: &Place, may_make: bool) -> Result<Client> {
        if let Some(client) = Client::running(place).await? {
            return Ok(client);
        }
        let (config, file) = setup::config(place, None)?;
        let named = setup::is_named(place, file.as_deref());
        Ok(Client { config, named, may_make, transport: OnceCell::new() })
    }

    /// A gateway that runs: elsewhere, or on this data directory.
    pub async fn running(place: &Place) -> Result<Option<Client>> {
        let (config, file) = setup::config(place, None)?;
        let named = setup::is_named(place, file.as_deref());
        let found = match &place.url {
            Some(url) => Some(Client::elsewhere(url, place.token.as_deref())?),
            None => Client::on(&config).await?,
        };
        let with = |transport| Client {
            config,
            named,
            may_make: false,
            transport: OnceCell::new_with(Some(transport)),
        };
        Ok(found.map(with))
    }

    /// The same, where one that is just starting is waited for.
    pub async fn awaited(place: &Place) -> Result<Option<Client>> {
        let mut wait = Wait::default();
        loop {
            let found = Client::running(place).await?;
            let (config, _) = setup::config(place, None)?;
            if found.is_some() || place.url.is_some() || !is_held(&gateway::store_file(&config)) {
                return Ok(found);
            }
            wait.a_little(&config).await?;
        }
    }

    /// Finds or opens it before anything is asked.
    pub async fn ready(&self) -> Result<()> {
        self.transport().await.map(drop)
    }

    async fn transport(&self) -> Result<&Transport> {
        self.transport.get_or_try_init(|| self.find_or_open()).await
    }

    async fn find_or_open(&self) -> Result<Transport> {
        let (config, mut wait) = (&self.config, Wait::default());
        loop {
            if let Some(running) = Client::on(config).await? {
                return Ok(running);
            }
            let may_make = self.may_make && self.named;
            if !may_make && !is_there(config)? {
                return Err(none_here(config, self.named));
            }
            match Gateway::open(config.clone()).await {
                Ok(gateway) => {
                    // Before the first start: what is declared is there for `key add`, `import` and the rest.
                    if gateway.store.directory().tenants.is_empty() {
                        gateway.reload.declare(&setup::environment).await?;
                    } else {
                        gateway.reload.look(&setup::environment).await;
                    }
                    return Ok(Transport::Here(Own::new(gateway.router())));
                }
                Err(error) if matches!(error.downcast_ref(), Some(OpenError::Locked { .. })) => {
                    wait.a_little(config).await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// A gateway that runs, or is just starting; an error if none does.
    pub async fn of_running(place: &Place) -> Result<Client> {
        Client::awaited(place).await?.ok_or_else(|| none_runs(place))
    }

    fn elsewhere(url: &str, token: Option<&str>) -> Result<Transport> {
        let Some(token) = token.filter(|token| !token.is_empty()) else {
            return Err(Failure::Usage(
                "--url needs --token (or SWITCHBOARD_TOKEN): the operator's token or a tenant's key".into(),
            ));
        };
        let parsed: std::result::Result<http::Uri, _> = url.parse();
        if !parsed.is_ok_and(|uri| uri.host().is_some() && matches!(uri.scheme_str(), Some("http" | "https")))
        {
            return Err(Failure::Usage(format!(
                "--url {url} is no address; write it as https://bots.example.com"
            )));
        }
        let client = builder().build().context("cannot set up the HTTP client")?;
        Ok(Transport::Http {
            client,
            base: url.trim_end_matches('/').to_owned(),
            token: Some(token.to_owned()),
            _socket: None,
        })
    }

    /// The gateway that runs on this configuration's data directory.
    async fn on(config: &Config) -> Result<Option<Transport>> {
        let path = config.control_socket();
        if !path.exists() || !answers(&path).await? {
            return Ok(None);
        }
        let socket = control::Address::of(&path)?;
        let client = builder().unix_socket(socket.path()).build().context("cannot set up the HTTP client")?;
        let base = "http://switchboard".to_owned();
        Ok(Some(Transport::Http { client, base, token: None, _socket: Some(socket) }))
    }

    pub async fn get(&self, path: &str) -> Result<Value> {
        self.call(Method::GET, path, &[], Bytes::new()).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.call(Method::POST, path, &[json()], body.to_string().into()).await
    }

    /// What takes as long as it takes, by the size of the store.
    pub async fn post_patiently(&self, path: &str, body: &Value) -> Result<Value> {
        let within = Duration::from_secs(24 * 3600);
        let answer = self.send_within(within, Method::POST, path, &[json()], body.to_string().into()).await?;
        let bytes: Vec<Bytes> = answer.body.try_collect().await?;
        Ok(serde_json::from_slice(&bytes.concat()).context("the gateway's answer is not JSON")?)
    }

    pub async fn put(&self, path: &str, json_body: impl Into<Bytes>) -> Result<Value> {
        self.call(Method::PUT, path, &[json()], json_body.into()).await
    }

    /// A file that is no JSON.
    pub async fn put_file(&self, path: &str, file: impl Into<Bytes>) -> Result<Value> {
        self.call(Method::PUT, path, &[], file.into()).await
    }

    pub async fn delete(&self, path: &str) -> Result<Value> {
        self.call(Method::DELETE, path, &[], Bytes::new()).await
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, String)],
        body: Bytes,
    ) -> Result<Value> {
        let changes = method != Method::GET;
        let text = self.text(method, path, headers, body).await?;
        let answer = serde_json::from_slice(&text).context("the gateway's answer is not JSON")?;
        if changes {
            note_declared(&answer);
        }
        Ok(answer)
    }

    /// The whole body of an answer; a refusal is an error.
    pub async fn text(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, String)],
        body: Bytes,
    ) -> Result<Bytes> {
        let answer = self.send(method, path, headers, body).await?;
        let bytes: Vec<Bytes> = answer.body.try_collect().await?;
        Ok(bytes.concat().into())
    }

    /// Sends a request; a refusal is an error.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, String)],
        body: Bytes,
    ) -> Result<Answer> {
        self.send_within(PATIENCE, method, path, headers, body).await
    }

    async fn send_within(
        &self,
        within: Duration,
        method: Method,
        path: &str,
        headers: &[(&str, String)],
        body: Bytes,
    ) -> Result<Answer> {
        let answer = match self.transport().await? {
            Transport::Http { client, base, token, .. } => {
                let mut request = client.request(method, format!("{base}{path}")).timeout(within).body(body);
                for (name, value) in headers {
                    request = request.header(*name, value);
                }
                if let Some(token) = token {
                    request = request.bearer_auth(token);
                }
                let response = request.send().await.map_err(|error| unreachable(base, error))?;
                let status = response.status();
                Answer { status, body: pieces(response).boxed() }
            }
            Transport::Here(own) => {
                let mut request = Request::builder().method(method).uri(path);
                for (name, value) in headers {
                    request = request.header(*name, value);
                }
                let request = request.body(body).context("the request is malformed")?;
                let response = own.ask(request).await;
                let status = response.status();
                let body = response.into_body().map_err(|error| anyhow!(error));
                Answer { status, body: body.boxed() }
            }
        };
        if answer.status.is_success() { Ok(answer) } else { Err(refusal(answer).await) }
    }
}

/// Is there a store? One that this user may not look at is no store that is not there.
fn is_there(config: &Config) -> Result<bool> {
    let path = gateway::store_file(config);
    match path.metadata() {
        Ok(store) => Ok(store.len() > 0),
        Err(source) if source.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(anyhow!(OpenError::Io { path, source }).into()),
    }
}

fn none_here(config: &Config, named: bool) -> Failure {
    let start = if named { config.called.as_str() } else { "" };
    Failure::Refused {
        status: 503,
        message: format!("there is no gateway here: {} holds no store", config.data.display()),
        action: format!(
            "give --config or --data (--url and --token for one elsewhere), or start one with `switchboard serve{start}`"
        ),
    }
}

/// For what a gateway has to run for.
pub fn none_runs(place: &Place) -> Failure {
    let found = setup::config(place, None).and_then(|(config, file)| {
        let named = setup::is_named(place, file.as_deref());
        Ok((is_there(&config)?, config, named))
    });
    match found {
        Err(failure) => failure,
        Ok((false, config, named)) => none_here(&config, named),
        Ok((true, config, _)) => Failure::Refused {
            status: 503,
            message: "no gateway runs on this data directory".into(),
            action: format!(
                "start one with `switchboard serve{}`, or name one with --url and --token",
                config.called
            ),
        },
    }
}

/// Waits for whoever has the store open and does not answer yet.
#[derive(Default)]
struct Wait {
    since: Option<Instant>,
}

impl Wait {
    async fn a_little(&mut self, config: &Config) -> Result<()> {
        let data = config.data.display();
        let since = *self.since.get_or_insert_with(|| {
            screen::note(&format!(
                "The store in {data} is in use, by a gateway that is starting or by another command; waiting."
            ));
            Instant::now()
        });
        if since.elapsed() > STARTING {
            return Err(Failure::Refused {
                status: 503,
                message: format!("a gateway is starting on {data}, or another command is at work there"),
                action:
                    "try again when it has started: a large store takes its time after a crash, and its log \
                         says `opened`"
                        .into(),
            });
        }
        tokio::time::sleep(LOOK).await;
        Ok(())
    }
}

/// What a change comes to that a declared file has otherwise; nothing where none has.
fn note_declared(answer: &Value) {
    let declared = &answer["declared"];
    let Some(note) = declared["note"].as_str() else { return };
    let fields = declared["fields"].as_object().into_iter().flatten();
    let fields: Vec<String> =
        fields.map(|(name, field)| format!("{name} = {}", screen::text(&field["declared"]))).collect();
    let says = if fields.is_empty() { String::new() } else { format!(" says {}", fields.join(", ")) };
    screen::note(&format!("note: {}{says}: {note}", screen::text(&declared["file"])));
}

/// Says that a body is JSON.
pub fn json() -> (&'static str, String) {
    ("content-type", "application/json".to_owned())
}

fn pieces(response: reqwest::Response) -> impl Stream<Item = anyhow::Result<Bytes>> {
    stream::try_unfold(response, |mut response| async move {
        let piece = response.chunk().await.context("the answer broke off")?;
        Ok(piece.map(|piece| (piece, response)))
    })
}

fn builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder().timeout(PATIENCE).connect_timeout(Duration::from_secs(10)).no_proxy()
}

/// Is somebody behind the socket? One that a killed gateway left behind is not.
async fn answers(socket: &Path) -> Result<bool> {
    let address = control::Address::of(socket)?;
    match tokio::net::UnixStream::connect(address.path()).await {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => Ok(false),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => {
            let what = format!("cannot reach the gateway at {}", socket.display());
            Err(anyhow!(error).context(what).into())
        }
    }
}

fn unreachable(base: &str, error: reqwest::Error) -> Failure {
    anyhow!(error.without_url()).context(format!("cannot reach the gateway at {base}")).into()
}

/// What the gateway says, in its own words.
async fn refusal(answer: Answer) -> Failure {
    let status = answer.status.as_u16();
    let bytes: Vec<Bytes> = answer.body.try_collect().await.unwrap_or_default();
    let body: Value = serde_json::from_slice(&bytes.concat()).unwrap_or_default();
    let said = |keys: [&str; 2]| {
        let text = body.pointer(keys[0]).or_else(|| body.pointer(keys[1])).and_then(Value::as_str);
        text.map(str::to_owned)
    };
    let mut message =
        said(["/error/message", "/reason"]).unwrap_or_else(|| format!("the gateway answered {status}"));
    for problem in body["error"]["problems"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        message.push_str("\n       ");
        message.push_str(problem);
    }
    Failure::Refused { status, message, action: said(["/error/action", "/action"]).unwrap_or_default() }
}

/// A part of an address: everything that would mean something there is escaped.
pub fn part(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}
