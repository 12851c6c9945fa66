//! (room account)
