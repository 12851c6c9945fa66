//! The types of a record: what was run, on what, how long it took, what the sensors said. Serde only, no I/O.
//!
//! A record holds raw facts; FLOPS per watt, carbon and money are computed from it ([`crate::measure::result`],
//! [`crate::account`]) and are never fields of it. What surprises people: a missing reading is `None` with a reason
//! beside it, never zero.

mod carbon;
mod case;
mod command;
mod device;
mod estimate;
mod link;
mod measurement;
mod plan;
mod power;
mod provenance;
mod qualification;
mod record;
mod sensor;
mod tuning;
mod work;

pub use carbon::{Basis, FactorMethod, Gas, GridFactor, Pue, SiteProfile};
pub use case::{Case, DataPattern, ElementType, FOREIGN, Scalar, Shape, ShapeError};
pub use command::{CommandExit, CommandMeasurement, CommandRun, ForeignWork};
pub use device::{CooperativeShape, Device, DeviceKind, DeviceLimits, Feature, PciAddress, SubgroupRange, Translation};
pub use estimate::{Estimate, EstimateMethod, Interval};
pub use link::{LaunchTimes, LinkMeasurement, TransferPath, TransferTimes};
pub use measurement::{
    Calibration, Check, ComparisonCheck, IdleBaseline, InjectedError, Measurement, ProductCheck, Skip, SkipReason,
    Steadiness, StopReason, Sustained, Timing, TimingMethod, Verification, Warning, WarningCode, Window, WindowKind,
};
pub use plan::{AccountRequest, Origin, Plan, PowerRequest, Preset, Settings, UserShader};
pub use power::{Channel, ChannelTrace, Evidence, Gap, Quantity, Scope, SourceInfo, SourceTrace};
pub use provenance::{Host, Provenance, Tool};
pub use qualification::{
    Better, CheckOutcome, Grade, Metric, Phase, PhaseOutputs, PhaseWork, QUALIFICATION_SCHEMA, QUALIFICATION_VERSION,
    Qualification, QualifiedDevice, Reference, SeenDigest, Segment,
};
pub use record::{RECORD_SCHEMA, RunRecord, RunStatus, SCHEMA_VERSION, SchemaVersion};
pub use sensor::{Correction, LoadPhase, Response, SensorCalibration, SensorProfile, SquareWave};
pub use tuning::{Choice, Finalist, Objective, Trial, TrialOutcome, Tuning, TuningOrigin};
pub use work::{Counted, CountedIn, Unit, Work};
