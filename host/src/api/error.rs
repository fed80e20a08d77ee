//! What a caller of the API is told when something cannot be done: a status, a code for programs, a
//! safe sentence, and what to do next. The log gets the cause. Status codes live here and nowhere
//! else in the API.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::body;
use crate::brain;
use crate::channel;
use crate::config::document::Problem;
use crate::declared::rules::Fault;
use crate::glyph::Shown;
use crate::identity;
use crate::keyring;
use crate::reload;
use crate::session::error as session;
use crate::store::{self, Limit};
use crate::template_sync;

/// `{"error":{"code":"...","message":"...","action":"..."}}`.
#[derive(Debug)]
pub struct Error {
    status: StatusCode,
    code: &'static str,
    message: String,
    action: String,
    /// The WhatsApp session's status, where that is why.
    session_status: Option<Box<str>>,
    /// In seconds, where that is known.
    retry_after: Option<u64>,
    /// Mistakes in files, one a line.
    problems: Box<[String]>,
}

pub type Result<T> = std::result::Result<T, Error>;

fn error(
    status: StatusCode,
    code: &'static str,
    message: impl Into<String>,
    action: impl Into<String>,
) -> Error {
    // Whoever's words are in it: a line that can be shown, and no longer than somebody reads.
    let line = |text: String| String::from(Shown::from(text));
    let (message, action) = (line(message.into()), line(action.into()));
    Error { status, code, message, action, session_status: None, retry_after: None, problems: Box::default() }
}

impl Error {
    pub fn unauthorized() -> Self {
        error(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "this needs a token, and the request has none that is valid",
            "send `Authorization: Bearer TOKEN`; `switchboard key add` makes tokens",
        )
    }

    pub fn status(&self) -> StatusCode {
        self.status
    }

    pub fn is_unauthorized(&self) -> bool {
        self.status == StatusCode::UNAUTHORIZED
    }

    pub fn too_many_keys(most: u32) -> Self {
        let what = format!("too many requests with a token that is not valid: limit {most} within a minute");
        let error =
            error(StatusCode::TOO_MANY_REQUESTS, "too_many_keys", what, "send a valid token, or wait");
        Error { retry_after: Some(60), ..error }
    }

    pub fn too_many_at_once(most: usize) -> Self {
        let error = error(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_at_once",
            format!("this tenant's keys have as many requests under way as they may have: limit {most}"),
            "wait until some are answered; those that wait for news (wait_s) count too",
        );
        Error { retry_after: Some(1), ..error }
    }

    pub fn operator_only() -> Self {
        error(
            StatusCode::FORBIDDEN,
            "operator_only",
            "a tenant's key may not do this",
            "use the operator's token",
        )
    }

    pub fn another_site() -> Self {
        error(
            StatusCode::FORBIDDEN,
            "another_site",
            "a page of another site had a browser send this",
            "send it from a program of yours; no page of another site may",
        )
    }

    pub fn this_machine_only(what: &str) -> Self {
        error(
            StatusCode::FORBIDDEN,
            "this_machine_only",
            format!("{what} is possible on the gateway's own machine only"),
            "run the command there, without --url",
        )
    }

    pub fn not_found(message: impl Into<String>, action: impl Into<String>) -> Self {
        error(StatusCode::NOT_FOUND, "not_found", message, action)
    }

    pub fn no_tenant(id: impl std::fmt::Display) -> Self {
        Error::not_found(
            format!("there is no tenant {id}"),
            "`switchboard tenant list` shows those there are",
        )
    }

    pub fn no_such_address() -> Self {
        error(StatusCode::NOT_FOUND, "not_found", "there is no such address", "see docs/operators.md")
    }

    pub fn wrong_method() -> Self {
        error(
            StatusCode::METHOD_NOT_ALLOWED,
            "wrong_method",
            "this address does not take this method",
            "see docs/operators.md",
        )
    }

    pub fn malformed(message: impl Into<String>, action: impl Into<String>) -> Self {
        error(StatusCode::BAD_REQUEST, "malformed", message, action)
    }

    pub fn too_large(message: impl Into<String>, action: impl Into<String>) -> Self {
        error(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message, action)
    }

    /// What a page of another site could have sent looks like this too.
    pub fn not_json() -> Self {
        error(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "not_json",
            "the request does not say that its body is JSON",
            "send it with the header `Content-Type: application/json`",
        )
    }

    /// Well-formed, and still not possible.
    pub fn invalid(message: impl Into<String>, action: impl Into<String>) -> Self {
        error(StatusCode::UNPROCESSABLE_ENTITY, "invalid", message, action)
    }

