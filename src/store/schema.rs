//! The published JSON Schema of a record: the committed file, embedded, and the test that keeps it equal to the types.
//!
//! To change it, change the types and run the test with `WATTMARK_BLESS=1`.

/// JSON Schema of record format 1.x.
pub const RUN_SCHEMA_V1: &str = include_str!("../../results/schema/run-v1.json");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{RECORD_SCHEMA, RunRecord, SCHEMA_VERSION};

    fn generated() -> String {
        let mut schema = schemars::schema_for!(RunRecord);
        schema.insert("$id".to_owned(), format!("{RECORD_SCHEMA}-v{}", SCHEMA_VERSION.major).into());
        schema.insert("title".to_owned(), format!("wattmark run record, format {SCHEMA_VERSION}").into());
        format!("{}\n", serde_json::to_string_pretty(&schema).unwrap())
    }

    #[test]
    fn the_committed_schema_is_the_schema_of_the_types() {
        let generated = generated();
        if std::env::var_os("WATTMARK_BLESS").is_some() {
            let file = concat!(env!("CARGO_MANIFEST_DIR"), "/results/schema/run-v1.json");
            std::fs::write(file, &generated).unwrap();
            return;
        }
        assert!(
            RUN_SCHEMA_V1 == generated,
            "results/schema/run-v1.json differs from the types; run this test with WATTMARK_BLESS=1 and commit the file \
             (and raise the version if fields changed)"
        );
    }

    /// Names of all fields that occur anywhere in a JSON value, except those under maps with free keys.
    fn fields(value: &serde_json::Value, into: &mut std::collections::BTreeSet<String>) {
        const FREE_KEYS: [&str; 5] = ["shape", "params", "origins", "libraries", "device_details"];
        match value {
            serde_json::Value::Object(map) => {
                for (key, inner) in map {
                    into.insert(key.clone());
                    if !FREE_KEYS.contains(&key.as_str()) {
                        fields(inner, into);
                    }
                }
            }
            serde_json::Value::Array(items) => items.iter().for_each(|item| fields(item, into)),
            _ => {}
        }
    }

    #[test]
    fn the_readme_of_the_results_explains_every_field() {
        let readme = include_str!("../../results/README.md");
        let golden = serde_json::from_str(include_str!("../../tests/fixtures/records/v1.0.json")).unwrap();
        let mut names = std::collections::BTreeSet::new();
        fields(&golden, &mut names);
        // The limits of a device are explained as a group.
        let limits = |name: &String| name.starts_with("max_") && !["max_abs_error"].contains(&name.as_str());
        let missing: Vec<&String> =
            names.iter().filter(|name| !limits(name) && !readme.contains(name.as_str())).collect();
        assert!(missing.is_empty(), "not in results/README.md: {missing:?}");
    }
}
