//! Series of every form with faults of every kind. Whole commands are tested in `tests/carbon_when.rs`.

use super::*;

fn read_text(text: &str, request: SeriesRequest) -> Result<Series, AccountError> {
    let source = Source::of(PathBuf::from("x.csv"), text.as_bytes().to_vec());
    from_source(&source, &request)
}

fn plain(text: &str) -> Series {
    read_text(text, SeriesRequest::default()).unwrap()
}

fn refusal(text: &str, request: SeriesRequest) -> String {
    read_text(text, request).unwrap_err().to_string()
}

fn said(series: &Series, words: &str) -> bool {
    series.faults.iter().any(|fault| fault.contains(words))
}

/// Hourly rows from 2022-03-01 on.
fn hourly(values: &[f64]) -> String {
    let mut text = "time,g_per_kwh\n".to_owned();
    for (hour, value) in values.iter().enumerate() {
        text += &format!("2022-03-{:02}T{:02}:00Z,{value}\n", 1 + hour / 24, hour % 24);
    }
    text
}

#[test]
fn the_shipped_example_is_a_year_with_three_blanks_and_nothing_suspicious() {
    let series = read(&SeriesRequest { file: EXAMPLE.to_owned(), ..Default::default() }, Path::new(".")).unwrap();
    assert_eq!((series.values.len(), series.step.get()), (8760, 3600.0));
    assert_eq!(series.values.iter().filter(|value| value.is_none()).count(), 3);
    assert_eq!((series.gas, series.method, series.life_cycle), (Some(Gas::Co2e), FactorMethod::Average, Some(true)));
    assert_eq!(series.faults.len(), 1, "{:?}", series.faults);
    assert!(said(&series, "3 values are blank"), "{:?}", series.faults);
    assert_eq!(series.values[0], Some(222.30));
}

#[test]
fn stamps_without_a_zone_are_refused_with_line_and_remedy() {
    let message = refusal("time,g_per_kwh\n2022-03-01 00:00,100\n2022-03-01 01:00,90\n", SeriesRequest::default());
    assert!(message.contains("line 2") && message.contains("--time-zone"), "{message}");
}

#[test]
fn the_hour_that_clocks_repeat_is_two_hours_in_the_places_zone() {
    // London 2022-10-30: 01:00 stands twice, first at 00:00Z (summer time), then at 01:00Z.
    let text = "time,g_per_kwh\n2022-10-30 00:00,100\n2022-10-30 01:00,90\n2022-10-30 01:00,80\n2022-10-30 02:00,70\n";
    let in_zone = |zone: &str| SeriesRequest { time_zone: Some(zone.to_owned()), ..Default::default() };
    let series = read_text(text, in_zone("Europe/London")).unwrap();
    assert_eq!(series.start.to_string(), "2022-10-29T23:00:00Z");
    assert_eq!(series.values, [100.0, 90.0, 80.0, 70.0].map(Some));
    assert!(series.faults.is_empty(), "{:?}", series.faults);
    // Taken for UTC, the doubled hour has two values and is worth none.
    let series = read_text(text, in_zone("UTC")).unwrap();
    assert_eq!(series.values, [Some(100.0), None, Some(70.0)]);
    assert!(said(&series, "different values"), "{:?}", series.faults);
}

#[test]
fn the_hour_that_clocks_skip_is_no_gap_in_the_places_zone() {
    // London 2022-03-27: 00:00 is followed by 02:00, one hour later.
    let text = "time,g_per_kwh\n2022-03-26 23:00,100\n2022-03-27 00:00,90\n2022-03-27 02:00,80\n2022-03-27 03:00,70\n";
    let in_zone = |zone: &str| SeriesRequest { time_zone: Some(zone.to_owned()), ..Default::default() };
    let series = read_text(text, in_zone("Europe/London")).unwrap();
    assert_eq!(series.values, [100.0, 90.0, 80.0, 70.0].map(Some));
    let series = read_text(text, in_zone("UTC")).unwrap();
    assert_eq!(series.values, [Some(100.0), Some(90.0), None, Some(80.0), Some(70.0)]);
    // A stamp within the skipped hour means no instant.
    let series = read_text(&text.replace("27 02:00", "27 01:30"), in_zone("Europe/London")).unwrap();
    assert!(said(&series, "clocks of the time zone skip"), "{:?}", series.faults);
}

