//! A series of carbon intensities, as flags.

use std::path::Path;

use crate::account::series::{self, Series, SeriesRequest};
use crate::cli::accounting::usage;

/// Carbon intensity over time.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct SeriesArgs {
    /// Series of carbon intensities: a file (Electricity Maps, WattTime, UK Carbon Intensity, Carbon Aware SDK, plain CSV), or
    /// the shipped example ciso-2022.
    #[arg(long, value_name = "FILE")]
    pub series: Option<String>,
    /// Zone, column or location of the series, where the file has several.
    #[arg(long, value_name = "NAME")]
    pub zone: Option<String>,
    /// Time zone of stamps that carry none, for example UTC or Europe/London.
    #[arg(long, value_name = "ZONE")]
    pub time_zone: Option<String>,
    /// Unit of the values where the file does not say: g/kWh, kg/kWh or lb/MWh.
    #[arg(long, value_name = "UNIT")]
    pub unit: Option<String>,
    /// Use values that look broken all the same.
    #[arg(long)]
    pub keep_suspicious: bool,
}

impl SeriesArgs {
    /// Reads the series, if one is named.
    pub fn read(&self) -> anyhow::Result<Option<Series>> {
        let Some(file) = &self.series else { return Ok(None) };
        let request = SeriesRequest {
            file: file.clone(),
            zone: self.zone.clone(),
            time_zone: self.time_zone.clone(),
            unit: self.unit.clone(),
            keep_suspicious: self.keep_suspicious,
        };
        Ok(Some(series::read(&request, Path::new(".")).map_err(usage)?))
    }
}
