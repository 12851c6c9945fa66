//! The published JSON Schemas of records and qualifications: the committed files, embedded, and the tests that keep them equal
//! to the types.
//!
//! To change one, change the types and run the test with `WATTMARK_BLESS=1`.

/// JSON Schema of record format 1.x.
pub const RUN_SCHEMA_V1: &str = include_str!("../../results/schema/run-v1.json");

/// JSON Schema of qualification format 1.x.
pub const QUALIFICATION_SCHEMA_V1: &str = include_str!("../../results/schema/qualification-v1.json");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        QUALIFICATION_SCHEMA, QUALIFICATION_VERSION, Qualification, RECORD_SCHEMA, RunRecord, SCHEMA_VERSION,
        SchemaVersion,
    };

    fn described(mut schema: schemars::Schema, name: &str, version: SchemaVersion) -> String {
        schema.insert("$id".to_owned(), format!("{name}-v{}", version.major).into());
        let word = name.trim_start_matches("wattmark/");
        let title = if name == RECORD_SCHEMA { "run record" } else { word };
        schema.insert("title".to_owned(), format!("wattmark {title}, format {version}").into());
        format!("{}\n", serde_json::to_string_pretty(&schema).unwrap())
    }

    fn holds(file: &str, committed: &str, generated: &str) {
        if std::env::var_os("WATTMARK_BLESS").is_some() {
            let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
            std::fs::write(path, generated).unwrap();
            return;
        }
        assert!(
            committed == generated,
            "{file} differs from the types; run this test with WATTMARK_BLESS=1 and commit the file (and raise the version \
             if fields changed)"
        );
    }

    #[test]
    fn the_committed_schema_is_the_schema_of_the_types() {
        let generated = described(schemars::schema_for!(RunRecord), RECORD_SCHEMA, SCHEMA_VERSION);
        holds("results/schema/run-v1.json", RUN_SCHEMA_V1, &generated);
    }

    #[test]
    fn the_committed_schema_of_a_qualification_is_that_of_its_types() {
        let generated = described(schemars::schema_for!(Qualification), QUALIFICATION_SCHEMA, QUALIFICATION_VERSION);
        holds("results/schema/qualification-v1.json", QUALIFICATION_SCHEMA_V1, &generated);
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