#[test]
fn an_unknown_zone_is_answered_with_the_closest() {
    for (given, meant) in [("Europe/Londn", "Europe/London"), ("london", "Europe/London"), ("UCT+1", "write UTC")] {
        let message = zone("series", "--time-zone", given).unwrap_err().to_string();
        assert!(message.contains(meant), "{message}");
    }
    assert!(zone("series", "--time-zone", "+08:00").is_ok());
}

#[test]
fn gaps_duplicates_disorder_and_misfits_are_said_and_never_filled() {
    let text = "time,g_per_kwh\n2022-03-01T01:00Z,90\n2022-03-01T00:00Z,100\n2022-03-01T02:00Z,80\n2022-03-01T02:00Z,80\n\
                2022-03-01T04:00Z,60\n2022-03-01T05:00Z,50\n2022-03-01T05:00Z,51\n2022-03-01T06:00Z,40\n2022-03-01T06:20Z,40\n\
                2022-03-01T07:00Z,40\n2022-03-01T08:00Z,40\n2022-03-01T09:00Z,40\n2022-03-01T10:00Z,40\n";
    let series = plain(text);
    let expected = [Some(100.0), Some(90.0), Some(80.0), None, Some(60.0), None, Some(40.0), Some(40.0)];
    assert_eq!(series.values[..8], expected);
    for words in
        ["sorted by time", "equal values", "different values", "1 steps have no row", "do not fit the steps of 1 h"]
    {
        assert!(said(&series, words), "{words}: {:?}", series.faults);
    }
    let months =
        "time,g_per_kwh\n2022-01-01T00:00Z,100\n2022-02-01T00:00Z,90\n2022-03-01T00:00Z,90\n2022-04-01T00:00Z,90\n";
    assert!(refusal(months, SeriesRequest::default()).contains("the steps are unequal"));
}

#[test]
fn values_that_no_grid_has_are_left_without_a_value() {
    let text = "time,g_per_kwh\n2022-03-01T00:00Z,nan\n2022-03-01T01:00Z,-5\n2022-03-01T02:00Z,0\n2022-03-01T03:00Z,3001\n\
                2022-03-01T04:00Z,\n2022-03-01T05:00Z,inf\n2022-03-01T06:00Z,200\n2022-03-01T07:00Z,210\n\
                2022-03-01T08:00Z,210\n";
    let series = plain(text);
    assert_eq!(series.values[..6], [None; 6]);
    for words in ["2 values are no numbers (first at line 2: `nan`)", "negative", "exactly zero", "3000", "blank"] {
        assert!(said(&series, words), "{words}: {:?}", series.faults);
    }
    let all = refusal("time,g_per_kwh\n2022-03-01T00:00Z,0\n2022-03-01T01:00Z,0\n", SeriesRequest::default());
    assert!(all.contains("no step has a value to trust"), "{all}");
}

