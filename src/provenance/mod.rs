//! (room provenance)
