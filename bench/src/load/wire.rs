//! As much of HTTP/1.1 as two programs of ours need on loopback: messages with a content length,
//! kept alive.

use std::io;

use tokio::net::TcpStream;

pub async fn write_all(stream: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match stream.try_write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => stream.writable().await?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The next message, head and body; `None` when the peer closed before it began. What `received`
/// held is gone: one message is read before the next is asked for.
pub async fn read_message<'a>(stream: &TcpStream, received: &'a mut Vec<u8>) -> io::Result<Option<&'a [u8]>> {
    received.clear();
    let mut whole = None;
    loop {
        if whole.is_none() {
            whole = length(received)?;
        }
        if whole.is_some_and(|whole| received.len() >= whole) {
            return Ok(Some(received));
        }
        match stream.try_read_buf(received) {
            Ok(0) if received.is_empty() => return Ok(None),
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => stream.readable().await?,
            Err(error) => return Err(error),
        }
    }
}

/// Of head and body together, once the head is there.
fn length(received: &[u8]) -> io::Result<Option<usize>> {
    let Some(head) = position(received, b"\r\n\r\n") else { return Ok(None) };
    let body = received[..head].split(|&byte| byte == b'\n').find_map(|line| {
        let (name, value) = line.split_at_checked(b"content-length:".len())?;
        name.eq_ignore_ascii_case(b"content-length:")
            .then(|| std::str::from_utf8(value).ok()?.trim().parse::<usize>().ok())?
    });
    match body {
        Some(body) => Ok(Some(head + 4 + body)),
        None => Err(io::Error::other("a message without a content length")),
    }
}

/// Everything after the head.
pub fn body(message: &[u8]) -> &[u8] {
    position(message, b"\r\n\r\n").map_or(&[], |head| &message[head + 4..])
}

pub fn contains(text: &[u8], part: &[u8]) -> bool {
    position(text, part).is_some()
}

pub fn position(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_message_is_as_long_as_its_head_and_the_length_it_names() {
        assert_eq!(length(b"HTTP/1.1 200 OK\r\nContent-Le").unwrap(), None);
        assert_eq!(length(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n").unwrap(), Some(40));
        assert_eq!(length(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length:10\r\n\r\n{").unwrap(), Some(57));
        assert!(length(b"HTTP/1.1 200 OK\r\nhost: x\r\n\r\n").is_err());
        assert_eq!(body(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), b"ok");
    }
}
