//! The small language of manifests and shaders: minijinja with integer functions, and nothing undefined.
//!
//! Shape axes are lower-case variables, parameters upper-case ones. What surprises people: `/` divides to a fraction;
//! integer division is `//`, and rounding up is `ceil_div`.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior};

/// Variables of a rendering.
pub type Context = BTreeMap<String, u64>;

/// Workgroups along x before a one-dimensional grid is folded into x and y: the largest power of two that every
/// WebGPU device can dispatch along one dimension (its guaranteed limit is 65535).
const FOLD: u64 = 32_768;

/// The environment with the functions that manifests and shaders may call.
pub fn environment() -> &'static Environment<'static> {
    static ENVIRONMENT: OnceLock<Environment<'static>> = OnceLock::new();
    ENVIRONMENT.get_or_init(|| {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        // A line that holds only a template tag leaves no line behind; these two settings need no syntax of our own.
        if let Ok(syntax) = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build() {
            environment.set_syntax(syntax);
        }
        for (name, source) in super::PARTS {
            // A part that does not parse fails every variant that includes it, with its message.
            if let Err(error) = environment.add_template(name, source) {
                log::warn!("shaders/parts/{name}: {error}");
            }
        }
        environment.add_function("ceil_div", ceil_div);
        environment.add_function("gcd", gcd);
        environment.add_function("min", |a: u64, b: u64| a.min(b));
        environment.add_function("max", |a: u64, b: u64| a.max(b));
        environment.add_function("fold_x", |groups: u64| if groups > 65_535 { FOLD } else { groups });
        environment.add_function("fold_y", |groups: u64| if groups > 65_535 { groups.div_ceil(FOLD) } else { 1 });
        environment
    })
}

/// Sources of the parts that a template includes, directly or through another, each once.
pub fn parts_of(template: &str) -> Vec<&'static str> {
    let mut found: Vec<&'static (&str, &str)> = Vec::new();
    let mut open = vec![template];
    while let Some(text) = open.pop() {
        for part in super::PARTS.iter().filter(|(name, _)| text.contains(&format!("\"{name}\""))) {
            if !found.iter().any(|known| known.0 == part.0) {
                found.push(part);
                open.push(part.1);
            }
        }
    }
    found.sort();
    found.into_iter().map(|(_, source)| *source).collect()
}

/// Quotient rounded up.
fn ceil_div(dividend: u64, divisor: u64) -> Result<u64, Error> {
    if divisor == 0 {
        return Err(Error::new(ErrorKind::InvalidOperation, "ceil_div by zero"));
    }
    Ok(dividend.div_ceil(divisor))
}

/// Greatest common divisor.
fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Checks that an expression parses.
pub fn check(expression: &str) -> Result<(), String> {
    environment().compile_expression(expression).map(|_| ()).map_err(|error| in_words(expression, &error))
}

/// Value of an expression that must be a whole number of at least 0.
pub fn number(expression: &str, context: &Context) -> Result<u64, String> {
    let value = evaluate(expression, context)?;
    u64::try_from(value.clone()).map_err(|_| format!("`{expression}` is {value}, not a whole number"))
}

/// Value of an expression that must be true or false.
pub fn truth(expression: &str, context: &Context) -> Result<bool, String> {
    let value = evaluate(expression, context)?;
    bool::try_from(value.clone()).map_err(|_| format!("`{expression}` is {value}, neither true nor false"))
}

fn evaluate(expression: &str, context: &Context) -> Result<minijinja::Value, String> {
    let compiled = environment().compile_expression(expression).map_err(|error| in_words(expression, &error))?;
    let value = compiled.eval(context).map_err(|error| in_words(expression, &error))?;
    if value.is_undefined() {
        return Err(format!("`{expression}` has no value"));
    }
    Ok(value)
}

fn in_words(expression: &str, error: &Error) -> String {
    format!("`{expression}`: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context() -> Context {
        BTreeMap::from([("m".to_owned(), 65), ("BM".to_owned(), 32)])
    }

    #[test]
    fn grids_are_whole_numbers_rounded_up() {
        assert_eq!(number("ceil_div(m, BM)", &context()), Ok(3));
        assert_eq!(number("m // BM", &context()), Ok(2));
        assert!(number("m / BM", &context()).unwrap_err().contains("not a whole number"));
        assert!(number("BM - m", &context()).is_err());
        assert!(number("ceil_div(m, 0)", &context()).unwrap_err().contains("by zero"));
    }

    #[test]
    fn a_name_that_does_not_exist_is_an_error_not_nothing() {
        assert!(number("BX", &context()).is_err());
        assert!(number("m + BX", &context()).is_err());
        assert!(truth("m", &context()).is_err());
        assert_eq!(truth("m % BM == 1 and gcd(12, 18) == 6", &context()), Ok(true));
        assert!(check("m +").is_err());
    }

    #[test]
    fn a_folded_grid_covers_every_workgroup_within_the_guaranteed_limit() {
        for groups in [1_u64, 7, 65_535, 65_536, 1_000_003, 1 << 30] {
            let context = BTreeMap::from([("groups".to_owned(), groups)]);
            let x = number("fold_x(groups)", &context).unwrap();
            let y = number("fold_y(groups)", &context).unwrap();
            assert!(x <= 65_535 && y <= 65_535 && x * y >= groups && x * (y - 1) < groups, "{groups}: {x} x {y}");
        }
    }
}
