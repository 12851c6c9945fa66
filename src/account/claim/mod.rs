//! Sentences of a site or a vendor, checked with arithmetic, measured joules and official factors.
