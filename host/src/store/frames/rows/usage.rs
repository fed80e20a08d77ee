//! The row of what a tenant keeps and spends.

use super::Read;
use crate::store::frames::codec::{Eye, Pen};
use crate::store::quotas::{Shelf, Usage};

pub fn write(usage: &Usage, buffer: &mut Vec<u8>) {
    let mut pen = Pen::new(buffer, 1);
    pen.u32(usage.day);
    for number in [usage.turns, usage.fuel, usage.silenced, usage.file_bytes] {
        pen.u64(number);
    }
    for shelf in Shelf::ALL {
        pen.u64(usage.of(shelf).rows);
        pen.u64(usage.of(shelf).bytes);
    }
}

pub fn read(bytes: &[u8]) -> Read<Usage> {
    let mut eye = Eye::new("usage", bytes, 1)?;
    let mut usage = Usage::default();
    usage.day = eye.u32()?;
    usage.turns = eye.u64()?;
    usage.fuel = eye.u64()?;
    usage.silenced = eye.u64()?;
    usage.file_bytes = eye.u64()?;
    for shelf in Shelf::ALL {
        let amount = usage.of_mut(shelf);
        amount.rows = eye.u64()?;
        amount.bytes = eye.u64()?;
    }
    Ok(usage)
}
