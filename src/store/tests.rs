//! The store as a whole: the golden record, and every way in which a file can be no good.

use std::path::{Path, PathBuf};

use super::*;
use crate::model::RunRecord;

const GOLDEN: &str = include_str!("../../tests/fixtures/records/v1.0.json");

fn golden() -> RunRecord {
    serde_json::from_str(GOLDEN).unwrap()
}

/// Writes `bytes` as a run's record and reads it back.
fn read_bytes(bytes: &[u8]) -> Result<Loaded, StoreError> {
    let results = tempfile::tempdir().unwrap();
    let file = results.path().join(RECORD_FILE);
    std::fs::write(&file, bytes).unwrap();
    read(&file)
}

fn error_of(text: &str) -> StoreError {
    read_bytes(text.as_bytes()).unwrap_err()
}

#[test]
fn the_golden_record_of_format_1_0_reads_and_is_written_back_byte_for_byte() {
    let record = read_bytes(GOLDEN.as_bytes()).unwrap().record;
    assert!(to_text(&record).unwrap() == GOLDEN, "the text of the golden record changed");
}

#[test]
fn a_saved_record_is_read_back_as_it_was() {
    let results = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(results.path(), "2026-08-22T10:15:30Z".parse().unwrap(), "h", "0000").unwrap();
    folder.save(&golden()).unwrap();
    folder.save(&golden()).unwrap();
    let loaded = read(folder.path()).unwrap();
    assert_eq!((loaded.record, loaded.warnings), (golden(), vec![]));
    assert_eq!(loaded.path, folder.record_path());
}

#[test]
fn a_number_that_json_cannot_hold_never_replaces_a_readable_save() {
    let results = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(results.path(), "2026-08-22T10:15:30Z".parse().unwrap(), "h", "0000").unwrap();
    folder.save(&golden()).unwrap();
    let mut record = golden();
    record.measurements[2].calibration.as_mut().unwrap().per_dispatch_s = crate::units::Seconds::new(f64::NAN);
    let text = folder.save(&record).unwrap_err().to_string();
    assert!(text.contains("measurements[2].calibration.per_dispatch_s is infinite or not a number"), "{text}");
    assert_eq!(read(folder.path()).unwrap().record, golden());
}

