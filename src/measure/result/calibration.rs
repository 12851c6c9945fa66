//! What the sensors of a calibration's record are like: a profile of each channel, and its gain and offset against another.
//!
//! Pure functions of a record, so that it says the same today and in ten years. What surprises people: a sensor of the
//! whole host feels the load of every device; it is characterised with the waves of the first.

use crate::model::{Channel, Evidence, RunRecord, SensorCalibration, SourceInfo, SourceTrace};
use crate::power::against::{self, Against, AgainstError};
use crate::power::characterise::{self, CharacteriseError, Characterised};

/// Says whether a channel is wanted.
pub type Wanted<'a> = &'a dyn Fn(&SourceInfo, &Channel) -> bool;

/// One channel and what was found of it.
pub struct ChannelFit<'a> {
    /// The source and its readings.
    pub trace: &'a SourceTrace,
    /// The channel as the source describes it.
    pub channel: &'a Channel,
    /// Polls of the source.
    pub polls: usize,
    /// Polls without a value of the channel.
    pub lost: usize,
    /// Profile and what speaks for it, or why there is none.
    pub outcome: Result<Characterised, CharacteriseError>,
}

/// One channel and its gain and offset against the reference.
pub struct ReferenceFit<'a> {
    /// The source and its readings.
    pub trace: &'a SourceTrace,
    /// The channel.
    pub channel: &'a Channel,
    /// Gain and offset, or why there are none.
    pub outcome: Result<Against, AgainstError>,
}

/// The profiles of all measured channels that are wanted and give energy.
pub fn channel_fits<'a>(record: &'a RunRecord, wanted: Wanted<'_>) -> Vec<ChannelFit<'a>> {
    let fit = |(trace, channel, calibration): (&'a SourceTrace, &'a Channel, &'a SensorCalibration)| {
        let column = trace.column(&channel.id);
        ChannelFit {
            trace,
            channel,
            polls: trace.t_ns.len(),
            lost: column.map_or(0, |column| column.values.iter().filter(|value| value.is_none()).count()),
            outcome: characterise::characterise(trace, &channel.id, calibration, &record.started),
        }
    };
    candidates(record, wanted).map(fit).collect()
}

/// Gain and offset of all measured channels that are wanted and give energy, against a channel of another source.
pub fn reference_fits<'a>(record: &'a RunRecord, wanted: Wanted<'_>, reference: (&str, &str)) -> Vec<ReferenceFit<'a>> {
    let (source, known) = reference;
    let Some(other) = record.traces.iter().find(|trace| trace.source.id == source) else { return Vec::new() };
    let fit = |(trace, channel, calibration): (&'a SourceTrace, &'a Channel, &'a SensorCalibration)| ReferenceFit {
        trace,
        channel,
        outcome: against::against(trace, &channel.id, other, known, calibration, &record.started),
    };
    candidates(record, wanted).filter(|(trace, ..)| trace.source.id != source).map(fit).collect()
}

/// Channels that may be fitted, with the waves that they felt.
fn candidates<'a>(
    record: &'a RunRecord,
    wanted: Wanted<'_>,
) -> impl Iterator<Item = (&'a SourceTrace, &'a Channel, &'a SensorCalibration)> {
    record
        .traces
        .iter()
        .filter(|trace| trace.source.evidence == Evidence::Measured)
        .filter_map(|trace| {
            let felt = |calibration: &&SensorCalibration| {
                trace.source.device.is_none_or(|device| device == calibration.device)
            };
            Some((trace, record.calibrations.iter().find(felt)?))
        })
        .flat_map(|(trace, calibration)| trace.source.channels.iter().map(move |channel| (trace, channel, calibration)))
        .filter(move |(trace, channel, _)| channel.quantity.is_energetic() && wanted(&trace.source, channel))
}
