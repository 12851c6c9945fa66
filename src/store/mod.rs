//! Records on disk: where a run's folder lies, how `run.json` is written, read, migrated and checked.
//!
//! Nothing here measures or interprets; the types are in [`crate::model`]. What surprises people: a save never touches
//! the previous `run.json` until the new one is complete on disk, so a full disk or a kill costs at most one save.

mod error;
mod folder;
mod locate;
pub mod migrate;
mod qualification;
mod read;
mod schema;
mod sensors;
mod text;
pub mod validate;
mod waves;

pub use error::StoreError;
pub use folder::{RECORD_FILE, RunFolder, new_id, replace_file};
pub use qualification::{
    FolderLock, LoadedQualification, QUALIFICATION_FILE, QUALIFICATION_LIMIT, QualificationFolder, digest_of,
    is_qualification, parse_qualification, read_qualification, segment_file, segment_number,
};
pub use read::{Loaded, RESULTS_DIR, read, read_in, read_many};
pub use schema::{QUALIFICATION_SCHEMA_V1, RUN_SCHEMA_V1};
pub use sensors::{KeptCorrection, KeptProfile, KnownSensors, SENSORS_FILE, SensorKey, UnitKey};
pub use text::{to_text, write_text};

#[cfg(test)]
mod tests;
