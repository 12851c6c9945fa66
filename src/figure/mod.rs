//! (room figure)
