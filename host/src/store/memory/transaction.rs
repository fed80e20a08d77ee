//! One transaction: it writes into the tables, and remembers how to take that back.

use super::tables::Tables;
use super::trouble::Trouble;
use crate::store::frames::{self, Framed};
use crate::store::rows::{ReadTable, Rows, Step, VisitRow, VisitSize, WriteTable};
use crate::store::shared::changes::{Changes, Footprint};
use crate::store::shared::effect::Effect;
use crate::store::shared::index::Index;
use crate::store::shared::state::State;
use crate::store::shared::tally::Tally;

type Undo = Box<dyn FnOnce(&mut Tables)>;

pub struct Transaction<'t> {
    tables: &'t mut Tables,
    index: &'t Index,
    trouble: &'t dyn Trouble,
    changes: Changes,
    tally: Tally,
    /// What was written last is taken back first.
    undo: Vec<Undo>,
    began: Footprint,
    /// For rows that are measured.
    buffer: Vec<u8>,
}

impl<'t> Transaction<'t> {
    pub fn new(tables: &'t mut Tables, index: &'t Index, trouble: &'t dyn Trouble) -> Self {
        let changes = Changes::since(index.state());
        let began = changes.footprint();
        Transaction {
            tables,
            index,
            trouble,
            changes,
            tally: Tally::default(),
            undo: Vec::new(),
            began,
            buffer: Vec::new(),
        }
    }

    pub fn has_written(&self) -> bool {
        self.tally.writes() > 0 || self.changes.footprint() != self.began
    }

    pub fn give_up(self) {
        self.undo.into_iter().rev().for_each(|undo| undo(self.tables));
    }

    pub fn end(self) -> (State, Vec<Effect>) {
        let mut effects = self.changes.effects;
        effects.retain_mut(|effect| self.trouble.tells(effect));
        (self.changes.state, effects)
    }
}

impl Rows for Transaction<'_> {
    fn index(&self) -> &Index {
        self.index
    }

    fn changes(&self) -> &Changes {
        &self.changes
    }

    fn changes_mut(&mut self) -> &mut Changes {
        &mut self.changes
    }

    fn tally(&self) -> &Tally {
        &self.tally
    }
}

impl<F: Framed> ReadTable<F> for Transaction<'_> {
    fn get_row(&self, key: &F::Key) -> Step<Option<F::Row>> {
        ReadTable::<F>::get_row(&*self.tables, key)
    }

    fn has_row(&self, key: &F::Key) -> Step<bool> {
        ReadTable::<F>::has_row(&*self.tables, key)
    }

    fn scan_rows(&self, from: Option<&F::Key>, visit: &mut VisitRow<'_, F>) -> Step<()> {
        ReadTable::<F>::scan_rows(&*self.tables, from, visit)
    }

    fn scan_rows_back(&self, before: &F::Key, visit: &mut VisitRow<'_, F>) -> Step<()> {
        ReadTable::<F>::scan_rows_back(&*self.tables, before, visit)
    }

    fn scan_sizes(&self, from: Option<&F::Key>, visit: &mut VisitSize<'_, F>) -> Step<()> {
        ReadTable::<F>::scan_sizes(&*self.tables, from, visit)
    }

    fn count_rows(&self) -> Step<u64> {
        ReadTable::<F>::count_rows(&*self.tables)
    }
}

impl<F: Framed> WriteTable<F> for Transaction<'_> {
    fn put_row(&mut self, key: &F::Key, row: &F::Row) -> Step<bool> {
        let (mut key, mut row) = (key.clone(), row.clone());
        if !self.trouble.puts(&mut key, &mut row, &mut self.changes) {
            return Ok(false);
        }
        let before = self.tables.edit::<F>().insert(key.clone(), row.clone());
        self.wrote::<F>(&key, before, Some(&row))
    }

    fn remove_row(&mut self, key: &F::Key) -> Step<bool> {
        match self.tables.edit::<F>().remove(key) {
            // What is not there is not written either.
            None => Ok(false),
            before => self.wrote::<F>(key, before, None),
        }
    }
}

impl Transaction<'_> {
    /// Whether there was one before.
    fn wrote<F: Framed>(
        &mut self,
        key: &F::Key,
        before: Option<F::Row>,
        after: Option<&F::Row>,
    ) -> Step<bool> {
        let was_there = before.is_some();
        let counts = F::counts_for(key);
        let mut size = |row: &F::Row| match counts {
            Some(_) => frames::size::<F>(key, row, &mut self.buffer),
            None => 0,
        };
        let (old, new) = (before.as_ref().map(&mut size), after.map(&mut size));
        self.tally.wrote(counts, old, new);
        let key = key.clone();
        self.undo.push(Box::new(move |tables| {
            match before {
                Some(row) => tables.edit::<F>().insert(key, row),
                None => tables.edit::<F>().remove(&key),
            };
        }));
        Ok(was_there)
    }
}
