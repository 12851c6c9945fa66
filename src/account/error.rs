//! What can be wrong with a factor, a PUE, a site or a job. Reading records is not here.

use std::path::PathBuf;

/// An account that cannot be made, with the way out.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AccountError {
    /// A region that the catalogue does not hold.
    #[error(
        "no grid factor for `{given}` in the catalogue{hint}; `wattmark factors` lists all, a number (kgCO2e/kWh) or a \
             TOML file with one factor is accepted too, and `--factors FILE` adds figures of your own"
    )]
    UnknownRegion {
        /// What was asked for.
        given: String,
        /// `: did you mean …?`, or empty.
        hint: String,
    },
    /// A year that the catalogue does not hold for this region.
    #[error("no grid factor of {year} for {code}: the catalogue has {have}")]
    UnknownYear {
        /// Region code.
        code: String,
        /// What was asked for.
        year: String,
        /// Years it has, newest first.
        have: String,
    },
    /// A bare number that can only be grams.
    #[error(
        "grid factor `{given}` has no unit and is too large for kgCO2e/kWh, the unit of a bare number: write {given}g \
             for g/kWh, or {given}kg if you mean it"
    )]
    AmbiguousUnit {
        /// What was given.
        given: String,
    },
    /// A factor that no grid can have.
    #[error("grid factor `{given}` is refused: {reason}")]
    BadIntensity {
        /// What was given.
        given: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A PUE below 1, absurdly large, infinite or not a number.
    #[error(
        "PUE {given} is refused: it is the facility's energy over its IT energy, both over a year, so a number of at least \
             1; above 5 it is taken for a slip (surveys of whole years find 1.05 to 3)"
    )]
    BadPue {
        /// What was given.
        given: f64,
    },
    /// A value in a file or behind a flag that cannot be.
    #[error("{place}: `{key}` is {given}, which is refused: {reason}")]
    Value {
        /// File and section, or the flag's command.
        place: String,
        /// Key or flag.
        key: String,
        /// What was given.
        given: String,
        /// What is wrong with it, and what would be right.
        reason: String,
    },
    /// A value that the account cannot do without.
    #[error("{place}: `{key}` is missing: {remedy}")]
    Missing {
        /// File and section.
        place: String,
        /// Key.
        key: String,
        /// What to write.
        remedy: String,
    },
    /// An account that the record's or the user's figures do not allow.
    #[error("{what} cannot be accounted: {reason}")]
    Impossible {
        /// The account.
        what: String,
        /// Why not, and what would help.
        reason: String,
    },
    /// A file that cannot be read.
    #[error("cannot read {what} {path}: {reason}")]
    File {
        /// What the file should have held.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A file with a key that has no meaning.
    #[error("{what} {path} has an unknown key `{key}`{hint}; its keys are {known}")]
    UnknownKey {
        /// What the file should have held.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// `: did you mean …?`, or empty.
        hint: String,
        /// Keys it may have.
        known: String,
    },
    /// A name that is neither a file nor a shipped site.
    #[error("no site `{given}`{hint}; give a TOML file, or one of the shipped sites {known}")]
    UnknownSite {
        /// What was asked for.
        given: String,
        /// `: did you mean …?`, or empty.
        hint: String,
        /// Names of shipped sites.
        known: String,
    },
    /// A job that cannot be read.
    #[error("cannot read job `{given}`: {reason} (expected NAME=AMOUNT, for example gemm=1e18 or gemv/f16=1e18)")]
    BadJob {
        /// What was given.
        given: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A job whose work the record never measured.
    #[error("job `{job}` cannot be accounted: {reason}")]
    NoCaseForJob {
        /// The job.
        job: String,
        /// Why not, with what the record has.
        reason: String,
    },
    /// The built-in catalogue is damaged: a defect of this build.
    #[error("the built-in catalogue is damaged: {0}")]
    Catalogue(String),
}
