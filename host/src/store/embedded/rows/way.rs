//! The way of a message: where what came of it lies. One row a message, written when it has been dealt with;
//! until then its row in the inbox is all there is.

use super::{Read, VERSION};
use crate::message::Timestamp;
use crate::route::Via;
use crate::store::embedded::codec::{Eye, Pen};

/// How it was dealt with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dealt {
    /// Its turn was committed.
    Turn,
    /// Its turn was given up.
    Dead,
    /// It was put down for the human who answers, or it was a word about messages themselves.
    PutDown,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way<'a> {
    pub dealt: Dealt,
    pub via: Via,
    pub failures: u32,
    pub received_at: Timestamp,
    pub dealt_at: Timestamp,
    /// The first message of its turn, by which turns are named.
    pub turn: u64,
    /// Its line; 0: it is none.
    pub line: u64,
    /// Places in the journal: more than one where a dead turn was tried once more.
    pub journal: Vec<u64>,
    pub replies: Vec<u64>,
    pub sender: &'a str,
}

impl<'a> Way<'a> {
    pub fn write(&self, buffer: &mut Vec<u8>) {
        let mut pen = Pen::new(buffer, VERSION);
        pen.u8(match self.dealt {
            Dealt::Turn => 0,
            Dealt::Dead => 1,
            Dealt::PutDown => 2,
        });
        pen.u8(via_code(self.via));
        pen.u32(self.failures);
        pen.time(self.received_at);
        pen.time(self.dealt_at);
        pen.u64(self.turn);
        pen.u64(self.line);
        for places in [&self.journal, &self.replies] {
            pen.u32(places.len() as u32);
            places.iter().for_each(|place| pen.u64(*place));
        }
        pen.raw(self.sender.as_bytes());
    }

    pub fn read(bytes: &'a [u8]) -> Read<Self> {
        let mut eye = Eye::new("ways", bytes, VERSION)?;
        let dealt = match eye.u8()? {
            0 => Dealt::Turn,
            1 => Dealt::Dead,
            2 => Dealt::PutDown,
            other => return Err(eye.wrong(format!("unknown end {other}"))),
        };
        let (via, failures) = (via_of(&mut eye)?, eye.u32()?);
        let (received_at, dealt_at) = (eye.time()?, eye.time()?);
        let (turn, line) = (eye.u64()?, eye.u64()?);
        let (journal, replies) = (places(&mut eye)?, places(&mut eye)?);
        let wrong = eye.wrong("a sender's name is not UTF-8");
        let sender = std::str::from_utf8(eye.rest()).map_err(|_| wrong)?;
        Ok(Way { dealt, via, failures, received_at, dealt_at, turn, line, journal, replies, sender })
    }
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

    #[test]
    fn it_is_read_as_it_was_written_and_damage_is_told() {
        let way = Way {
            dealt: Dealt::Dead,
            via: Via::Link,
            failures: 5,
            received_at: Timestamp::from_ms(7),
            dealt_at: Timestamp::from_ms(8),
            turn: 17,
            line: 20,
            journal: vec![19],
            replies: vec![21, 22],
            sender: "main",
        };
        let mut row = Vec::new();
        way.write(&mut row);
        assert_eq!(Way::read(&row).expect("whole"), way);
        for end in 0..row.len() - way.sender.len() {
            assert!(Way::read(&row[..end]).is_err(), "{end} bytes of it");
        }
    }
}
