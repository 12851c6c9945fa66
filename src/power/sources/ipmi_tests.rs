//! What ipmitool says, read and explained: its answers as they stand on a terminal.

use super::*;

const READING: &str = "
    Instantaneous power reading:                   214 Watts
    Minimum during sampling period:                  2 Watts
    Maximum during sampling period:                468 Watts
    Average power reading over sample period:      184 Watts
    IPMI timestamp:                           S+ 00:00:00    Sampling period:                          00000001 Seconds.
    Power reading state is:                   activated

";

fn why(failure: Result<f64, Failure>) -> String {
    failure.unwrap_err().why
}

#[test]
fn the_instantaneous_figure_is_taken_and_never_the_average() {
    assert_eq!(dcmi_watts(READING), Ok(214.0));
    let without = READING.replace("Instantaneous", "Remembered");
    assert!(why(dcmi_watts(&without)).contains("no instantaneous power reading"));
}

#[test]
fn a_reading_that_is_off_or_zero_is_none() {
    let off = READING.replace("activated", "deactivated");
    assert!(why(dcmi_watts(&off)).contains("does not measure power now (power reading state: deactivated)"));
    let zero = READING.replace("  214 Watts", "    0 Watts");
    assert!(why(dcmi_watts(&zero)).contains("0 W, which cannot be"));
    assert!(why(dcmi_watts(&READING.replace("214 Watts", "n/a"))).contains("`n/a` is not a number of watts"));
    assert!(dcmi_watts("").is_err());
}

#[test]
fn a_sensor_is_read_in_watts_only() {
    let line = "Pwr Consumption,212,Watts,ok,19.1,Power Unit,Other,0.000,,0.000,,,,,,,0.000,1020.000\n";
    assert_eq!(sensor_watts(line, "Pwr Consumption"), Ok(212.0));
    assert!(
        why(sensor_watts("Inlet Temp,21,degrees C,ok,7.1\n", "Inlet Temp")).contains("in degrees C and not in Watts")
    );
    assert!(why(sensor_watts("Pwr,,Watts,ns,19.1\n", "Pwr")).contains("gives no reading (state ns)"));
    assert!(why(sensor_watts("Pwr,0,Watts,ok,19.1\n", "Pwr")).contains("0 W"));
    assert!(why(sensor_watts("", "Pwr")).contains("no sensor `Pwr`"));
}

#[test]
fn each_refusal_says_what_to_do() {
    let said = |errors: &str| {
        refusal(&Answer { out: String::new(), errors: errors.to_owned(), success: false }, "BMC bmc1", false)
    };
    for (errors, expected, remedy) in [
        ("Error: Unable to establish IPMI v2 / RMCP+ session", "wrong address, user or password", "privilege=user"),
        (
            "DCMI request failed because: Insufficient privilege level (d4)",
            "may not read power",
            "privilege=administrator",
        ),
        ("DCMI request failed because: Invalid command (c1)", "no DCMI power reading", "sensor=NAME"),
        ("Unable to Get Channel Cipher Suites", "ciphers", "cipher=3"),
        ("Could not open device at /dev/ipmi0", "cannot be opened", "run as root"),
        ("Segmentation fault", "ipmitool: Segmentation fault", "by hand"),
    ] {
        let failure = said(errors);
        assert!(failure.why.contains(expected) && failure.remedy.contains(remedy), "{failure:?}");
    }
}
