//! The frame of the way of a message.

use super::{Read, VERSION, named};
use crate::message::SenderName;
use crate::route::Via;
use crate::store::frames::codec::{Eye, Pen};
use crate::store::rows::way::{Dealt, Way};

pub fn write(way: &Way, buffer: &mut Vec<u8>) {
    let mut pen = Pen::new(buffer, VERSION);
    pen.u8(match way.dealt {
        Dealt::Turn => 0,
        Dealt::Dead => 1,
        Dealt::PutDown => 2,
    });
    pen.u8(via_code(way.via));
    pen.u32(way.failures);
    pen.time(way.received_at);
    pen.time(way.dealt_at);
    pen.u64(way.turn);
    pen.u64(way.line.unwrap_or_default());
    for places in [&way.journal, &way.replies] {
        pen.u32(places.len() as u32);
        places.iter().for_each(|place| pen.u64(*place));
    }
    pen.raw(way.sender.as_ref().map_or("", SenderName::as_str).as_bytes());
}

pub fn read(bytes: &[u8]) -> Read<Way> {
    let mut eye = Eye::new("ways", bytes, VERSION)?;
    let dealt = match eye.u8()? {
        0 => Dealt::Turn,
        1 => Dealt::Dead,
        2 => Dealt::PutDown,
        other => return Err(eye.wrong(format!("unknown end {other}"))),
    };
    let (via, failures) = (via_of(&mut eye)?, eye.u32()?);
    let (received_at, dealt_at) = (eye.time()?, eye.time()?);
    let (turn, line) = (eye.u64()?, named(eye.u64()?));
    let (journal, replies) = (places(&mut eye)?, places(&mut eye)?);
    let wrong = eye.wrong("a sender's name is not UTF-8");
    let sender = std::str::from_utf8(eye.rest()).map_err(|_| wrong)?;
    let sender = (!sender.is_empty()).then(|| SenderName::new(sender));
    Ok(Way { dealt, via, failures, received_at, dealt_at, turn, line, journal, replies, sender })
}

fn places(eye: &mut Eye<'_>) -> Read<Vec<u64>> {
    (0..eye.u32()?).map(|_| eye.u64()).collect()
}

pub fn via_code(via: Via) -> u8 {
    match via {
        Via::OwnNumber => 0,
        Via::Lock => 1,
        Via::Link => 2,
        Via::Address => 3,
        Via::Inside => 4,
    }
}

pub fn via_of(eye: &mut Eye<'_>) -> Read<Via> {
    Ok(match eye.u8()? {
        0 => Via::OwnNumber,
        1 => Via::Lock,
        2 => Via::Link,
        3 => Via::Address,
        4 => Via::Inside,
        other => return Err(eye.wrong(format!("unknown way to a tenant {other}"))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Timestamp;

    #[test]
    fn it_is_read_as_it_was_written_and_damage_is_told() {
        let way = Way {
            dealt: Dealt::Dead,
            via: Via::Link,
            failures: 5,
            received_at: Timestamp::from_ms(7),
            dealt_at: Timestamp::from_ms(8),
            turn: 17,
            line: Some(20),
            journal: vec![19],
            replies: vec![21, 22],
            sender: Some(SenderName::new("main")),
        };
        let mut row = Vec::new();
        write(&way, &mut row);
        assert_eq!(read(&row).expect("whole"), way);
        for end in 0..row.len() - "main".len() {
            assert!(read(&row[..end]).is_err(), "{end} bytes of it");
        }
    }
}
