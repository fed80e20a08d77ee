//! Files: what a contact sent, and what the tenant stored, by their handles. Takes the grant `media`.
//!
//! ```no_run
//! # use switchboard_sdk::{media, Content, Fault, Turn};
//! # fn f(turn: &Turn) -> Result<(), Fault> {
//! for message in turn.messages() {
//!     if let Content::Media(photo) = &message.content {
//!         let bytes = media::read(&photo.handle, 5 << 20)?;
//!     }
//! }
//! # Ok(()) }
//! ```
//!
//! To send a file on, its handle is enough: no grant is needed, and nothing is read.

pub use self::info::Info;
use crate::fault::Fault;
use crate::host;

pub(crate) mod info;

/// More is not read in one call.
pub(crate) const PIECE_BYTES: u32 = 1 << 20;

/// What is known of a file. One that is still on its way from the provider is waited for a little;
/// then the fault is `not-ready` and retryable.
pub fn describe(handle: &str) -> Result<Info, Fault> {
    Ok(host::describe_file(handle)?)
}

/// The whole file. One that is larger than `at_most` bytes is the fault `too-large`.
pub fn read(handle: &str, at_most: usize) -> Result<Vec<u8>, Fault> {
    let size = describe(handle)?.size;
    if size > at_most as u64 {
        return Err(Fault::new(
            "too-large",
            format!("the file has {size} bytes, at most {at_most} are read"),
        ));
    }
    let mut bytes = Vec::new();
    loop {
        let piece = read_part(handle, bytes.len() as u64, PIECE_BYTES)?;
        if piece.is_empty() {
            return Ok(bytes);
        }
        bytes.extend_from_slice(&piece);
        if bytes.len() as u64 >= size {
            return Ok(bytes);
        }
    }
}

/// Up to `length` bytes from `offset` on, at most 1 MiB; none behind the file's end.
pub fn read_part(handle: &str, offset: u64, length: u32) -> Result<Vec<u8>, Fault> {
    Ok(host::read_file(handle, offset, length.min(PIECE_BYTES))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::{File, Sources, with_sources};

    #[test]
    fn files_are_read_in_pieces() {
        let bytes: Vec<u8> = (0..(PIECE_BYTES as usize * 2 + 3)).map(|at| at as u8).collect();
        let file = File { mime_type: "image/jpeg".into(), bytes: bytes.clone() };
        let files = [("file-1".to_owned(), file)].into_iter().collect();
        let sources = Sources { files: std::sync::Arc::new(files), ..Sources::default() };
        let (answers, _) = with_sources(sources, || {
            (
                describe("file-1"),
                read("file-1", bytes.len()),
                read("file-1", 10),
                read_part("file-1", bytes.len() as u64 - 1, 100),
                read("file-2", 10),
            )
        });
        assert_eq!(answers.0.map(|info| info.size), Ok(bytes.len() as u64));
        assert!(answers.1 == Ok(bytes));
        assert_eq!(answers.2.expect_err("too large").code, "too-large");
        assert_eq!(answers.3.map(|part| part.len()), Ok(1));
        assert_eq!(answers.4.expect_err("unknown").code, "unknown-file");
    }
}
