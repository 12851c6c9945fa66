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
}
