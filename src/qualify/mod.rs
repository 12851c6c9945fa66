//! A verdict on each device of a node: its figures against a profile, its peers and its own past.
//!
//! Measuring is [`crate::measure::soak`]; the figures come from [`crate::measure::result::metrics`]. What surprises people:
//! nothing here looks at a peak; means and first percentiles over the whole time decide.
