//! `--work` and `--as`: the work that a metered program does, as words typed by a user.
//!
//! What surprises people: any unit is allowed, but one that looks like a slip of a known one is refused with a
//! suggestion, because `tokns` would never meet the `token` of another record.

use crate::cli::Failure;
use crate::measure::meter::{Gather, Pattern, WorkClaim, amount};
use crate::model::{Case, DataPattern, ElementType, FOREIGN, Shape, Unit};
use crate::names;
use crate::workload;

/// Units that are known by name, singular and plural.
const UNITS: [(&str, &str); 13] = [
    ("flop", "flop"),
    ("op", "ops"),
    ("byte", "bytes"),
    ("token", "tokens"),
    ("execution", "executions"),
    ("image", "images"),
    ("sample", "samples"),
    ("request", "requests"),
    ("step", "steps"),
    ("frame", "frames"),
    ("sequence", "sequences"),
    ("query", "queries"),
    ("iteration", "iterations"),
];

/// Words that mean a rate where an amount is asked for.
const RATES: [&str; 7] = ["flops", "flop/s", "tokens/s", "tok/s", "tps", "ops/s", "bytes/s"];

/// Takes `UNIT=AMOUNT` and `UNIT=[sum:]/PATTERN/` apart.
pub fn claims(texts: &[String], thousands: Option<char>) -> anyhow::Result<Vec<WorkClaim>> {
    let mut claims: Vec<WorkClaim> = Vec::new();
    for text in texts {
        let claim = claim(text, thousands).map_err(|why| Failure::usage(format!("--work is `{text}`: {why}")))?;
        if claims.iter().any(|known| unit_of(known) == unit_of(&claim)) {
            let why = format!("the amount of {} is given twice", unit_of(&claim));
            return Err(Failure::usage(format!("--work is `{text}`: {why}; give each unit once")).into());
        }
        claims.push(claim);
    }
    Ok(claims)
}

/// Unit of a claim.
pub fn unit_of(claim: &WorkClaim) -> &str {
    match claim {
        WorkClaim::Declared { unit, .. } | WorkClaim::Printed { unit, .. } => unit,
    }
}

fn claim(text: &str, thousands: Option<char>) -> Result<WorkClaim, String> {
    const FORM: &str = "write UNIT=AMOUNT, for example flop=1e15, or UNIT=/PATTERN/, for example \
                        'tokens=/generated (\\d+) tokens/'";
    let (word, value) = text.split_once('=').ok_or(FORM)?;
    let unit = unit(word.trim())?;
    let (gather, value) = match value.trim().split_once(":/") {
        Some(("sum", rest)) => (Gather::Sum, format!("/{rest}")),
        Some(("last", rest)) => (Gather::Last, format!("/{rest}")),
        Some((word, _)) if word.chars().all(|c| c.is_ascii_alphabetic()) && !word.is_empty() => {
            let hint = names::closest(word, ["sum", "last"]).map(|name| format!("; did you mean `{name}`?"));
            return Err(format!("`{word}:` is neither sum: nor last:{}", hint.unwrap_or_default()));
        }
        _ => (Gather::Last, value.trim().to_owned()),
    };
    if let Some(rest) = value.strip_prefix('/') {
        let pattern = rest.strip_suffix('/').filter(|pattern| !pattern.is_empty());
        let pattern = pattern.ok_or_else(|| format!("a pattern stands between two slashes; {FORM}"))?;
        return Ok(WorkClaim::Printed { unit, pattern: Pattern::new(pattern, gather, thousands)? });
    }
    let amount = amount(&value, thousands)?;
    if amount <= 0.0 {
        return Err("the amount must be above 0".to_owned());
    }
    Ok(WorkClaim::Declared { unit, amount })
}

/// The unit in the singular.
fn unit(word: &str) -> Result<String, String> {
    let lower = word.to_lowercase();
    if RATES.contains(&lower.as_str()) {
        let amount = if lower.starts_with('f') { "flop" } else { "tokens" };
        return Err(format!("`{word}` reads as a rate; give the amount of work, for example {amount}=1e15"));
    }
    if let Some((singular, _)) = UNITS.iter().find(|(one, many)| lower == *one || lower == *many) {
        return Ok((*singular).to_owned());
    }
    let proper = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    if word.is_empty() || !word.starts_with(char::is_alphabetic) || !word.chars().all(proper) {
        return Err(format!("`{word}` is no unit: give a word such as flop, tokens or images"));
    }
    let known = UNITS.iter().flat_map(|(one, many)| [*one, *many]);
    // Short words are near to everything.
    match names::closest(&lower, known.filter(|name| name.len() > 3)) {
        Some(near) if lower.len() > 3 && !near.starts_with(&lower) => {
            Err(format!("did you mean `{near}`? A unit of your own must not look like a slip of a known one"))
        }
        _ => Ok(word.to_owned()),
    }
}