#[test]
fn short_steep_isolated_lows_look_broken_but_deep_real_ones_do_not() {
    // 20 hours near 300, four at 46 (a factor of 6.5 down and up), and on.
    let mut values: Vec<f64> = (0..72).map(|hour| 300.0 + f64::from(hour % 24)).collect();
    values[20..24].fill(46.0);
    let series = plain(&hourly(&values));
    assert_eq!(series.values[20..24], [None; 4]);
    assert!(said(&series, "4 values look broken"), "{:?}", series.faults);
    let kept = SeriesRequest { keep_suspicious: true, ..Default::default() };
    let series = read_text(&hourly(&values), kept).unwrap();
    assert_eq!(series.values[20], Some(46.0));
    assert!(said(&series, "WARNING") && said(&series, "KEPT"), "{:?}", series.faults);
    // The file begins or ends with them, or has them near its beginning.
    let mut ends: Vec<f64> = vec![300.0; 72];
    ends[..2].fill(46.0);
    ends[70..].fill(46.0);
    ends[8] = 47.0;
    let series = plain(&hourly(&ends));
    assert_eq!(series.values.iter().filter(|value| value.is_none()).count(), 5, "{:?}", series.faults);
    // A solar grid that falls by half in an hour, to a third in two, every day.
    let solar: Vec<f64> =
        (0..240).map(|hour| [300.0, 150.0, 80.0, 80.0, 80.0, 170.0][(hour % 24usize / 4).min(5)]).collect();
    assert!(plain(&hourly(&solar)).faults.is_empty());
    // A small grid that switches between 20 and 80 in one step, often: nothing around it is far away.
    let small: Vec<f64> = (0..240).map(|hour| if hour % 30 < 14 { 20.0 } else { 80.0 }).collect();
    assert!(plain(&hourly(&small)).faults.is_empty());
}

#[test]
fn several_columns_are_never_guessed() {
    let text = "time,DE,FR\n2022-03-01T00:00Z,400,50\n2022-03-01T01:00Z,410,51\n";
    let message = refusal(text, SeriesRequest::default());
    assert!(message.contains("--zone: DE, FR"), "{message}");
    let of = |zone: &str| SeriesRequest { zone: Some(zone.to_owned()), ..Default::default() };
    let series = read_text(text, of("fr")).unwrap();
    assert_eq!((series.zone.as_str(), series.values[0]), ("FR", Some(50.0)));
    assert!(said(&series, "states no unit"), "{:?}", series.faults);
    assert!(refusal(text, of("DEE")).contains("did you mean DE?"));
}

#[test]
fn units_are_the_files_or_the_users_and_small_numbers_without_one_are_refused() {
    let kilograms = "time,DE\n2022-03-01T00:00Z,0.4\n2022-03-01T01:00Z,0.41\n";
    assert!(refusal(kilograms, SeriesRequest::default()).contains("--unit kg/kWh"));
    let unit = |word: &str| SeriesRequest { unit: Some(word.to_owned()), ..Default::default() };
    assert_eq!(read_text(kilograms, unit("kg/kWh")).unwrap().values[0], Some(400.0));
    assert!(refusal(kilograms, unit("g/kW")).contains("did you mean g/kWh"));
    // 1000 lb/MWh × 453.59237 g / 1000 kWh = 453.59237 g/kWh.
    let pounds = "point_time,MOER (lbs CO2/MWh)\n2022-03-01T00:00Z,1000\n2022-03-01T00:05Z,0\n";
    let series = plain(pounds);
    assert!((series.values[0].unwrap() - 453.592_37).abs() < 1e-9);
    assert_eq!((series.method, series.gas), (FactorMethod::Marginal, Some(Gas::Co2)));
    assert_eq!(series.values[1], Some(0.0), "a marginal signal can be zero");
}

#[test]
fn a_profile_keeps_zero_and_any_unit() {
    let request = SeriesRequest { file: EXAMPLE.to_owned(), zone: Some("solar_mwh".to_owned()), ..Default::default() };
    let profile = read_profile(&request, Path::new(".")).unwrap();
    assert_eq!((profile.values[0], profile.values[1]), (Some(1367.0), Some(0.0)));
    assert_eq!(profile.column, "solar_mwh");
}

