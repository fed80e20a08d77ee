//! Looks for what a brain must not see: files, environment, arguments, sockets.

use std::net::{TcpListener, TcpStream, ToSocketAddrs};

use switchboard_sdk::{Content, Turn, media};

/// `nothing`, or what could be seen.
pub fn report() -> String {
    let mut seen = Vec::new();
    for path in ["/", ".", "/etc", "/data"] {
        if let Ok(entries) = std::fs::read_dir(path) {
            seen.push(format!("{path} with {} entries", entries.count()));
        }
    }
    for path in ["/etc/passwd", "plugin.toml", "personality.toml"] {
        if std::fs::read(path).is_ok() {
            seen.push(format!("the file {path}"));
        }
    }
    if std::fs::write("/tmp/hostile", b"was here").is_ok() {
        seen.push("a file to write".to_owned());
    }
    seen.extend(std::env::vars().map(|(name, _)| format!("the variable {name}")));
    seen.extend(std::env::args().map(|argument| format!("the argument {argument}")));
    if TcpStream::connect(("127.0.0.1", 8000)).is_ok() {
        seen.push("a connection to port 8000".to_owned());
    }
    if TcpListener::bind(("127.0.0.1", 0)).is_ok() {
        seen.push("a port to listen on".to_owned());
    }
    if ("localhost", 80).to_socket_addrs().is_ok() {
        seen.push("a name that resolves".to_owned());
    }
    if seen.is_empty() { "nothing".to_owned() } else { seen.join("; ") }
}

/// This one, or that of the file that came in this turn.
pub fn handle(turn: &Turn, named: &str) -> String {
    let came = turn.messages().iter().find_map(|message| match &message.content {
        Content::Media(file) => Some(file.handle.clone()),
        _ => None,
    });
    if named.is_empty() { came.unwrap_or_default() } else { named.to_owned() }
}

/// A file's type and size, or the code of the refusal.
pub fn described(handle: &str) -> String {
    match media::describe(handle) {
        Ok(info) => format!("{} of {} bytes", info.mime_type, info.size),
        Err(fault) => fault.code,
    }
}

/// A file's text, or the code of the refusal.
pub fn bytes(handle: &str) -> String {
    match media::read(handle, 1 << 20) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(fault) => fault.code,
    }
}

/// How much comes at once.
pub fn piece(handle: &str) -> String {
    match media::read_part(handle, 1, u32::MAX) {
        Ok(bytes) => bytes.len().to_string(),
        Err(fault) => fault.code,
    }
}

pub fn labels(turn: &Turn) -> String {
    turn.labels().iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}

/// The click that led to the first message.
pub fn referral(turn: &Turn) -> String {
    let referral = turn.messages().first().and_then(|message| turn.referral(message));
    referral.and_then(|referral| referral.click_id).unwrap_or_else(|| "none".to_owned())
}
