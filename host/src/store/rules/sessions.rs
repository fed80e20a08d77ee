//! What a sender's session was told to be last, and what was asked for it.

use crate::event::SessionChange;
use crate::message::SenderName;
use crate::store::numbers::Wish;
use crate::store::rows::{ReadRows, Rows, SessionWishes, Sessions, Step};

pub fn record(rows: &mut impl Rows, sender: &SenderName, change: &SessionChange) -> Step<()> {
    // Events come out of order; an older one tells nothing new.
    if find(rows, sender)?.is_some_and(|known| known.at > change.at) {
        return Ok(());
    }
    rows.put::<Sessions>(sender, change)?;
    Ok(())
}

pub fn find(rows: &impl ReadRows, sender: &SenderName) -> Step<Option<SessionChange>> {
    rows.get::<Sessions>(sender)
}

pub fn wish(rows: &impl ReadRows, sender: &SenderName) -> Step<Wish> {
    Ok(rows.get::<SessionWishes>(sender)?.unwrap_or_default())
}

pub fn set_wish(rows: &mut impl Rows, sender: &SenderName, wish: Wish) -> Step<()> {
    match wish {
        Wish::Unsaid => rows.remove::<SessionWishes>(sender)?,
        wish => rows.put::<SessionWishes>(sender, &wish)?,
    };
    Ok(())
}

/// The sender is no more.
pub fn forget(rows: &mut impl Rows, sender: &SenderName) -> Step<()> {
    rows.remove::<Sessions>(sender)?;
    rows.remove::<SessionWishes>(sender)?;
    Ok(())
}
