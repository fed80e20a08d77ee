//! Power that goes away.
