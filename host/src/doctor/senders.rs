//! Senders: does the provider know the number and take the key, can it reach us, and is its word on
//! the time ours?

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use http::header::DATE;

use super::{Finding, Patient};
use crate::channel::probe::Cause;
use crate::channel::waha::session as waha;
use crate::channel::waha::settings::{Fault, Wanted};
use crate::channel::{self, Outcome};
use crate::egress::Answer;
use crate::event::session::Status;
use crate::internet::is_this_machine;
use crate::message::{Fate, Timestamp};
use crate::store::numbers::Wish;
use crate::tenant::{Secret, Sender, WebhookAuth};

/// A provider that takes longer to say who we are is not well.
const PATIENCE: Duration = Duration::from_secs(10);
const NEW_KEY: &str = "give it an `api_key` that the provider takes, where it is declared or by `PUT /api/senders/NAME`: what waits goes \
     out by itself";
const REACH: &str = "does it run, and does this machine reach it? If it moved: `base_url`, where it is declared, or \
     `PUT /api/senders/NAME`";

/// Signatures and windows are reckoned by the clock.
const SKEW_MS: i64 = 60_000;

pub async fn examine(patient: &Patient<'_>) -> Vec<Finding> {
    let directory = patient.store.directory();
    let mut senders: Vec<_> = directory.senders.values().collect();
    senders.sort_by(|left, right| left.name.cmp(&right.name));
    if senders.is_empty() {
        return vec![Finding::error(
            "senders",
            "there are none",
            "`switchboard sender add --help` shows how",
        )];
    }
    let looked = join_all(senders.into_iter().map(|sender| async move {
        let (place, name) = (place(sender), &sender.name);
        let found = one(patient, sender).await.into_iter();
        found.map(|finding| finding.among("senders", place.clone(), name)).collect::<Vec<_>>()
    }))
    .await;
    looked.into_iter().flatten().collect()
}

/// The server that it shares with others: `waha at http://127.0.0.1:3000`.
fn place(sender: &Sender) -> String {
    let url = sender.base_url.as_deref().and_then(|url| url::Url::parse(url).ok());
    match url {
        Some(url) => format!("{} at {}", sender.provider(), url.origin().ascii_serialization()),
        None => sender.provider().to_string(),
    }
}

async fn one(patient: &Patient<'_>, sender: &Arc<Sender>) -> Vec<Finding> {
    let subject = format!("sender {}", sender.name);
    if !sender.active {
        return vec![Finding::warning(
            subject,
            "it is switched off: what is written to it is kept, and waits; so do its replies",
            "if that is not meant, set `active = true` where it is declared, or `PUT /api/senders/NAME`",
        )];
    }
    let mut findings = on_paper(sender, &subject);
    let wish = patient.store.wish(&sender.name).await.unwrap_or_default();
    if wish == Wish::LoggedOut {
        findings.push(Finding::warning(
            subject,
            "its number was logged out here: nothing comes in and its replies wait",
            "`switchboard sender connect NAME`, if that is not meant",
        ));
        return findings;
    }
    findings.extend(session(patient, sender, &subject).await);
    if let Some(refused) = patient.refused_keys.of(sender) {
        findings.push(Finding::error(
            subject.as_str(),
            format!("its key is refused since {}, and its replies wait: {}", refused.since, refused.error),
            NEW_KEY,
        ));
    }
    findings.extend(at_the_provider(patient, sender, &subject).await);
    if findings.is_empty() {
        findings.push(Finding::good(subject, "ready"));
    }
    findings
}