/// The case that one execution of a program amounts to, from `PROBLEM/PRECISION/SHAPE`.
pub fn equivalent(text: &str, label: &str, device: Option<u32>) -> anyhow::Result<Case> {
    case_of(text, label, device).map_err(|why| Failure::usage(format!("--as is `{text}`: {why}")).into())
}

fn case_of(text: &str, label: &str, device: Option<u32>) -> Result<Case, String> {
    const FORM: &str = "write PROBLEM/PRECISION/SHAPE, for example gemm/f16/m=n=k=8192";
    let mut parts = text.splitn(3, '/');
    let (Some(name), Some(precision), Some(shape)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(FORM.to_owned());
    };
    let ids = || workload::problems().iter().map(|problem| problem.id());
    let problem = workload::problem(name).ok_or_else(|| match names::closest(name, ids()) {
        Some(near) => format!("there is no problem `{name}`; did you mean `{near}`?"),
        None => format!("there is no problem `{name}`: they are {}", ids().collect::<Vec<_>>().join(", ")),
    })?;
    let element: ElementType = precision.parse().map_err(|why: String| {
        let near = names::closest(precision, ElementType::ALL.iter().map(|element| element.name()));
        near.map_or(why.clone(), |near| format!("{why}; did you mean `{near}`?"))
    })?;
    let shape: Shape = shape.parse().map_err(|error| format!("{error}"))?;
    let missing: Vec<&str> = problem
        .axes()
        .iter()
        .map(|axis| axis.name)
        .filter(|name| !shape.iter().any(|(axis, _)| axis == *name))
        .collect();
    if shape.iter().all(|(axis, _)| problem.axes().iter().any(|own| own.name == axis)) && !missing.is_empty() {
        return Err(format!("the shape leaves out {}; {FORM}", missing.join(", ")));
    }
    problem.check_for(&shape, element).map_err(|error| error.to_string())?;
    Ok(Case {
        device: device.unwrap_or(0),
        problem: problem.id().to_owned(),
        variant: format!("{FOREIGN}{label}"),
        work: problem.work(&shape, element),
        shape,
        element,
        pattern: DataPattern::Normal,
        seed: 0,
        params: std::collections::BTreeMap::new(),
        counted: problem.counted(),
        unit: Unit::Vector,
        shader_sha256: String::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        claims(&[text.to_owned()], None).unwrap_err().to_string()
    }

    #[test]
    fn an_amount_is_declared_or_found_and_its_unit_is_put_into_the_singular() {
        let texts = ["flop=1e15", "Tokens=20_000", "wafers=3k", "images=sum:/did (\\d+) of/"].map(str::to_owned);
        let claims = claims(&texts, None).unwrap();
        let units: Vec<&str> = claims.iter().map(unit_of).collect();
        assert_eq!(units, ["flop", "token", "wafers", "image"]);
        assert_eq!(claims[2], WorkClaim::Declared { unit: "wafers".to_owned(), amount: 3000.0 });
        assert!(matches!(&claims[3], WorkClaim::Printed { pattern, .. } if pattern.text == "did (\\d+) of"));
    }

    #[test]
    fn a_wrong_claim_is_told_with_what_would_be_right() {
        for (text, said) in [
            ("1e15", "UNIT=AMOUNT"),
            ("tokns=5", "did you mean `tokens`"),
            ("flops=1e12", "reads as a rate"),
            ("tokens=many", "`many` is no amount"),
            ("tokens=20,000", "--thousands"),
            ("tokens=0", "above 0"),
            ("tokens=-1", "`-1` is no amount"),
            ("tokens=/generated (\\d+)", "between two slashes"),
            ("tokens=/\\d+/", "parentheses"),
            ("tokens=sun:/(\\d+)/", "did you mean `sum`"),
            ("=5", "is no unit"),
        ] {
            let why = refused(text);
            assert!(why.contains(said) && why.contains(&format!("--work is `{text}`")), "{text}: {why}");
        }
        let twice = claims(&["token=1".to_owned(), "tokens=2".to_owned()], None).unwrap_err().to_string();
        assert!(twice.contains("given twice"), "{twice}");
    }

    #[test]
    fn a_case_has_the_work_of_our_own_problem() {
        let case = equivalent("gemm/f16/m=n=k=1024", "torch", Some(3)).unwrap();
        assert_eq!((case.variant.as_str(), case.device), ("foreign/torch", 3));
        assert_eq!(case.work.flop.get(), 2.0 * 1024f64.powi(3));
        assert!(case.is_foreign());
        for (text, said) in [
            ("gemm", "PROBLEM/PRECISION/SHAPE"),
            ("gem/f16/m=n=k=8", "did you mean `gemm`"),
            ("gemm/fp16/m=n=k=8", "did you mean `f16`"),
            ("gemm/f16/m=n=8", "leaves out k"),
            ("gemm/f16/m=n=k=q=8", "no axis `q`"),
            ("gemm/f16/m=n=k=0", "between 1 and"),
        ] {
            let why = equivalent(text, "x", None).unwrap_err().to_string();
            assert!(why.contains(said), "{text}: {why}");
        }
    }
}
