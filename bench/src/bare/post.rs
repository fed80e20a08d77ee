//! The bare limit's way to WAHA: keep-alive connections, taken when free, opened when none is.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

pub struct Waha {
    address: SocketAddr,
    free: Mutex<Vec<SendRequest<Full<Bytes>>>>,
}

impl Waha {
    pub fn new(address: SocketAddr) -> Self {
        Waha { address, free: Mutex::new(Vec::new()) }
    }

    pub async fn send_text(&self, body: Bytes) -> Result<()> {
        let mut connection = match self.take() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let request = Request::post("/api/sendText")
            .header(header::HOST, "127.0.0.1")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))?;
        let response = connection.send_request(request).await?;
        let status = response.status();
        response.into_body().collect().await?;
        if status != 201 {
            bail!("WAHA answered {status}");
        }
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        Ok(())
    }

    /// A connection that is still open.
    fn take(&self) -> Option<SendRequest<Full<Bytes>>> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        std::iter::from_fn(|| free.pop()).find(SendRequest::is_ready)
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>> {
        let stream = TcpStream::connect(self.address).await.context("cannot connect to WAHA")?;
        stream.set_nodelay(true)?;
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        sender.ready().await?;
        Ok(sender)
    }
}
