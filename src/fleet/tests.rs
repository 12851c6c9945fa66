//! The fleet over records made in memory and on disk.