/// What its configuration says.
fn on_paper(sender: &Sender, subject: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    if sender.provider().is_simulated() {
        return findings;
    }
    if sender.auth == WebhookAuth::None {
        findings.push(Finding::warning(
            subject,
            "its webhooks are believed without proof: any program on this machine can speak for any contact",
            "set hmac_key, webhook_key or webhook_path and take `auth` away",
        ));
    }
    if sender.api_key.is_empty() && sender.provider().facts().platform.needs_key {
        findings.push(Finding::error(
            subject,
            "it has no api_key, so that no reply can leave",
            "set api_key to the provider's key",
        ));
    }
    if sender.settings.own().handshake().is_some_and(Secret::is_empty) {
        let at = sender.provider().title();
        findings.push(Finding::warning(
            subject,
            format!("it has no verify_token: {at}'s handshake with this address would be refused"),
            format!("set verify_token to the one that is entered at {at}"),
        ));
    }
    let in_clear = sender.base_url.as_deref().is_some_and(|url| {
        let host = url::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned));
        url.starts_with("http://") && !host.is_some_and(|host| is_this_machine(&host))
    });
    if in_clear {
        findings.push(Finding::warning(
            subject,
            "its key travels to another machine in clear: base_url is http://",
            "use https://, or a tunnel",
        ));
    }
    findings
}

/// What the last session event said.
async fn session(patient: &Patient<'_>, sender: &Sender, subject: &str) -> Option<Finding> {
    let change = match patient.store.session(&sender.name).await {
        Ok(change) => change?,
        Err(error) => {
            return Some(Finding::error(
                subject,
                format!("its session cannot be read: {error}"),
                "see the log",
            ));
        }
    };
    let action = match &change.status {
        Status::Working => return None,
        Status::ScanQrCode => "scan the code: `switchboard sender connect NAME`",
        Status::PasskeyRequired | Status::PasskeyConfirmationRequired => "confirm the passkey on the phone",
        Status::Starting => "wait a minute; if it stays so, `switchboard sender connect NAME`",
        Status::Stopped | Status::Failed | Status::Other(_) => {
            "start it again: `switchboard sender connect NAME`"
        }
    };
    Some(Finding::error(subject, format!("its WhatsApp session is {}", change.status), action))
}

async fn at_the_provider(patient: &Patient<'_>, sender: &Sender, subject: &str) -> Vec<Finding> {
    let adapter = channel::adapter(sender.provider());
    if sender.provider().is_simulated() {
        return Vec::new();
    }
    let Some(probe) = adapter.probe(sender) else { return vec![not_asked(sender, subject)] };
    match patient.egress.send_in(sender, probe, PATIENCE).await.map_err(Outcome::from) {
        Err(Outcome::Failed { fate: Fate::Unknown, .. }) => vec![Finding::error(
            subject,
            format!("{} does not answer within {} s", sender.provider(), PATIENCE.as_secs()),
            REACH,
        )],
        Err(Outcome::Failed { error, .. }) => {
            vec![Finding::error(subject, format!("{} cannot be asked: {error}", sender.provider()), REACH)]
        }
        Err(Outcome::Sent { .. }) => Vec::new(),
        Ok(answer) => {
            let mut findings = vec![verdict(sender, &answer, subject)];
            findings.extend(settings(patient, sender, &answer, subject).await);
            findings.extend(skew(&answer, patient.now, subject));
            findings
        }
    }
}

/// Nothing is wrong that is known, which is less than well.
fn not_asked(sender: &Sender, subject: &str) -> Finding {
    let why = match channel::adapter(sender.provider()).unasked() {
        _ if sender.api_key.is_empty() => "there is no key to ask with",
        Some(why) => why,
        None => "its settings do not say whom",
    };
    Finding::good(subject, format!("not asked: {why}"))
}

fn verdict(sender: &Sender, answer: &Answer, subject: &str) -> Finding {
    let provider = sender.provider();
    match channel::adapter(provider).probed(sender, answer.status, &answer.body) {
        Ok(said) => Finding::good(subject, said),
        Err(unwell) => {
            let action = match unwell.cause {
                Cause::KeyRefused => NEW_KEY,
                Cause::NotKnown if provider.has_sessions() => {
                    "`switchboard sender connect NAME` makes the session"
                }
                Cause::NotKnown => {
                    "check its account: `switchboard sender list`; the provider does not know it, or the key may not see it"
                }
                Cause::Other if provider.has_sessions() => {
                    "`switchboard sender connect NAME`; if that does not help, look into WAHA's own log"
                }
                Cause::Other => {
                    "see what the provider says; `switchboard sender list` shows base_url and account"
                }
            };
            Finding::error(subject, unwell.what, action)
        }
    }
}

