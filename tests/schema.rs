//! `wattmark schema`: what is printed is what is published.

use assert_cmd::Command;

#[test]
fn the_printed_schema_is_the_published_file_and_describes_a_record() {
    let output = Command::new(env!("CARGO_BIN_EXE_wattmark")).arg("schema").output().unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8(output.stdout).unwrap(), include_str!("../results/schema/run-v1.json"));
    let schema: serde_json::Value = serde_json::from_str(include_str!("../results/schema/run-v1.json")).unwrap();
    let record: serde_json::Value = serde_json::from_str(include_str!("fixtures/records/v1.0.json")).unwrap();
    for field in schema["required"].as_array().unwrap() {
        assert!(record.get(field.as_str().unwrap()).is_some(), "{field}");
    }
    for field in record.as_object().unwrap().keys() {
        assert!(schema["properties"].get(field).is_some(), "{field}");
    }
}
