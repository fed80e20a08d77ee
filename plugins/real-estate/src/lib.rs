//! The estate agent.

mod criteria;
mod language;
mod memory;
mod understand;
mod words;
