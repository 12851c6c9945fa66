//! (room verify)
