//! Q40: what there was to compare with, and what had to be set aside.

use super::{check, said};
use crate::model::{CheckOutcome, Grade, Reference};
use crate::qualify::references::{Aside, Bench};
use crate::qualify::words;

/// Most reasons that the sentence lists.
const LISTED: usize = 4;

/// Whether profile, peers and history exist and measured the same thing.
pub fn comparable(bench: &Bench<'_>, aside: &Aside) -> CheckOutcome {
    let action = check("Q40").action;
    if let Some(reason) = &bench.misfit {
        let detail = format!("{}; it was not used. {}", words::capital(reason), had(bench));
        return said(
            "Q40",
            Grade::Inconclusive,
            Reference::Absolute,
            detail,
            "Give the profile of this model, or leave --profile out.",
        );
    }
    if bench.is_empty() && aside.is_empty() {
        let detail =
            "No profile was given and none is shipped for this model; there is no other device of this model in the \
                      node, and no earlier qualification of this board."
                .to_owned();
        return said("Q40", Grade::Inconclusive, Reference::Absolute, detail, action);
    }
    if aside.is_empty() {
        return said("Q40", Grade::Pass, Reference::Absolute, had(bench), "");
    }
    let reasons: Vec<String> = aside.iter().map(|aside| format!("{}, {}", aside.reference, aside.reason)).collect();
    let detail = format!("Set aside: {}. {}", words::list(&reasons, LISTED), had(bench));
    let grade = if bench.is_empty() { Grade::Inconclusive } else { Grade::Warn };
    said("Q40", grade, Reference::Absolute, detail, check("Q40").watch)
}

/// The references in a sentence.
fn had(bench: &Bench<'_>) -> String {
    let profile = bench.profile.as_ref().map_or("no profile".to_owned(), |profile| {
        let kind = if profile.devices == 1 { " (of one device, with wide limits)" } else { "" };
        format!("profile {}{kind}", profile.name)
    });
    let peers = words::count(bench.peers.len(), "other device");
    let history = words::count(bench.history.len(), "earlier qualification");
    format!("Held against: {profile}, {peers} of this model, {history} of this board.")
}
