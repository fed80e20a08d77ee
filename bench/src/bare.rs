//! The bare limit: the least program that does the gateway's commits. axum, redb and wasmtime with
//! nothing between them: no routing, no tenants, no order, no retries, no budgets, no journal. What
//! it reaches on a machine is what that machine gives; the gateway is measured against it.
//!
//! `POST /accept` parses the webhook, commits the deduplication key and the inbox entry, answers.
//! `POST /turn` does the same and then runs the turn: a fresh instance of the brain, one commit for
//! memory, outbox and inbox, the reply to WAHA, one commit to settle it.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use clap::Args;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

mod brain;
mod ledger;
mod post;

use brain::{Ask, Brain};
use ledger::Ledger;
use post::Waha;

#[derive(Args)]
pub struct Bare {
    #[arg(long)]
    listen: SocketAddr,
    /// An empty directory for the store.
    #[arg(long)]
    dir: PathBuf,
    /// The package whose brain runs turns.
    #[arg(long)]
    package: PathBuf,
    /// Where replies go.
    #[arg(long)]
    waha: SocketAddr,
}

struct Parts {
    ledger: Ledger,
    brain: Brain,
    waha: Waha,
}

impl Bare {
    /// Serves until killed, or until its standard input ends: then whoever started it is gone.
    pub async fn serve(self) -> Result<()> {
        let parts = Arc::new(Parts {
            ledger: Ledger::open(&self.dir.join("bare.redb"))?,
            brain: Brain::load(&self.package)?,
            waha: Waha::new(self.waha),
        });
        let router = Router::new()
            .route("/accept", post(accept))
            .route("/turn", post(accept_and_run))
            .route("/ready", get(|| async { "ready" }))
            .with_state(parts);
        let listener = TcpListener::bind(self.listen)
            .await
            .with_context(|| format!("cannot listen on {}", self.listen))?;
        let orphaned =
            tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));
        tokio::select! {
            served = axum::serve(axum::serve::ListenerExt::tap_io(listener, |stream| {
                // Without it the kernel waits for more before it sends.
                let _ = stream.set_nodelay(true);
            }), router) => served?,
            _ = orphaned => {}
        }
        Ok(())
    }
}

/// The part of WAHA's webhook that is looked at.
#[derive(Deserialize)]
struct Hook<'a> {
    #[serde(borrow)]
    session: Cow<'a, str>,
    #[serde(borrow)]
    payload: Payload<'a>,
}

#[derive(Deserialize)]
struct Payload<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    timestamp: u64,
    #[serde(borrow)]
    from: Cow<'a, str>,
    #[serde(borrow)]
    body: Cow<'a, str>,
}

/// What is kept of a message.
#[derive(Serialize)]
struct Entry<'a> {
    id: &'a str,
    from: &'a str,
    text: &'a str,
    sent_at: u64,
}

#[derive(Serialize)]
struct SendText<'a> {
    session: &'a str,
    #[serde(rename = "chatId")]
    chat_id: &'a str,
    text: &'a str,
}

async fn accept(State(parts): State<Arc<Parts>>, body: Bytes) -> Response {
    answer(keep(&parts, &body).await)
}

async fn accept_and_run(State(parts): State<Arc<Parts>>, body: Bytes) -> Response {
    let kept = keep(&parts, &body).await;
    if let Ok(Some(number)) = kept {
        tokio::spawn(async move {
            if let Err(error) = turn(&parts, &body, number).await {
                eprintln!("bare: a turn failed: {error:#}");
            }
        });
    }
    answer(kept)
}

async fn keep(parts: &Parts, body: &[u8]) -> Result<Option<u64>> {
    let hook: Hook<'_> = serde_json::from_slice(body)?;
    let payload = &hook.payload;
    let entry =
        Entry { id: &payload.id, from: &payload.from, text: &payload.body, sent_at: payload.timestamp };
    parts.ledger.accept(format!("{}/{}", hook.session, payload.id), serde_json::to_vec(&entry)?).await
}

async fn turn(parts: &Parts, body: &[u8], number: u64) -> Result<()> {
    let hook: Hook<'_> = serde_json::from_slice(body)?;
    let payload = hook.payload;
    let contact = payload.from.split('@').next().unwrap_or_default().to_owned();
    let wanted = parts.brain.handle(Ask {
        memory: parts.ledger.memory(&contact)?,
        contact: contact.clone(),
        message_id: payload.id.into_owned(),
        text: payload.body.into_owned(),
        sent_at_ms: payload.timestamp * 1000,
        seed: number,
    })?;
    let replies = wanted
        .texts
        .iter()
        .map(|text| serde_json::to_vec(&SendText { session: &hook.session, chat_id: &payload.from, text }))
        .collect::<serde_json::Result<Vec<_>>>()?;
    let sends = replies.iter().cloned().map(Bytes::from).collect::<Vec<_>>();
    let numbers = parts.ledger.turn(number, contact, wanted.memory, replies).await?;
    for (send, number) in sends.into_iter().zip(numbers) {
        parts.waha.send_text(send).await?;
        parts.ledger.settle(number).await?;
    }
    Ok(())
}

fn answer(kept: Result<Option<u64>>) -> Response {
    match kept {
        Ok(_) => (StatusCode::OK, "{\"status\":\"routed\"}").into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()).into_response(),
    }
}
