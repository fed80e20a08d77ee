//! Disks that fail and queues that fill.
