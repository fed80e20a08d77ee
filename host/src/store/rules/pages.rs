//! Conversations, a page at a time.

use super::history::{self, Back};
use crate::conversation::{Conversation, HistoryEntry, JournalEntry};
use crate::message::ConversationKey;
use crate::store::pages::{Before, Free, Span, Stretch};
use crate::store::rows::history::HistoryRow;
use crate::store::rows::journal::JournalRow;
use crate::store::rows::place::Place;
use crate::store::rows::{Inbox, Journal, ReadRows, Step};

/// As it stands, with what the messages that wait for their turn tell of it. `waiting`: looked up before the rows, because
/// an entry that is used up in between is part of the later snapshot's row.
pub fn conversation(
    rows: &impl ReadRows,
    key: &ConversationKey,
    waiting: Vec<u64>,
) -> Step<Option<Conversation>> {
    let mut row = history::conversation(rows, key)?;
    for seq in waiting {
        if let Some(entry) = rows.get::<Inbox>(&Place::new(seq, key.tenant))? {
            row.get_or_insert_default().hear(&entry);
        }
    }
    Ok(row.map(|row| row.conversation))
}

/// So many entries that were not asked for are passed at a time.
const PASSED: usize = 10_000;

/// An entry met on the way back.
struct Met<T> {
    previous: u64,
    /// With its size; `None`: there is no room for it.
    entry: Option<(usize, T)>,
}

/// Walks back from the newest entry, or from where the span says, and no further than the page. `read`
/// reads the entry at a place if it has no more bytes than this; nothing if it is not there any more.
fn stretch<T>(
    ends: Vec<u64>,
    span: &Span,
    mut read: impl FnMut(u64, usize) -> Step<Option<Met<T>>>,
) -> Step<Stretch<T>> {
    let before = span.before.as_ref().map_or(u64::MAX, |before| before.seq);
    let mut back = Back::from(start(ends, span, &mut read)?);
    let (mut entries, mut free, mut passed) = (Vec::new(), Free::new(span.limit, span.bytes), 0);
    let mut earlier = None;
    while back.newest() > span.after.unwrap_or(0) {
        let seq = back.newest();
        let wanted = seq < before;
        let Some(met) = read(seq, if wanted { free.room() } else { 0 })? else {
            back.pass(seq, None);
            continue;
        };
        match met.entry {
            Some((bytes, entry)) => {
                free.take(bytes);
                entries.push((seq, entry));
            }
            None if !wanted && passed < PASSED => passed += 1,
            None => {
                let seq = entries.last().map(|(seq, _)| *seq);
                let chains = if back.ends().len() > 1 || seq.is_none() { back.ends() } else { &[] };
                earlier = Some(Before { seq: seq.unwrap_or(before), chains: chains.to_vec() });
                break;
            }
        }
        back.pass(seq, Some(met.previous));
    }
    entries.reverse();
    Ok(Stretch { entries, earlier })
}

/// The entries to begin with, one of each chain.
fn start<T>(
    mut ends: Vec<u64>,
    span: &Span,
    read: &mut impl FnMut(u64, usize) -> Step<Option<Met<T>>>,
) -> Step<Vec<u64>> {
    let Some(before) = &span.before else { return Ok(ends) };
    if before.chains.len() == ends.len() {
        return Ok(ends.into_iter().zip(&before.chains).map(|(end, place)| end.min(*place)).collect());
    }
    let mut reach = ends.iter_mut().filter(|end| **end >= before.seq);
    // The only chain that reaches so far is the one that the entry stands in.
    if let (Some(end), None) = (reach.next(), reach.next())
        && let Some(met) = read(before.seq, 0)?
        && met.previous < before.seq
    {
        *end = met.previous;
    }
    Ok(ends)
}

/// A conversation's lines: what was heard and what reached its provider, and what has not.
pub fn lines(rows: &impl ReadRows, key: &ConversationKey, span: &Span) -> Step<Stretch<HistoryEntry>> {
    let row = history::conversation(rows, key)?.unwrap_or_default();
    stretch(Back::through_lines(&row).ends().to_vec(), span, |seq, room| {
        let Some(line) = history::line(rows, key, &row, seq)? else { return Ok(None) };
        let bytes = size_of::<HistoryRow>() + line.size();
        let entry = (bytes <= room).then(|| line.entry()).transpose()?;
        Ok(Some(Met { previous: line.previous, entry: entry.map(|entry| (bytes, entry)) }))
    })
}

/// What its turns saw and did.
pub fn journal(rows: &impl ReadRows, key: &ConversationKey, span: &Span) -> Step<Stretch<JournalEntry>> {
    let row = history::conversation(rows, key)?.unwrap_or_default();
    stretch(Back::through_journal(&row).ends().to_vec(), span, |seq, room| {
        let entry = rows.get::<Journal>(&Place::new(seq, key.tenant))?;
        let Some(entry) = entry.filter(|entry| row.holds(key, &entry.contact)) else { return Ok(None) };
        let bytes = size_of::<JournalRow>() + entry.entry.as_kept().len();
        let read = (bytes <= room).then(|| entry.entry.unpack("journal")).transpose()?;
        Ok(Some(Met { previous: entry.previous, entry: read.map(|read| (bytes, read)) }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAST: u64 = 200_000;

    /// Reads a conversation whose entries stand at all even places: their places, where the earlier ones
    /// are, and how many were looked at.
    fn read(span: &Span) -> (Vec<u64>, Option<Before>, usize) {
        let mut looked_at = 0;
        let stretch = stretch(vec![LAST], span, |seq, room| {
            looked_at += 1;
            let met = Met { previous: seq.saturating_sub(2), entry: (room > 0).then_some((1, ())) };
            Ok((seq % 2 == 0).then_some(met))
        });
        let Ok(stretch) = stretch else { panic!("it reads") };
        (stretch.entries.iter().map(|(seq, ())| *seq).collect(), stretch.earlier, looked_at)
    }

    #[test]
    fn a_page_of_a_long_conversation_costs_a_page() {
        let newest = Span { after: Some(0), ..Span::newest(1) };
        let (found, earlier, looked_at) = read(&newest);
        assert_eq!((found, looked_at), (vec![LAST], 2));
        let (found, _, looked_at) = read(&Span { before: earlier, ..newest });
        assert_eq!((found, looked_at), (vec![LAST - 2], 3), "it goes on where the first ended");
    }

    #[test]
    fn who_asks_from_where_nothing_stands_is_led_there_by_and_by() {
        let mut before = Some(Before { seq: 5, chains: Vec::new() });
        let mut asked = 0;
        while let Some(place) = before {
            asked += 1;
            let (found, earlier, looked_at) = read(&Span { before: Some(place), ..Span::newest(10) });
            assert!(looked_at <= PASSED + 3, "{looked_at}");
            assert!(found.is_empty() || (found == [2, 4] && earlier.is_none()), "{found:?}");
            before = earlier;
        }
        assert_eq!(asked, 10);
    }
}
