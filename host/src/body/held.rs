//! A body that keeps something for as long as any of its bytes is not written: a place, room in memory.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};

/// The same body, which keeps `kept` until it is written, or its connection is gone.
pub fn keep<T: Send + Sync + 'static>(body: Body, kept: T) -> Body {
    Body::new(Held { body, kept: Arc::new(kept) })
}

struct Held<T> {
    body: Body,
    kept: Arc<T>,
}

/// Bytes on their way out. They outlive the body: whoever writes them takes them out of it first.
struct Piece<T> {
    bytes: Bytes,
    _kept: Arc<T>,
}

impl<T> AsRef<[u8]> for Piece<T> {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl<T: Send + Sync + 'static> HttpBody for Held<T> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        let piece = |bytes| Bytes::from_owner(Piece { bytes, _kept: self.kept.clone() });
        Poll::Ready(frame.map(|frame| frame.map(|frame| frame.map_data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