#[test]
fn an_empty_file_and_a_foreign_one_are_told_apart() {
    assert!(matches!(error_of(""), StoreError::Empty { .. }));
    for (text, found) in
        [("{}", "missing"), (r#"{"schema": "other/1"}"#, "other/1"), ("[1, 2]", "no object"), ("7", "no object")]
    {
        let error = error_of(text);
        assert!(matches!(error, StoreError::Foreign { .. }), "{text}: {error}");
        assert!(error.to_string().contains(found), "{error}");
    }
    assert!(matches!(error_of("wattmark"), StoreError::NotJson { line: 1, .. }));
    assert!(matches!(read_bytes(b"{\"schema\": \"\xff\"}"), Err(StoreError::NotUtf8 { at: 12, .. })));
}

#[test]
fn a_record_cut_anywhere_is_truncated_and_the_message_counts_its_bytes() {
    for cut in [1, 10, 700, 5_000, GOLDEN.len() - 3] {
        match error_of(&GOLDEN[..cut]) {
            StoreError::Truncated { bytes, .. } => assert_eq!(bytes, cut as u64),
            other => panic!("cut at {cut}: {other}"),
        }
    }
    assert!(error_of(&GOLDEN[..700]).to_string().contains("700 bytes"));
}

#[test]
fn a_newer_major_version_names_the_wattmark_that_can_read_it() {
    let newer = GOLDEN.replacen("\"major\": 1", "\"major\": 2", 1).replacen(
        "\"version\": \"0.1.0\"",
        "\"version\": \"3.4.5\"",
        1,
    );
    let text = error_of(&newer).to_string();
    assert!(text.contains("format 2.0") && text.contains("reads 1.x") && text.contains("Use wattmark 3.4.5"), "{text}");
}

#[test]
fn a_newer_major_version_of_another_form_is_still_recognised() {
    let text = r#"{"schema": "wattmark/run", "version": {"major": 9, "minor": 1}, "provenance": ["other"]}"#;
    assert!(matches!(error_of(text), StoreError::NewerMajor { .. }));
}

#[test]
fn a_newer_minor_version_is_read_with_a_warning_and_its_new_fields_are_ignored() {
    let newer = GOLDEN.replacen("\"minor\": 0", "\"minor\": 7", 1).replacen("{", "{\"novelty\": {\"a\": [1]},", 1);
    let loaded = read_bytes(newer.as_bytes()).unwrap();
    assert_eq!(loaded.warnings.len(), 1);
    assert!(loaded.warnings[0].contains("1.7") && loaded.warnings[0].contains("ignored"), "{:?}", loaded.warnings);
    assert_eq!(loaded.record.measurements, golden().measurements);
}

#[test]
fn a_newer_minor_version_that_cannot_be_read_names_the_wattmark_that_can() {
    let newer = GOLDEN.replacen("\"minor\": 0", "\"minor\": 7", 1).replacen(
        "\"preset\": \"quick\"",
        "\"preset\": \"brisk\"",
        1,
    );
    let text = error_of(&newer).to_string();
    assert!(text.contains("`plan.preset`") && text.contains("newer format 1.7, so use wattmark 0.1.0"), "{text}");
}

#[test]
fn an_older_major_version_without_a_migration_is_refused() {
    let older = GOLDEN.replacen("\"major\": 1", "\"major\": 0", 1);
    assert!(matches!(error_of(&older), StoreError::TooOld { .. }));
}

#[test]
fn a_bad_field_is_named_by_its_path() {
    let cases = [
        (
            "\"seed\": 7,\n    \"params\": {\"workgroup\": 256}",
            "\"seed\": \"x\",\n    \"params\": {\"workgroup\": 256}",
            "plan.cases[0].seed",
        ),
        ("\"simulated\": true", "\"simulated\": 3", "simulated"),
        ("\"max_storage_buffers\": 16", "\"max_storage\": 16", "devices[0].limits"),
        ("\"pattern\": \"normal\"", "\"pattern\": \"odd\"", "plan.cases[0].pattern"),
        ("\"major\": 1", "\"major\": \"one\"", "version"),
    ];
    for (sound, broken, field) in cases {
        let text = GOLDEN.replacen(sound, broken, 1);
        assert!(text != GOLDEN, "{sound}");
        match error_of(&text) {
            StoreError::Field { field: found, .. } => assert_eq!(found, field),
            other => panic!("{field}: {other}"),
        }
    }
}

#[test]
fn a_run_that_never_ended_is_read_with_a_word_about_it() {
    let text = GOLDEN.replacen("\"state\": \"complete\"", "\"state\": \"running\"", 1);
    assert!(read_bytes(text.as_bytes()).unwrap().warnings[0].contains("still going"));
}

/// A results folder with three runs, the last of them unreadable, and things that are no runs.
fn three_runs() -> tempfile::TempDir {
    let results = tempfile::tempdir().unwrap();
    for (name, text) in
        [("20260101T000000Z-a-0001", GOLDEN), ("20260102T000000Z-b-0002", GOLDEN), ("20260103T000000Z-b-0003", "{")]
    {
        std::fs::create_dir(results.path().join(name)).unwrap();
        std::fs::write(results.path().join(name).join(RECORD_FILE), text).unwrap();
    }
    std::fs::create_dir(results.path().join("schema")).unwrap();
    std::fs::create_dir(results.path().join("20260104T000000Z-b-0004")).unwrap();
    std::fs::write(results.path().join("README.md"), "").unwrap();
    results
}

#[test]
fn a_run_is_found_by_folder_file_and_beginning_of_its_name() {
    let results = three_runs();
    let first = results.path().join("20260101T000000Z-a-0001");
    for name in
        [first.clone(), first.join(RECORD_FILE), PathBuf::from("20260101"), PathBuf::from("20260101T000000Z-a-0001")]
    {
        assert_eq!(read_in(&name, results.path()).unwrap().path, first.join(RECORD_FILE), "{}", name.display());
    }
    assert!(matches!(read_in(Path::new("latest"), results.path()), Err(StoreError::Truncated { .. })));
}

#[test]
fn an_ambiguous_or_unknown_name_says_what_there_is() {
    let results = three_runs();
    match read_in(Path::new("2026"), results.path()) {
        Err(StoreError::Ambiguous { names, .. }) => assert_eq!(names.len(), 3),
        other => panic!("{other:?}"),
    }
    for name in ["1999", "nowhere/run.json", "latest.json"] {
        assert!(matches!(read_in(Path::new(name), results.path()), Err(StoreError::Missing { .. })), "{name}");
    }
    assert!(matches!(read_in(Path::new("latest"), &results.path().join("schema")), Err(StoreError::Missing { .. })));
}

#[test]
fn an_unreadable_record_never_hides_the_others() {
    let results = three_runs();
    let runs = read_many(results.path()).unwrap();
    let readable: Vec<bool> = runs.iter().map(Result::is_ok).collect();
    assert_eq!(readable, [true, true, false, false], "the folder without a record is named as well");
    assert!(matches!(runs[3], Err(StoreError::Missing { .. })));
    assert!(matches!(read_many(Path::new("/nowhere/at/all")), Err(StoreError::Missing { .. })));
}
