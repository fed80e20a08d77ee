//! What is handed out: a claim lives in memory, because a store has one owner, and is given back when whoever has it
//! goes away. Knows no engine.

pub mod sends;
pub mod turns;
