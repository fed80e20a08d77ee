//! The loopback WAHA: takes what the gateway sends, answers as the GOWS engine does, and tells the
//! load which of its messages has been replied to, by the token in the text.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::io::Write as _;
use std::net::SocketAddr;
use std::rc::Rc;

use anyhow::Result;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::webhook::TOKEN_MARK;
use super::wire;

/// Bytes of a token in a text.
const TOKEN_DIGITS: usize = 16;

/// Someone waits for the first reply that has this part, or that lacks it.
struct Watch {
    part: Vec<u8>,
    there: bool,
    told: oneshot::Sender<()>,
}

pub struct Sink {
    address: SocketAddr,
    tokens: Cell<u64>,
    /// Messages that wait for their reply.
    waiting: RefCell<HashMap<u64, oneshot::Sender<()>, BuildHasherDefault<Identity>>>,
    /// Replies that nobody waited for: to the second of two, fallback texts, notices.
    pub unexpected: Cell<u64>,
    watched: RefCell<Option<Watch>>,
}

impl Sink {
    /// Listens on a free port; serves on the current thread until the runtime ends.
    pub async fn open() -> Result<Rc<Self>> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let sink = Rc::new(Sink {
            address: listener.local_addr()?,
            tokens: Cell::new(0),
            waiting: RefCell::default(),
            unexpected: Cell::new(0),
            watched: RefCell::default(),
        });
        let serving = sink.clone();
        tokio::task::spawn_local(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let sink = serving.clone();
                tokio::task::spawn_local(async move {
                    // A broken connection shows as a reply that never comes.
                    let _ = sink.serve(stream).await;
                });
            }
        });
        Ok(sink)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Never the same twice.
    pub fn next_token(&self) -> u64 {
        let token = self.tokens.get() + 1;
        self.tokens.set(token);
        token
    }

    /// Resolves when the reply with this token arrives.
    pub fn expect(&self, token: u64) -> oneshot::Receiver<()> {
        let (told, reply) = oneshot::channel();
        self.waiting.borrow_mut().insert(token, told);
        reply
    }

    /// Resolves at the first reply to the load that has `part` in it, or, if not `there`, lacks it.
    pub fn watch(&self, part: &[u8], there: bool) -> oneshot::Receiver<()> {
        let (told, seen) = oneshot::channel();
        *self.watched.borrow_mut() = Some(Watch { part: part.to_vec(), there, told });
        seen
    }

    async fn serve(&self, stream: TcpStream) -> Result<()> {
        stream.set_nodelay(true)?;
        let mut received = Vec::with_capacity(4096);
        let mut answer = Vec::with_capacity(512);
        while let Some(request) = wire::read_message(&stream, &mut received).await? {
            self.take(wire::body(request));
            self.answer(request, &mut answer);
            wire::write_all(&stream, &answer).await?;
        }
        Ok(())
    }

    fn take(&self, body: &[u8]) {
        let waiting = token(body).and_then(|token| self.waiting.borrow_mut().remove(&token));
        match waiting {
            Some(told) => {
                // Whoever waited may have run out of patience.
                let _ = told.send(());
                self.look(body);
            }
            None => self.unexpected.set(self.unexpected.get() + 1),
        }
    }

    fn look(&self, body: &[u8]) {
        let mut watched = self.watched.borrow_mut();
        if watched.as_ref().is_some_and(|watch| wire::contains(body, &watch.part) == watch.there)
            && let Some(watch) = watched.take()
        {
            let _ = watch.told.send(());
        }
    }

    /// As GOWS answers `sendText`.
    fn answer(&self, request: &[u8], answer: &mut Vec<u8>) {
        let chat = chat(wire::body(request)).unwrap_or("unknown@c.us");
        let id = format!("3EB0{:016X}", self.next_token());
        let body = format!(
            r#"{{"id":"true_{chat}_{id}","_data":{{"Info":{{"ID":"{id}","Chat":"{chat}","IsFromMe":true}}}}}}"#
        );
        answer.clear();
        // Writing to a vector cannot fail.
        let _ = write!(
            answer,
            "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
    }
}

fn token(body: &[u8]) -> Option<u64> {
    let at = wire::position(body, TOKEN_MARK)? + TOKEN_MARK.len();
    let digits = std::str::from_utf8(body.get(at..at + TOKEN_DIGITS)?).ok()?;
    u64::from_str_radix(digits, 16).ok()
}

fn chat(body: &[u8]) -> Option<&str> {
    const KEY: &[u8] = b"\"chatId\":\"";
    let at = wire::position(body, KEY)? + KEY.len();
    let length = wire::position(&body[at..], b"\"")?;
    std::str::from_utf8(&body[at..at + length]).ok()
}

/// Tokens are counters: no need to hash them.
#[derive(Default)]
struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        super::webhook::mix(self.0)
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0 << 8 | u64::from(byte);
        }
    }

    fn write_u64(&mut self, token: u64) {
        self.0 = token;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_known_by_its_token_and_its_chat() {
        let body = br#"{"session":"default","chatId":"971500000007@c.us","text":"You said: Hello from GOWS, no. 00000000000000ff"}"#;
        assert_eq!(token(body), Some(255));
        assert_eq!(chat(body), Some("971500000007@c.us"));
        assert_eq!(token(br#"{"text":"Hello, no. 12"}"#), None);
    }
}