/// A WAHA session may say that it works, and have lost what makes its messages come here.
async fn settings(patient: &Patient<'_>, sender: &Sender, answer: &Answer, subject: &str) -> Option<Finding> {
    if !sender.provider().has_sessions() {
        return None;
    }
    let session = waha::read(answer.status, &answer.body).ok()?;
    let config = patient.config;
    let gateway = config.waha.gateway_for(sender.base_url.as_deref(), config.listen)?;
    let is_ours = patient.store.wish(&sender.name).await.ok()? == Wish::Connected;
    let faults = Wanted::of(sender, &gateway).lacking(&session, is_ours, (patient.heard)(&sender.name));
    if faults.is_empty() {
        return None;
    }
    let action = "`switchboard sender connect NAME` puts it right";
    Some(match faults.as_slice() {
        [Fault::Store | Fault::Address] => Finding::warning(subject, Fault::told(&faults), action),
        // Nobody knows whether they come another way.
        _ if !is_ours && faults.contains(&Fault::NoWebhook) => {
            let what = format!("{}, unless WAHA was told of it outside the session", Fault::told(&faults));
            Finding::warning(subject, what, action)
        }
        _ => Finding::error(subject, Fault::told(&faults), action),
    })
}

fn skew(answer: &Answer, now: Timestamp, subject: &str) -> Option<Finding> {
    let date = answer.headers.get(DATE)?.to_str().ok()?;
    let theirs = jiff::fmt::rfc2822::parse(date).ok()?.timestamp().as_millisecond();
    let ahead_ms = now.as_ms() - theirs;
    (ahead_ms.abs() > SKEW_MS).then(|| {
        Finding::warning(
            subject,
            format!("this machine's clock is {} s apart from the provider's", ahead_ms.abs() / 1000),
            "set this machine's clock: `timedatectl set-ntp true`, or another NTP client",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(sender: serde_json::Value) -> Vec<String> {
        let sender: Sender = serde_json::from_value(sender).expect("a sender");
        on_paper(&sender, "sender main").into_iter().map(|finding| finding.what).collect()
    }

    #[test]
    fn what_a_configuration_lacks() {
        let meta = serde_json::json!({"name": "m", "provider": "meta", "account": "1", "hmac_key": "k"});
        let said = findings(meta);
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(said[0].contains("no api_key") && said[1].contains("no verify_token"), "{said:?}");
        let waha = |url: &str| serde_json::json!({"name": "w", "provider": "waha", "account": "a", "base_url": url, "hmac_key": "k"});
        for near in ["http://127.0.0.1:3000", "http://localhost", "http://[::1]:3000", "https://waha.example"]
        {
            assert_eq!(findings(waha(near)), Vec::<String>::new(), "{near}");
        }
        assert!(findings(waha("http://10.0.0.7:3000"))[0].contains("in clear"));
    }

    #[test]
    fn clocks() {
        let answer = |date: &str| Answer {
            status: 200,
            headers: http::HeaderMap::from_iter([(DATE, date.parse().expect("a header"))]),
            body: Vec::new(),
            cut: false,
        };
        let now = Timestamp::from_ms(1_772_366_400_000); // 2026-03-01T12:00:00Z
        assert_eq!(skew(&answer("Sun, 01 Mar 2026 12:00:30 GMT"), now, "s"), None);
        let far =
            skew(&answer("Sun, 01 Mar 2026 12:05:00 GMT"), now, "s").expect("five minutes are too much");
        assert_eq!(far.what, "this machine's clock is 300 s apart from the provider's");
        assert_eq!(skew(&answer("yesterday"), now, "s"), None);
    }
}
