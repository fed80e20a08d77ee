//! The one row that nearly every commit writes.

use super::Read;
use crate::store::frames::codec::{Eye, Pen};
use crate::store::shared::state::State;

pub fn write(state: &State, buffer: &mut Vec<u8>) {
    let mut pen = Pen::new(buffer, 1);
    for number in [
        state.next_seq,
        state.users,
        state.inbox,
        state.outbox_waiting,
        state.outbox_dead,
        state.outbox_unknown,
        state.dead_turns,
        state.conflicts,
        state.accepted,
    ] {
        pen.u64(number);
    }
    pen.time(state.last_updated);
}

pub fn read(bytes: &[u8]) -> Read<State> {
    let mut eye = Eye::new("meta", bytes, 1)?;
    Ok(State {
        next_seq: eye.u64()?,
        users: eye.u64()?,
        inbox: eye.u64()?,
        outbox_waiting: eye.u64()?,
        outbox_dead: eye.u64()?,
        outbox_unknown: eye.u64()?,
        dead_turns: eye.u64()?,
        conflicts: eye.u64()?,
        accepted: eye.u64()?,
        last_updated: eye.time()?,
    })
}
