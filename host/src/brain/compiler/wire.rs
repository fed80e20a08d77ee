//! What the gateway and the process that compiles say to each other, over that process's standard
//! input and output. The gateway sends a request and a component; it is answered with frames: a letter,
//! a length and so many bytes. What is compiled is sent before anything of the component runs, so
//! that nothing that runs can change it. Whatever comes back is bounded before it is read.

use std::io::{self, Read, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::brain::grants::Grant;
use crate::message::Timestamp;
use crate::tenant::ResolvedLimits;

/// A request is small beside its texts.
pub const REQUEST_BYTES: usize = 4 << 20;

/// Every frame but the code.
pub const WORD_BYTES: usize = 64 << 10;

/// Compiled code is four to six times what it was made of.
pub const CODE_BYTES: usize = 256 << 20;

/// A component's own words are cut to this.
pub const SHOWN_BYTES: usize = 2_000;

/// What is to be done with the component that follows.
#[derive(Debug, Serialize, Deserialize)]
pub struct Request {
    pub component_bytes: usize,
    /// None: only compile.
    pub rehearsal: Option<Rehearsal>,
}

/// The first run of a component: it is started, and its selftest run with these texts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Rehearsal {
    pub package: String,
    pub grants: Vec<Grant>,
    pub limits: ResolvedLimits,
    pub now: Timestamp,
    /// Of the package below a tenant's own.
    pub below: Option<Map<String, Value>>,
    pub own: Option<Map<String, Value>>,
}

/// What the process is kept from, where the kernel can.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confined {
    /// No file can be opened.
    pub files: bool,
    /// Only the system calls that compiling takes can be made.
    pub calls: bool,
}

/// Why there is no code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unmade {
    /// More memory than it may have was asked for.
    Memory,
    /// It does not fit: what is wrong with it, bounded and visible.
    Component { why: String },
    /// A mistake of ours.
    Broken { why: String },
}

/// How the first run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rehearsed {
    /// It was not asked for.
    Not,
    /// It starts; `selftest` where it has one, which it passed.
    Good { selftest: bool },
    /// It cannot be linked with what it was granted.
    Unlinked { why: String },
    /// It ended badly; `fault` where the brain itself said so.
    Bad { fault: bool, why: String },
}

/// The end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    pub rehearsed: Rehearsed,
    /// Of a core's time.
    pub cpu_ms: u64,
}

/// The letter that a frame begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    Confined,
    Unmade,
    Code,
    Ended,
}

impl Frame {
    pub const HEAD: usize = 5;

    const fn letter(self) -> u8 {
        match self {
            Frame::Confined => b'L',
            Frame::Unmade => b'U',
            Frame::Code => b'C',
            Frame::Ended => b'E',
        }
    }

    /// The frame and how long it is; none where it is not one of ours or longer than it may be.
    pub fn read(head: [u8; Self::HEAD]) -> Option<(Self, usize)> {
        let all = [Frame::Confined, Frame::Unmade, Frame::Code, Frame::Ended];
        let frame = all.into_iter().find(|frame| frame.letter() == head[0])?;
        let length = u32::from_le_bytes([head[1], head[2], head[3], head[4]]) as usize;
        let most = if frame == Frame::Code { CODE_BYTES } else { WORD_BYTES };
        (length <= most).then_some((frame, length))
    }
}

/// A request as bytes, its length first.
pub fn request(request: &Request) -> io::Result<Vec<u8>> {
    let text = serde_json::to_vec(request)?;
    let length = u32::try_from(text.len()).map_err(io::Error::other)?;
    Ok([&length.to_le_bytes()[..], &text].concat())
}

/// Reads a request and the component behind it.
pub fn read_request(from: &mut impl Read, component_bytes: usize) -> io::Result<(Request, Vec<u8>)> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let text = read(from, u32::from_le_bytes(length) as usize, REQUEST_BYTES)?;
    let request: Request = serde_json::from_slice(&text)?;
    let component = read(from, request.component_bytes, component_bytes)?;
    Ok((request, component))
}

fn read(from: &mut impl Read, length: usize, at_most: usize) -> io::Result<Vec<u8>> {
    if length > at_most {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("{length} bytes; at most {at_most}")));
    }
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Writes a frame.
pub fn send(to: &mut impl Write, frame: Frame, bytes: &[u8]) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
    to.write_all(&[frame.letter()])?;
    to.write_all(&length.to_le_bytes())?;
    to.write_all(bytes)?;
    to.flush()
}

/// Writes a frame of JSON.
pub fn say(to: &mut impl Write, frame: Frame, word: &impl Serialize) -> io::Result<()> {
    send(to, frame, &serde_json::to_vec(word)?)
}

pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    serde_json::from_slice(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_back_is_bounded_before_it_is_read() {
        let head = |letter: u8, length: u32| {
            let [a, b, c, d] = length.to_le_bytes();
            Frame::read([letter, a, b, c, d])
        };
        assert_eq!(head(b'E', 7), Some((Frame::Ended, 7)));
        assert_eq!(head(b'E', WORD_BYTES as u32), Some((Frame::Ended, WORD_BYTES)));
        assert_eq!(head(b'E', WORD_BYTES as u32 + 1), None);
        assert_eq!(head(b'C', CODE_BYTES as u32), Some((Frame::Code, CODE_BYTES)));
        assert_eq!(head(b'C', u32::MAX), None);
        assert_eq!(head(b'X', 0), None);
    }

    #[test]
    fn a_request_comes_through_with_its_component() {
        let rehearsal = Rehearsal {
            package: "tenant-2".into(),
            grants: vec![Grant::Log],
            limits: ResolvedLimits::default(),
            now: Timestamp::from_ms(7),
            below: None,
            own: Some(Map::new()),
        };
        let asked = Request { component_bytes: 3, rehearsal: Some(rehearsal) };
        let bytes = [request(&asked).expect("written"), b"abc".to_vec()].concat();
        let (read, component) = read_request(&mut bytes.as_slice(), 3).expect("read");
        assert_eq!(
            (read.rehearsal.expect("there").package.as_str(), component),
            ("tenant-2", b"abc".to_vec())
        );
        assert!(read_request(&mut bytes.as_slice(), 2).is_err(), "more than may be");
    }
}
