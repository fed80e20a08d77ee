//! The gateway as a whole. One binary: a module for each part, each driving the real thing.

mod brain;
