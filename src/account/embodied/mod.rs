//! Carbon of making a device, as a band of published figures with their evidence, shared out over its work.
