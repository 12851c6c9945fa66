//! Claims checked from the text of a site file, for the tests of this folder.

use super::{Check, Rate, check};
use crate::account::{AccountError, Site, resolve_site};

/// A site in Qinghai (179.6 g CO2/kWh in 2023) with a declared PUE of 1.2 and these tables.
pub fn site(tables: &str) -> Site {
    of_text(&format!("name = \"Hall 3\"\ngrid = \"CN-QH\"\npue = 1.2\n{tables}"))
}

/// The site of a whole file.
pub fn of_text(text: &str) -> Site {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("hall.toml"), text).unwrap();
    resolve_site(None, None, Some("hall.toml"), folder.path()).unwrap()
}

/// The checks of these tables.
pub fn checks(tables: &str) -> Vec<Check> {
    check(&site(tables), &[]).unwrap()
}

/// The only check of one claim with these keys.
pub fn one(keys: &str) -> Check {
    with(keys, &[])
}

/// The only check of one claim with these keys and measured rates.
pub fn with(keys: &str, rates: &[Rate]) -> Check {
    let mut found = check(&site(&format!("[claims]\n{keys}")), rates).unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

/// The message of a refusal.
pub fn refusal(tables: &str) -> String {
    let result: Result<Vec<Check>, AccountError> = check(&site(tables), &[]);
    result.unwrap_err().to_string()
}
