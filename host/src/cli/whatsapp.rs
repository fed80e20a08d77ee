//! Logging a WAHA number in and out from the terminal: `switchboard sender connect`, `switchboard
//! tenant connect` and what belongs to them.

use std::time::{Duration, Instant};

use clap::Args;
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use serde_json::{Value, json};

use crate::cli::client::Client;
use crate::cli::failure::Failure;
use crate::cli::{Result, screen};
use crate::event::session::Status;

/// Between two looks at the session.
const PAUSE: Duration = Duration::from_secs(1);

/// How a number is logged in.
#[derive(Args)]
pub struct Login {
    /// Log in by a code typed on the phone with this number, instead of scanning.
    #[arg(long, value_name = "NUMBER")]
    phone: Option<String>,
    /// How long to wait for the phone.
    #[arg(long, value_name = "MINUTES", default_value_t = 5)]
    wait_minutes: u64,
    /// Set everything up and do not wait for the phone.
    #[arg(long)]
    no_wait: bool,
}

/// The number whose address begins with `base`: `/api/tenants/2/whatsapp`.
pub async fn connect(client: &Client, base: &str, body: Value, args: &Login, json: bool) -> Result<()> {
    let mut state = client.post(&format!("{base}/connect"), &body).await?;
    if json || args.no_wait {
        return show(&state, json);
    }
    let session = screen::text(&state["session"]);
    screen::line(&format!("The session {session} is set up; its webhook leads to this gateway."))?;
    let deadline = Instant::now() + Duration::from_secs(args.wait_minutes.saturating_mul(60));
    let mut phone = Phone { client, base, number: args.phone.as_deref(), shown: None };
    let status_of = |state: &Value| Status::read(state["status"].as_str().unwrap_or_default());
    let mut told = None;
    loop {
        let status = status_of(&state);
        if status == Status::Working {
            break;
        }
        if told.as_ref() != Some(&status) {
            screen::line(&format!("{status}: {}", screen::text(&state["next"])))?;
            told = Some(status.clone());
        }
        if status == Status::ScanQrCode {
            phone.ask().await?;
        }
        if Instant::now() >= deadline {
            return Err(Failure::Incomplete(format!(
                "the phone did not log in within {} minutes; run the command again",
                args.wait_minutes
            )));
        }
        tokio::time::sleep(PAUSE).await;
        state = client.get(&format!("{base}/status")).await?;
    }
    let number = match &state["number"] {
        Value::String(number) => format!(" as {number}"),
        _ => String::new(),
    };
    screen::line(&format!("{}: the session {session} is logged in{number}.", Status::Working))
}

pub async fn status(client: &Client, base: &str, json: bool) -> Result<()> {
    show(&client.get(&format!("{base}/status")).await?, json)
}

pub async fn disconnect(client: &Client, base: &str, json: bool) -> Result<()> {
    let state = client.post(&format!("{base}/disconnect"), &json!({})).await?;
    if json {
        return screen::json(&state);
    }
    if state["sender"].is_null() {
        return screen::line("There is no WhatsApp session to log out.");
    }
    screen::line(&format!("The session {} is logged out.", screen::text(&state["session"])))
}

fn show(state: &Value, json: bool) -> Result<()> {
    if json {
        return screen::json(state);
    }
    let mut state = state.clone();
    if let Value::Object(fields) = &mut state {
        // The same in the words of other programs.
        fields.retain(|name, _| !["success", "connected", "phone", "message"].contains(&name.as_str()));
    }
    screen::fields(&state)
}

/// What the person with the phone is shown.
struct Phone<'a> {
    client: &'a Client,
    base: &'a str,
    /// Whose code is typed; none: the QR code is scanned.
    number: Option<&'a str>,
    /// The code that is on the screen.
    shown: Option<String>,
}

impl Phone<'_> {
    /// Shows the code, if it is a new one: WhatsApp changes QR codes every few seconds. A code that is
    /// gone already, because the session has moved on, is none to show.
    async fn ask(&mut self) -> Result<()> {
        let code = match self.number {
            Some(_) if self.shown.is_some() => return Ok(()),
            Some(number) => {
                let asked = json!({ "phone": number });
                self.client
                    .post(&format!("{}/pairing-code", self.base), &asked)
                    .await
                    .map(|it| it["code"].clone())
            }
            None => {
                self.client.get(&format!("{}/qr?format=text", self.base)).await.map(|it| it["value"].clone())
            }
        };
        let code = match code {
            Ok(code) => screen::text(&code),
            Err(Failure::Refused { status: 409, .. }) => return Ok(()),
            Err(failure) => return Err(failure),
        };
        if self.shown.as_ref() == Some(&code) {
            return Ok(());
        }
        match self.number {
            Some(number) => screen::line(&format!(
                "Type {code} on the phone with {number}: Settings, Linked devices, Link with phone number"
            ))?,
            None => screen::line(&drawn(&code)?)?,
        }
        self.shown = Some(code);
        Ok(())
    }
}

/// Two modules a character. Terminals are dark mostly, so that what is light in the code is drawn.
fn drawn(code: &str) -> Result<String> {
    let code = QrCode::new(code).map_err(|error| anyhow::anyhow!("the QR code cannot be drawn: {error}"))?;
    Ok(code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_code_is_a_square_of_half_blocks() {
        let drawn = super::drawn("2@AbCdEf,Gh/1234567890==,XyZ=,abc").expect("it fits");
        let lines: Vec<&str> = drawn.lines().collect();
        let width = lines[0].chars().count();
        assert!(lines.iter().all(|line| line.chars().count() == width));
        assert_eq!(lines.len(), width.div_ceil(2));
        assert!(drawn.chars().all(|c| matches!(c, ' ' | '█' | '▀' | '▄' | '\n')), "{drawn}");
    }
}
