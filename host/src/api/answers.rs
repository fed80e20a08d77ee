//! What answers take in memory: one that is not small is counted with its caller's bodies until it is
//! written, or until nobody is there to read it. So a caller that asks for much and reads slowly has room
//! for a few answers, and others have theirs.

use axum::body::HttpBody as _;
use axum::response::{IntoResponse as _, Response};

use crate::api::error::Error;
use crate::body::held::keep;
use crate::body::{Memory, Room, SMALL};

/// The answer with its room in `memory`, or that there is none. What is made while it is written, and so
/// has no size, takes none.
pub fn held(memory: &Memory, answer: Response) -> Response {
    let Some(bytes) = answer.body().size_hint().exact() else { return answer };
    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    if bytes <= SMALL {
        return answer;
    }
    let mut room = Room::default();
    match memory.grow(&mut room, bytes) {
        Ok(()) => answer.map(|body| keep(body, room)),
        Err(error) => Error::from(error).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::StatusCode;
    use bytes::Bytes;
    use futures::stream;
    use http_body_util::BodyExt as _;

    use super::*;

    fn large() -> Response {
        "x".repeat(600 << 10).into_response()
    }

    #[tokio::test]
    async fn a_large_answer_has_its_room_until_its_bytes_are_gone() {
        let memory = Memory::new(1 << 20, "http.upload_memory_bytes");
        let first = held(&memory, large());
        assert_eq!(first.status(), StatusCode::OK);
        assert_eq!(first.body().size_hint().exact(), Some(600 << 10), "its length is still said");
        assert_eq!(held(&memory, large()).status(), StatusCode::SERVICE_UNAVAILABLE);
        let mut body = first.into_body();
        let written = body.frame().await.expect("a piece").expect("whole").into_data().expect("bytes");
        drop(body);
        assert_eq!(held(&memory, large()).status(), StatusCode::SERVICE_UNAVAILABLE, "it is being written");
        drop(written);
        assert_eq!(held(&memory, large()).status(), StatusCode::OK);
    }

    #[tokio::test]
    async fn what_is_small_or_has_no_size_takes_none() {
        let memory = Memory::new(1 << 10, "http.upload_memory_bytes");
        let _all = held(&memory, large());
        assert_eq!(held(&memory, "x".repeat(SMALL).into_response()).status(), StatusCode::OK);
        let endless = stream::repeat_with(|| Ok::<_, std::convert::Infallible>(Bytes::from_static(b"x")));
        assert_eq!(held(&memory, Body::from_stream(endless).into_response()).status(), StatusCode::OK);
    }
}
