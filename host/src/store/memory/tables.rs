//! Families of rows in memory, each in the order of its keys.

use std::any::{Any, TypeId};
use std::collections::{BTreeMap, HashMap};
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use crate::store::frames::{self, Framed};
use crate::store::rows::{Family, ReadTable, Step, VisitRow, VisitSize};

/// A table is shared with every snapshot until it is written to.
#[derive(Clone, Default)]
pub struct Tables(HashMap<TypeId, Arc<dyn Any + Send + Sync>>);

type Table<F> = BTreeMap<<F as Family>::Key, <F as Family>::Row>;

impl Tables {
    fn get<F: Family>(&self) -> Option<&Table<F>> {
        self.0.get(&TypeId::of::<F>()).and_then(|table| table.downcast_ref())
    }

    pub fn edit<F: Family>(&mut self) -> &mut Table<F> {
        let table = self.0.entry(TypeId::of::<F>()).or_insert_with(|| Arc::new(Table::<F>::new()));
        if Arc::get_mut(table).is_none() {
            let copy = table.downcast_ref::<Table<F>>().cloned().unwrap_or_default();
            *table = Arc::new(copy);
        }
        let table = Arc::get_mut(table).and_then(|table| table.downcast_mut());
        table.expect("nobody else has it, and its family is its key")
    }
}

impl<F: Framed> ReadTable<F> for Tables {
    fn get_row(&self, key: &F::Key) -> Step<Option<F::Row>> {
        Ok(self.get::<F>().and_then(|table| table.get(key)).cloned())
    }

    fn has_row(&self, key: &F::Key) -> Step<bool> {
        Ok(self.get::<F>().is_some_and(|table| table.contains_key(key)))
    }

    fn scan_rows(&self, from: Option<&F::Key>, visit: &mut VisitRow<'_, F>) -> Step<()> {
        let from = from.map_or(Bound::Unbounded, Bound::Included);
        for (key, row) in self.get::<F>().into_iter().flat_map(|table| table.range((from, Bound::Unbounded)))
        {
            if visit(key.clone(), Ok(row.clone()))?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn scan_rows_back(&self, before: &F::Key, visit: &mut VisitRow<'_, F>) -> Step<()> {
        for (key, row) in self.get::<F>().into_iter().flat_map(|table| table.range(..before).rev()) {
            if visit(key.clone(), Ok(row.clone()))?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn scan_sizes(&self, from: Option<&F::Key>, visit: &mut VisitSize<'_, F>) -> Step<()> {
        let (from, mut buffer) = (from.map_or(Bound::Unbounded, Bound::Included), Vec::new());
        for (key, row) in self.get::<F>().into_iter().flat_map(|table| table.range((from, Bound::Unbounded)))
        {
            if visit(key.clone(), frames::size::<F>(key, row, &mut buffer))? == ControlFlow::Break(()) {
                break;
            }
        }
        Ok(())
    }

    fn count_rows(&self) -> Step<u64> {
        Ok(self.get::<F>().map_or(0, |table| table.len() as u64))
    }
}
