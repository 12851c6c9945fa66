//! Tests of a qualification's folder: what is written is what is read, and what is damaged is said.

use super::*;

const GOLDEN: &str = include_str!("../../tests/fixtures/qualifications/v1.0.json");
const RECORD: &str = include_str!("../../tests/fixtures/records/v1.0.json");

fn golden() -> Qualification {
    serde_json::from_str(GOLDEN).unwrap()
}

fn record() -> RunRecord {
    serde_json::from_str(RECORD).unwrap()
}

fn folder() -> (tempfile::TempDir, QualificationFolder) {
    let results = tempfile::tempdir().unwrap();
    let started = "2026-08-22T10:15:30Z".parse().unwrap();
    let folder = QualificationFolder::create(results.path(), started, "node07", "3f9c").unwrap();
    (results, folder)
}

fn message(bytes: &[u8]) -> String {
    parse_qualification(bytes, Path::new("q.json")).unwrap_err().to_string()
}

#[test]
fn what_is_saved_is_what_is_read() {
    let (_results, folder) = folder();
    folder.save(&golden()).unwrap();
    let loaded = read_qualification(folder.path()).unwrap();
    assert_eq!((loaded.qualification, loaded.warnings.len()), (golden(), 0));
    assert_eq!(folder.id(), "20260822T101530Z-node07-3f9c");
    assert!(is_qualification(folder.path()) && is_qualification(&folder.file()));
}

#[test]
fn the_golden_file_of_format_1_0_can_be_read() {
    assert_eq!(parse_qualification(GOLDEN.as_bytes(), Path::new("q.json")).unwrap().qualification.devices.len(), 2);
}

#[test]
fn a_segment_comes_with_its_digest_and_a_changed_one_is_refused() {
    let (_results, folder) = folder();
    let saved = folder.save_segment(1, &record()).unwrap();
    assert_eq!(saved.file, "segment-0001.json");
    assert_eq!(saved.sha256, digest_of(&folder.segment_path(1)).unwrap());
    let (read, segment) = folder.read_segment(1, Some(&saved.sha256)).unwrap();
    assert_eq!((read, &segment), (record(), &saved));
    let text = std::fs::read_to_string(folder.segment_path(1)).unwrap();
    std::fs::write(folder.segment_path(1), text.replace("node07", "node08")).unwrap();
    let error = folder.read_segment(1, Some(&saved.sha256)).unwrap_err().to_string();
    assert!(error.contains("segment-0001.json was changed after it was saved"), "{error}");
    assert!(folder.read_segment(1, None).is_ok(), "without a digest it is an ordinary record");
}

#[test]
fn segments_are_listed_by_number_and_other_files_are_not() {
    let (_results, folder) = folder();
    for number in [10_000, 2, 1] {
        folder.save_segment(number, &record()).unwrap();
    }
    folder.save(&golden()).unwrap();
    for other in ["segment-1.json", "segment-0003.json.bak", "segment-000x.json"] {
        std::fs::write(folder.path().join(other), "{}").unwrap();
    }
    assert_eq!(folder.segments().unwrap(), [1, 2, 10_000]);
}

#[test]
fn a_number_that_json_cannot_hold_leaves_the_last_save_as_it_was() {
    let (_results, folder) = folder();
    folder.save(&golden()).unwrap();
    let mut bad = golden();
    bad.devices[1].metrics[0].value = f64::NAN;
    let error = folder.save(&bad).unwrap_err().to_string();
    assert!(error.contains("devices[1].arithmetic.rate.mean") && error.contains("previous save is intact"), "{error}");
    assert_eq!(read_qualification(folder.path()).unwrap().qualification, golden());
}

#[test]
fn a_file_that_is_no_qualification_is_told_from_a_damaged_one() {
    assert!(message(b"").contains("is empty (0 bytes)"));
    assert!(message(&GOLDEN.as_bytes()[..GOLDEN.len() / 2]).contains("is truncated"));
    assert!(message(b"verdict: pass").contains("is not JSON (line 1, column 1"));
    assert!(message(b"[1, 2]").contains("is not a qualification"));
    assert!(message(b"\xff\xfe").contains("is not UTF-8"));
    let run = message(RECORD.as_bytes());
    assert!(run.contains("its `schema` is \"wattmark/run\"") && run.contains("wattmark qualify"), "{run}");
    let field = message(GOLDEN.replace("\"planned_s\": 1800.0", "\"planned_s\": \"long\"").as_bytes());
    assert!(field.contains("field `planned_s` cannot be read"), "{field}");
}

#[test]
fn another_major_version_is_refused_and_a_newer_minor_one_is_read_with_a_word() {
    let with = |version: &str| GOLDEN.replacen("\"major\": 1,\n  \"minor\": 0", version, 1);
    let newer = message(with("\"major\": 2,\n  \"minor\": 0").as_bytes());
    assert!(newer.contains("format 2.0, this wattmark") && newer.contains("Use wattmark 0.1.0"), "{newer}");
    assert!(message(with("\"major\": 0,\n  \"minor\": 9").as_bytes()).contains("no migration exists"));
    let minor = with("\"major\": 1,\n  \"minor\": 7");
    let loaded = parse_qualification(minor.as_bytes(), Path::new("q.json")).unwrap();
    assert!(loaded.warnings[0].contains("format 1.7 is newer than this build's 1.0"), "{:?}", loaded.warnings);
}

#[test]
fn a_file_of_gigabytes_is_refused_before_it_is_read() {
    let (_results, folder) = folder();
    let file = std::fs::File::create(folder.file()).unwrap();
    // A sparse file: it takes no space on disk.
    file.set_len(5 << 30).unwrap();
    let error = read_qualification(folder.path()).unwrap_err().to_string();
    assert!(error.contains("is 5368709120 bytes long, and at most 16777216 are read"), "{error}");
}

#[test]
fn a_folder_without_a_qualification_says_so() {
    let results = tempfile::tempdir().unwrap();
    let error = read_qualification(results.path()).unwrap_err().to_string();
    assert!(error.contains("there is no qualification.json"), "{error}");
    let error = QualificationFolder::open(&results.path().join("gone")).unwrap_err().to_string();
    assert!(error.contains("there is no such folder"), "{error}");
}

#[test]
fn one_process_at_a_time_works_in_a_folder() {
    let (_results, folder) = folder();
    let held = folder.lock().unwrap().unwrap();
    assert!(folder.lock().unwrap().is_none(), "a second one is refused");
    drop(held);
    assert!(folder.lock().unwrap().is_some());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing stays behind");
}