    /// The first of the faults decides the key; all are told.
    pub fn faults(faults: &[Fault]) -> Self {
        let told = |fault: &Fault| {
            if fault.key.is_empty() { fault.what.clone() } else { format!("{}: {}", fault.key, fault.what) }
        };
        let messages: Vec<String> = faults.iter().map(told).collect();
        let actions: Vec<&str> = faults.iter().map(|fault| fault.action.as_str()).collect();
        Error::invalid(messages.join("; "), actions.join("; "))
    }

    pub fn conflict(message: impl Into<String>, action: impl Into<String>) -> Self {
        error(StatusCode::CONFLICT, "conflict", message, action)
    }

    pub fn internal() -> Self {
        error(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "something went wrong inside the gateway",
            "look into its log",
        )
    }

    pub fn unavailable(message: impl Into<String>, action: impl Into<String>) -> Self {
        error(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message, action)
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut body = json!({"error": {"code": self.code, "message": self.message, "action": self.action}});
        if let Some(status) = self.session_status {
            body["error"]["session_status"] = String::from(status).into();
        }
        if !self.problems.is_empty() {
            body["error"]["problems"] = self.problems.into_vec().into();
        }
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        match self.status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
            }
            _ => {}
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

impl From<store::Error> for Error {
    fn from(cause: store::Error) -> Self {
        match cause {
            store::Error::NotFound(message) => Error::not_found(message, "list what there is and try again"),
            store::Error::Conflict(message) => {
                error(StatusCode::CONFLICT, "conflict", message, "look at what is there and decide")
            }
            // The hour brings more of the one, and nothing but room more of the other.
            store::Error::Limit { of, message } => {
                let status = match of {
                    Limit::Rate => StatusCode::TOO_MANY_REQUESTS,
                    Limit::Quota => StatusCode::UNPROCESSABLE_ENTITY,
                    Limit::Timers | Limit::Lead | Limit::Templates => {
                        return Error::invalid(message, "ask for less");
                    }
                };
                let next =
                    "see what is used: `switchboard tenant quotas ID`, or GET /api/tenants/{id}/quotas";
                error(status, "quota", message, next)
            }
            // The store has said so once.
            store::Error::Full(why) => Error::unavailable(why, "make room on the gateway's disk"),
            store::Error::Busy(why) => {
                tracing::warn!(why, "a request was refused: the store is busy");
                Error::unavailable("the store cannot take more now; nothing was changed", "try again shortly")
            }
            store::Error::Failed(why) => {
                tracing::error!(why, "a request was refused: the store failed");
                Error::unavailable("the store failed; nothing was changed", "look into the gateway's log")
            }
        }
    }
}

impl From<keyring::Error> for Error {
    fn from(cause: keyring::Error) -> Self {
        let conflict = |cause: keyring::Error, action| {
            error(StatusCode::CONFLICT, "conflict", cause.to_string(), action)
        };
        match cause {
            keyring::Error::Store(cause) => cause.into(),
            keyring::Error::NotFound(_) => {
                Error::not_found(cause.to_string(), "`switchboard keys list` shows them")
            }
            keyring::Error::Busy => conflict(cause, "try again shortly"),
            keyring::Error::Current(_) => conflict(cause, "rotate first: switchboard keys rotate"),
            keyring::Error::InEnvironment => conflict(
                cause,
                "make a key with `openssl rand -base64 32`, set the variable to the present keys, a comma \
                 and the new one, and restart: the start seals everything with the last one. Take a key \
                 out once `switchboard keys list` says that it seals nothing",
            ),
            keyring::Error::Io { .. }
            | keyring::Error::Line { .. }
            | keyring::Error::Variable { .. }
            | keyring::Error::Nothing
            | keyring::Error::NoRandomNumbers(_) => {
                tracing::error!(%cause, "the keys of the secrets cannot be read or changed");
                Error::unavailable("the keys cannot be read or changed", "look into the gateway's log")
            }
        }
    }
}

impl From<reload::Error> for Error {
    fn from(cause: reload::Error) -> Self {
        let message = cause.to_string();
        match cause {
            reload::Error::Problems(problems) => {
                let error = Error::invalid(message, "mend the files and reload again");
                let line = |problem: &Problem| String::from(Shown::from(problem.to_string()));
                Error { problems: problems.iter().map(line).collect(), ..error }
            }
            reload::Error::Keys(keyring::Error::Store(store::Error::Conflict(_))) => {
                Error::conflict(message, "put the key back, or rotate first: switchboard keys rotate")
            }
            reload::Error::Keys(_) => Error::invalid(message, "mend the key file and reload again"),
            reload::Error::Store(cause) => cause.into(),
            reload::Error::NoSource => Error::conflict(message, "start it with `switchboard serve`"),
        }
    }
}

impl From<session::Error> for Error {
    fn from(cause: session::Error) -> Self {
        let (message, action) = (cause.to_string(), cause.action());
        match cause {
            session::Error::Store(cause) => cause.into(),
            session::Error::Faults(faults) => Error::faults(&faults),
            session::Error::NoSender(_) => Error::not_found(message, action),
            session::Error::NoSession => error(StatusCode::CONFLICT, "session_status", message, action),
            session::Error::NotNow { status } => {
                let error = error(StatusCode::CONFLICT, "session_status", message, action);
                Error { session_status: Some(status.word().into()), ..error }
            }
            session::Error::NoNumber(_) => Error::malformed(message, action),
            session::Error::NoWaha | session::Error::NotWaha(_) | session::Error::Unreachable { .. } => {
                Error::invalid(message, action)
            }
            session::Error::Waha(why)
            | session::Error::NotAsked(why)
            | session::Error::OneSession(why)
            | session::Error::Busy(why)
            | session::Error::Refused(why) => {
                tracing::warn!(why, "WAHA did not do what was asked of it");
                error(StatusCode::BAD_GATEWAY, "provider", message, action)
            }
            session::Error::Random(_) => {
                tracing::error!(error = message, "a session could not be given a key");
                Error::internal()
            }
        }
    }
}

impl From<template_sync::Error> for Error {
    fn from(cause: template_sync::Error) -> Self {
        use template_sync::Error as Cause;
        let message = cause.to_string();
        match cause {
            Cause::Store(cause) => cause.into(),
            Cause::NoSender(_) => {
                Error::not_found(message, "`switchboard sender list` shows those there are")
            }
            Cause::NoTemplates(_) | Cause::NoSenders => Error::invalid(
                message,
                format!("use a sender of {}; elsewhere no window closes", channel::with_templates("or")),
            ),
            Cause::SwitchedOff(_) => Error::invalid(message, "switch it on, or use another sender"),
            Cause::Mistakes(_) => Error::invalid(message, "mend the template"),
            Cause::AllLanguages { .. } => {
                Error::conflict(message, "add ?all_languages=true (--all-languages) if they are to go too")
            }
            Cause::AnothersLanguage { .. } => Error::conflict(
                message,
                "leave it, or delete it in the portal of the provider, whose list then tells of all",
            ),
            Cause::Encode(_) => Error::invalid(message, "mend the template or the sender"),
            Cause::Submitted(_) | Cause::Busy | Cause::TooSoon { .. } => error(
                StatusCode::CONFLICT,
                "conflict",
                message,
                "look at what is there: switchboard template list",
            ),
            Cause::Refused(_) => error(
                StatusCode::BAD_GATEWAY,
                "provider_refused",
                message,
                "nothing was changed at the provider; mend what it says and try again",
            ),
            Cause::NotAsked(_) => error(
                StatusCode::BAD_GATEWAY,
                "provider",
                message,
                "nothing was asked of the provider; see that it is reached and takes the sender's key, and try again",
            ),
            Cause::Unknown(_) => error(
                StatusCode::BAD_GATEWAY,
                "provider_unclear",
                message,
                "it may have been done: switchboard template sync tells",
            ),
        }
    }
}

impl From<body::Error> for Error {
    fn from(cause: body::Error) -> Self {
        let message = cause.to_string();
        match cause {
            body::Error::TooLarge { .. } => error(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too_large",
                message,
                "send less, or raise http.upload_body_bytes",
            ),
            body::Error::TooSlow { .. } => error(
                StatusCode::REQUEST_TIMEOUT,
                "too_slow",
                message,
                "send it faster, or raise http.body_timeout_ms",
            ),
            body::Error::NoRoom { .. } => Error::unavailable(message, "try again shortly"),
            body::Error::Broken(_) => Error::malformed(message, "send the whole body"),
        }
    }
}

impl From<identity::Error> for Error {
    fn from(cause: identity::Error) -> Self {
        Error::malformed(
            format!("this is nobody's address: {cause}"),
            "write a phone number with its country code, such as 971501234567",
        )
    }
}

impl From<brain::Refused> for Error {
    fn from(cause: brain::Refused) -> Self {
        if let Some(after) = cause.retry_after {
            let action = "what ran before still runs; push again then";
            let error = error(StatusCode::TOO_MANY_REQUESTS, "not_now", cause.reason, action);
            return Error { retry_after: Some(after.as_secs().max(1)), ..error };
        }
        error(
            StatusCode::UNPROCESSABLE_ENTITY,
            "refused",
            cause.reason.to_string(),
            "what ran before still runs; mend this and push again",
        )
    }
}
