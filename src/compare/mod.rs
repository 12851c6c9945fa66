//! (room compare)
