//! What can be wrong with a profile file, and why records cannot be learned from.

/// A profile that cannot be used, with the way out. The caller names the file.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ProfileError {
    /// Not TOML.
    #[error("it is no TOML: {0}")]
    Syntax(String),
    /// Another kind of file.
    #[error(
        "it is no profile of limits: `schema` must be \"wattmark/profile\", and is {0}; `wattmark qualify --learn` makes one"
    )]
    Foreign(String),
    /// A newer format.
    #[error("it has version {0} of the format, and this program reads version 1: use a newer wattmark")]
    Newer(i64),
    /// A key without a meaning.
    #[error("unknown key `{key}`{hint}; the keys there are {known}")]
    UnknownKey {
        /// The key, dotted.
        key: String,
        /// `: did you mean …?`, or empty.
        hint: String,
        /// Keys that it may be.
        known: String,
    },
    /// A key that must be given.
    #[error("`{key}` is missing: {remedy}")]
    Missing {
        /// The key, dotted.
        key: String,
        /// What to write.
        remedy: String,
    },
    /// A value that cannot be.
    #[error("`{key}` is {given}, which is refused: {reason}")]
    Value {
        /// The key, dotted.
        key: String,
        /// What was given.
        given: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A figure that no check holds against a reference.
    #[error("`{id}` is not judged by any check{hint}; `wattmark qualify --list-checks` lists what is judged")]
    UnknownFigure {
        /// Its name.
        id: String,
        /// `: did you mean …?`, or empty.
        hint: String,
    },
    /// A figure without a limit on the side that is worse.
    #[error("[limits.\"{id}\"] has no limit: give {remedy}")]
    NoLimit {
        /// Its name.
        id: String,
        /// The keys that it needs.
        remedy: &'static str,
    },
    /// Limits out of order.
    #[error(
        "[limits.\"{id}\"] contradicts itself: {first} = {first_value} lies above {second} = {second_value}; the order is \
         fail_below, warn_below, warn_above, fail_above, from low to high"
    )]
    Contradiction {
        /// Name of the figure.
        id: String,
        /// Key of the limit that should be lower.
        first: &'static str,
        /// Its value.
        first_value: f64,
        /// Key of the limit that should be higher.
        second: &'static str,
        /// Its value.
        second_value: f64,
    },
}

/// Why no profile can be learned from records.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LearnError {
    /// None was given, or none holds a device.
    #[error(
        "no profile can be learned: there is no device in the records given; give qualifications of known-good devices"
    )]
    Nothing,
    /// A device that failed, or whose outputs are in doubt.
    #[error(
        "record {record} cannot teach what is normal: device {device} is {grade} ({reason}); leave it out or repair it first"
    )]
    NotGood {
        /// Identifier of the record.
        record: String,
        /// Name and ordinal.
        device: String,
        /// Its grade.
        grade: String,
        /// The check in a line.
        reason: String,
    },
    /// A record that did not run to its end.
    #[error("record {record} cannot teach what is normal: it is {status}; run it to its end, or leave it out")]
    Unfinished {
        /// Identifier of the record.
        record: String,
        /// How it stands.
        status: String,
    },
    /// A proof of the checks.
    #[error(
        "record {record} cannot teach what is normal: errors were made in its outputs on purpose (--inject-error); leave it out"
    )]
    Injected {
        /// Identifier of the record.
        record: String,
    },
    /// Several models.
    #[error("a profile is of one model, and the records hold {0}; learn one profile for each")]
    MixedModels(String),
    /// Simulated and real devices.
    #[error("the records mix simulated and real devices; learn from the real ones alone")]
    MixedSimulation,
    /// Work that differs.
    #[error(
        "records {first} and {second} are not of the same work: {reason}; learn from records of one plan and one version"
    )]
    MixedWork {
        /// Identifier of a record.
        first: String,
        /// Identifier of another.
        second: String,
        /// What differs.
        reason: String,
    },
    /// Energy that counts different things.
    #[error(
        "records {first} and {second} do not count the same thing in {id}: {reason}; learn from records of one kind"
    )]
    MixedFigures {
        /// Identifier of a record.
        first: String,
        /// Identifier of another.
        second: String,
        /// Name of the figure.
        id: String,
        /// What differs.
        reason: String,
    },
    /// A device that is not like the others.
    #[error(
        "record {record}: {id} of device {device} is {difference}, so that it is not like the others; leave it out if it is \
         not known to be good"
    )]
    Outlier {
        /// Identifier of the record.
        record: String,
        /// Name and ordinal.
        device: String,
        /// Name of the figure.
        id: String,
        /// Its value, and how far it lies from the median.
        difference: String,
    },
    /// Outputs that should be equal.
    #[error(
        "records {first} and {second} hold different outputs of the {phase} phase, made by the same kernel, inputs and driver: one \
         of the two devices computes wrongly; find out which before learning"
    )]
    Outputs {
        /// Identifier of a record.
        first: String,
        /// Identifier of another.
        second: String,
        /// Name of the phase.
        phase: String,
    },
    /// No rate at all.
    #[error("the records hold no rate of any phase, so that there is nothing to limit; were the phases measured?")]
    NoRates,
}
