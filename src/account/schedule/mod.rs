//! When to run a load of known power: best and worst starts against run-now, on a series of carbon intensities.
