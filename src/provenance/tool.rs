//! The build of wattmark: version, commit, compiler, libraries, as the build script left them in the environment.
//!
//! What surprises people: a build without the build script's variables (a source archive) is valid and says `unknown`.

use std::collections::BTreeMap;

use crate::model::Tool;

/// This build.
pub fn tool() -> Tool {
    let libraries = [("wgpu", option_env!("WATTMARK_WGPU")), ("naga", option_env!("WATTMARK_NAGA"))];
    Tool {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: stated(option_env!("WATTMARK_COMMIT")),
        dirty: option_env!("WATTMARK_DIRTY").and_then(|text| text.parse().ok()),
        rustc: stated(option_env!("WATTMARK_RUSTC")).unwrap_or_else(|| "unknown".to_owned()),
        profile: stated(option_env!("WATTMARK_PROFILE"))
            .unwrap_or_else(|| if cfg!(debug_assertions) { "debug" } else { "release" }.to_owned()),
        libraries: libraries
            .into_iter()
            .filter_map(|(name, version)| Some((name.to_owned(), stated(version)?)))
            .collect::<BTreeMap<_, _>>(),
    }
}

/// A variable that was set to something.
fn stated(variable: Option<&str>) -> Option<String> {
    variable.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_variable_is_no_statement() {
        assert_eq!((stated(None), stated(Some(" ")), stated(Some("a1b2"))), (None, None, Some("a1b2".to_owned())));
    }

    #[test]
    fn the_profile_and_the_version_are_always_known() {
        let tool = tool();
        assert!(!tool.profile.is_empty() && tool.version.split('.').count() == 3);
    }
}
