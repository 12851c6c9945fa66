//! Many nodes: what is normal among them, and which are not.
//!
//! Reads the records of a folder one by one and keeps a few numbers of each. What surprises people: normal is the median of
//! the fleet, so a fleet in which every node is slow has no outlier; only a profile can tell that.
