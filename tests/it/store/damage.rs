//! Files that are not what they should be, and the way back.
