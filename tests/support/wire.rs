//! Connections that can be reset from inside a request: the client sees a TCP reset, as when the
//! provider's process is killed or a firewall steps in.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use axum::extract::connect_info::Connected;
use axum::response::Response;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// Pulls its connection.
#[derive(Clone, Debug)]
pub struct Plug(Arc<Pull>);

#[derive(Debug, Default)]
struct Pull {
    pulled: AtomicBool,
    reader: Mutex<Option<Waker>>,
}

impl Plug {
    /// Resets the connection; there is no answer then.
    pub async fn reset(self) -> Response {
        self.0.pulled.store(true, Ordering::SeqCst);
        let reader = self.0.reader.lock().expect("nothing panics while it holds the waker").take();
        if let Some(waker) = reader {
            waker.wake();
        }
        std::future::pending().await
    }
}

impl Connected<IncomingStream<'_, Wires>> for Plug {
    fn connect_info(stream: IncomingStream<'_, Wires>) -> Self {
        stream.io().plug.clone()
    }
}

#[derive(Debug)]
pub struct Wires(pub TcpListener);

impl Listener for Wires {
    type Io = Wire;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Wire, SocketAddr) {
        loop {
            if let Ok((stream, address)) = self.0.accept().await {
                return (Wire { stream, plug: Plug(Arc::default()) }, address);
            }
            tokio::task::yield_now().await;
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    plug: Plug,
}

impl Wire {
    fn check(&self) -> io::Result<()> {
        if !self.plug.0.pulled.load(Ordering::SeqCst) {
            return Ok(());
        }
        // Without lingering, closing sends a reset instead of an orderly end.
        self.stream.set_zero_linger()?;
        Err(io::ErrorKind::ConnectionReset.into())
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        *wire.plug.0.reader.lock().expect("nothing panics while it holds the waker") =
            Some(cx.waker().clone());
        wire.check()?;
        Pin::new(&mut wire.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let wire = self.get_mut();
        wire.check()?;
        Pin::new(&mut wire.stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        wire.check()?;
        Pin::new(&mut wire.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        wire.check()?;
        Pin::new(&mut wire.stream).poll_shutdown(cx)
    }
}