#[test]
fn lists_of_the_apis_keep_zone_unit_signal_and_step() {
    let of = |zone: &str| SeriesRequest { zone: Some(zone.to_owned()), ..Default::default() };
    // Electricity Maps past-range with two zones: only the chosen one's estimates and factor type count.
    let range = r#"{"data":[
        {"zone":"DE","carbonIntensity":302,"datetime":"2024-02-29T23:00:00.000Z","emissionFactorType":"lifecycle","isEstimated":false},
        {"zone":"FR","carbonIntensity":50,"datetime":"2024-02-29T23:00:00.000Z","emissionFactorType":"direct","isEstimated":true},
        {"zone":"DE","carbonIntensity":300,"datetime":"2024-03-01T00:00:00.000Z","emissionFactorType":"lifecycle","isEstimated":false}]}"#;
    let series = read_text(range, of("DE")).unwrap();
    assert_eq!((series.values.as_slice(), series.life_cycle), (&[Some(302.0), Some(300.0)][..], Some(true)));
    assert!(!said(&series, "estimated"), "{:?}", series.faults);
    // Its forecast names the zone once and no factor type.
    let forecast = r#"{"zone":"DE","forecast":[{"carbonIntensity":326,"datetime":"2024-03-01T00:00:00.000Z"},
        {"carbonIntensity":297,"datetime":"2024-03-01T01:00:00.000Z"}],"updatedAt":"2024-02-29T23:57:00.000Z"}"#;
    let series = plain(forecast);
    assert_eq!((series.zone.as_str(), series.life_cycle, series.values[1]), ("DE", None, Some(297.0)));
    // WattTime, 5 minutes, stamps of Pacific time: 800 lb/MWh × 453.59237 g / 1000 kWh = 362.873896 g/kWh.
    let moer = r#"{"data":[{"point_time":"2024-03-01T00:00:00-08:00","value":800.0,"version":"2023-03-01"},
        {"point_time":"2024-03-01T00:05:00-08:00","value":0.0,"version":"2023-03-01"}],"meta":{"region":"CAISO_NORTH",
        "data_point_period_seconds":300,"signal_type":"co2_moer","units":"lbs_co2_per_mwh","model":{"date":"2023-03-01"}}}"#;
    let series = plain(moer);
    assert_eq!((series.start.to_string().as_str(), series.step.get()), ("2024-03-01T08:00:00Z", 300.0));
    assert!((series.values[0].unwrap() - 362.873_896).abs() < 1e-9);
    assert_eq!((series.method, series.gas), (FactorMethod::Marginal, Some(Gas::Co2)));
    // Great Britain, all regions at once, of half an hour each.
    let regions = r#"{"data":[{"from":"2024-03-31T00:30Z","to":"2024-03-31T01:00Z","regions":[
        {"regionid":1,"dnoregion":"A","shortname":"North Scotland","intensity":{"forecast":12,"index":"very low"}},
        {"regionid":13,"dnoregion":"B","shortname":"London","intensity":{"forecast":180,"index":"moderate"}}]},
        {"from":"2024-03-31T01:00Z","to":"2024-03-31T01:30Z","regions":[
        {"regionid":13,"dnoregion":"B","shortname":"London","intensity":{"forecast":170,"index":"moderate"}},
        {"regionid":1,"dnoregion":"A","shortname":"North Scotland","intensity":{"forecast":10,"index":"very low"}}]}]}"#;
    let series = read_text(regions, of("london")).unwrap();
    assert_eq!((series.step.get(), series.values.as_slice()), (1800.0, &[Some(180.0), Some(170.0)][..]));
    let message = refusal(regions, SeriesRequest::default());
    assert!(message.contains("London, North Scotland"), "{message}");
    // The Carbon Aware SDK over the wire: lower case, five minutes.
    let wire = r#"[{"location":"eastus","time":"2024-03-01T00:00:00+00:00","rating":450,"duration":"00:05:00"},
        {"location":"eastus","time":"2024-03-01T00:05:00+00:00","rating":440,"duration":"00:05:00"}]"#;
    let series = plain(wire);
    assert_eq!((series.zone.as_str(), series.step.get(), series.values[1]), ("eastus", 300.0, Some(440.0)));
}
