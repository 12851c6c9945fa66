//! The plan of the house, checked: which room may import which, and which room may name which outside crate.
//!
//! Reads the source text of `src/` (comments and strings blanked out) and names file, line and rule of each breach;
//! unit tests inside `src/` obey the same rules. What surprises people: it follows `crate::`, `wattmark::` and a
//! `super::` that climbs to the root, also inside braces, but a breach hidden in a macro defined elsewhere is not seen.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Rooms, highest first. A room imports only from lines below its own: not from its own line, and never upward.
const LAYERS: &[&[&str]] = &[
    &["cli"],
    &["report"],
    &["figure"],
    &["compare", "qualify", "fleet"],
    &["account"],
    &["measure"],
    &["tune"],
    &["verify", "store"],
    &["gpu", "power", "kernel", "workload", "provenance"],
    &["model"],
    &["clock"],
    &["units", "stats", "names"],
];

/// Rooms that see less than what lies below them: (room, rooms it may import).
const NARROW: &[(&str, &[&str])] = &[
    ("store", &["model", "clock", "units", "stats"]),
    ("verify", &["workload", "gpu", "kernel", "model", "clock", "units", "stats"]),
];

/// Crates that may be named only in these files and folders of `src/`.
const FENCES: &[(&str, &[&str])] = &[
    ("wgpu", &["gpu/"]),
    ("naga", &["gpu/spirv.rs"]),
    ("plotters", &["figure/svg.rs"]),
    ("nix", &["measure/meter/"]),
    ("regex", &["measure/meter/", "power/"]),
    ("nvml_wrapper", &["power/sources/nvml"]),
    ("nvml_wrapper_sys", &["power/sources/nvml"]),
    ("ureq", &["power/sources/http.rs"]),
    ("minijinja", &["kernel/", "report/html"]),
    ("clap", &["cli/"]),
    ("clap_complete", &["cli/"]),
    ("clap_mangen", &["cli/"]),
    ("indicatif", &["cli/"]),
    ("anyhow", &["cli/", "main.rs"]),
];

/// Crates that these files and folders of `src/` must not name.
const BANS: &[(&str, &[&str])] = &[("serde_json", &["model/", "units.rs", "stats/", "clock.rs"])];

/// Longest file, in lines.
const MAX_LINES: usize = 500;

// ---- reading Rust --------------------------------------------------------------------------------------------------

/// The text with comments, strings and characters blanked out; line breaks stay.
fn blank(source: &str) -> String {
    let chars: Vec<char> = source.chars().collect();
    let mut out = String::with_capacity(source.len());
    let mut i = 0;
    while i < chars.len() {
        let end = opaque_end(&chars, i);
        if end > i {
            out.extend(chars[i..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            i = end;
        } else {
            out.push(chars[i]);
            i += 1;
        }
    }
    out
}

/// End of the comment, string or character that begins at `start`; `start` itself when none does.
fn opaque_end(chars: &[char], start: usize) -> usize {
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let within_word = start > 0 && is_word(at(start - 1));
    match (at(start), at(start + 1)) {
        ('/', '/') => (start..chars.len()).find(|i| chars[*i] == '\n').unwrap_or(chars.len()),
        ('/', '*') => {
            let (mut depth, mut i) = (1, start + 2);
            while depth > 0 && i < chars.len() {
                match (at(i), at(i + 1)) {
                    ('/', '*') => (depth, i) = (depth + 1, i + 2),
                    ('*', '/') => (depth, i) = (depth - 1, i + 2),
                    _ => i += 1,
                }
            }
            i
        }
        ('"', _) => quoted_end(chars, start + 1, '"'),
        ('\'', '\\') => quoted_end(chars, start + 1, '\''),
        ('\'', _) if at(start + 2) == '\'' => start + 3,
        ('r', '"' | '#') if !within_word || matches!(at(start.wrapping_sub(1)), 'b' | 'c') => raw_end(chars, start),
        _ => start,
    }
}

fn quoted_end(chars: &[char], mut i: usize, quote: char) -> usize {
    while i < chars.len() && chars[i] != quote {
        i += if chars[i] == '\\' { 2 } else { 1 };
    }
    (i + 1).min(chars.len())
}

/// End of `r#"…"#`; `start` for a raw identifier such as `r#type`.
fn raw_end(chars: &[char], start: usize) -> usize {
    let hashes = chars[start + 1..].iter().take_while(|c| **c == '#').count();
    let open = start + 1 + hashes;
    if chars.get(open) != Some(&'"') {
        return start;
    }
    let closes = |i: usize| chars[i] == '"' && chars[i + 1..].iter().take_while(|c| **c == '#').count() >= hashes;
    (open + 1..chars.len()).find(|i| closes(*i)).map_or(chars.len(), |i| i + 1 + hashes)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// A word, `::`, or one other character, with its line.
struct Token {
    text: String,
    line: usize,
}

fn tokens(source: &str) -> Vec<Token> {
    let mut found: Vec<Token> = Vec::new();
    for (number, line) in blank(source).lines().enumerate() {
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let length = match rest {
                _ if is_word(first) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
                _ if rest.starts_with("::") => 2,
                _ => first.len_utf8(),
            };
            found.push(Token { text: rest[..length].to_owned(), line: number + 1 });
            rest = rest[length..].trim_start();
        }
    }
    found
}

/// A name that a file uses: a room of this crate, or the first part of any other path.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Named {
    Room(String),
    Outside(String),
}

/// Rooms and outside crates that a source text names, with lines. `depth` is the number of modules above it: 0 for
/// `lib.rs`, 1 for `units.rs` and `gpu/mod.rs`, 2 for `gpu/batch.rs`.
fn names(source: &str, depth: usize) -> BTreeSet<(usize, Named)> {
    let tokens = tokens(source);
    let text = |i: usize| tokens.get(i).map_or("", |token| token.text.as_str());
    let mut found = BTreeSet::new();
    let mut inline_modules: Vec<bool> = Vec::new();
    for i in 0..tokens.len() {
        match text(i) {
            "{" => inline_modules.push(i >= 2 && text(i - 2) == "mod"),
            "}" => drop(inline_modules.pop()),
            _ => {}
        }
        let starts_path = i == 0 || text(i - 1) != "::" || i < 2 || !continues_path(text(i - 2));
        if !starts_path || !is_name(text(i)) {
            continue;
        }
        let below_root = depth + inline_modules.iter().filter(|module| **module).count();
        let tree = match text(i) {
            "crate" | "wattmark" if text(i + 1) == "::" => Some(i + 2),
            "super" => after_root(&text, i, below_root),
            word => {
                let imported = i > 0 && (text(i - 1) == "use" || (text(i - 1) == "crate" && text(i - 2) == "extern"));
                if text(i + 1) == "::" || imported {
                    found.insert((tokens[i].line, Named::Outside(word.to_owned())));
                }
                None
            }
        };
        for room in tree.map(|start| heads(&text, start)).unwrap_or_default() {
            found.insert((tokens[room].line, Named::Room(text(room).to_owned())));
        }
    }
    found
}

/// True if `::` after this token goes on with its path; after a keyword or a sign it begins one.
fn continues_path(text: &str) -> bool {
    const KEYWORDS: &[&str] =
        &["use", "as", "in", "return", "mut", "dyn", "impl", "for", "where", "if", "match", "else"];
    text == ">" || (is_name(text) && !KEYWORDS.contains(&text))
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Where the path goes on after `super::super::…` has climbed `depth` modules, which is to the root of the crate.
fn after_root<'a>(text: &impl Fn(usize) -> &'a str, start: usize, depth: usize) -> Option<usize> {
    let climbs = (0..).take_while(|n| text(start + 2 * n) == "super" && text(start + 2 * n + 1) == "::").count();
    (climbs == depth && depth > 0).then_some(start + 2 * climbs)
}

/// Positions of the first names of a path or of a braced list of paths.
fn heads<'a>(text: &impl Fn(usize) -> &'a str, start: usize) -> Vec<usize> {
    if text(start) != "{" {
        return vec![start];
    }
    let (mut depth, mut i, mut found) = (1, start + 1, vec![start + 1]);
    while depth > 0 && !text(i).is_empty() {
        match text(i) {
            "{" => depth += 1,
            "}" => depth -= 1,
            "," if depth == 1 && text(i + 1) != "}" => found.push(i + 1),
            _ => {}
        }
        i += 1;
    }
    found
}

// ---- rules ---------------------------------------------------------------------------------------------------------

fn layer(room: &str) -> Option<usize> {
    LAYERS.iter().position(|rooms| rooms.contains(&room))
}

/// Why `room` must not import `other`; `None` if it may.
fn import_breach(room: &str, other: &str) -> Option<String> {
    if room == other {
        return None;
    }
    let (Some(from), Some(to)) = (layer(room), layer(other)) else {
        return layer(other).is_none().then(|| format!("`{other}` is not a room; import from its room by name"));
    };
    let narrow = NARROW.iter().find(|(name, _)| *name == room).map(|(_, allowed)| *allowed);
    if to < from {
        Some(format!("{room} imports {other}, which is above it: imports go only downward"))
    } else if to == from {
        Some(format!("{room} imports {other}, which is beside it: rooms of one layer do not import each other"))
    } else {
        let allowed = narrow.filter(|allowed| !allowed.contains(&other))?;
        Some(format!("{room} imports {other}: it may import only {}", allowed.join(", ")))
    }
}

/// Why the file at `path` (below `src/`) must not name an outside crate; `None` if it may.
fn fence_breach(path: &str, name: &str) -> Option<String> {
    let within = |places: &[&str]| places.iter().any(|place| path.starts_with(place));
    if let Some((_, places)) = FENCES.iter().find(|(krate, _)| *krate == name)
        && !within(places)
    {
        return Some(format!("{name} may be named only in {}", places.join(", ")));
    }
    let (_, places) = BANS.iter().find(|(krate, places)| *krate == name && within(places))?;
    Some(format!("{name} must not be named in {}", places.join(", ")))
}

/// Breaches in one file; `path` is below `src/`, with forward slashes.
fn breaches(path: &str, source: &str) -> Vec<String> {
    let parts: Vec<&str> = path.trim_end_matches(".rs").split('/').filter(|part| *part != "mod").collect();
    let is_root = matches!(path, "lib.rs" | "main.rs");
    let (room, depth) = (parts[0], if is_root { 0 } else { parts.len() });
    let mut found = Vec::new();
    for (line, named) in names(source, depth) {
        let why = match &named {
            Named::Room(_) if is_root => None,
            Named::Room(other) => import_breach(room, other),
            Named::Outside(name) => fence_breach(path, name),
        };
        found.extend(why.map(|why| format!("src/{path}:{line}: {why}")));
    }
    if !is_root && layer(room).is_none() {
        found.push(format!("src/{path}:1: `{room}` is not in the table of rooms: add it to LAYERS"));
    }
    if !source.starts_with("//!") {
        found.push(format!("src/{path}:1: a file opens with a `//!` paragraph"));
    }
    let lines = source.lines().count();
    if lines > MAX_LINES {
        found.push(format!("src/{path}:{lines}: {lines} lines; a file has at most {MAX_LINES}"));
    }
    found
}

/// Halves of pairs in `shaders/<problem>/`: a `.wgsl` without its `.toml`, or the reverse.
fn unpaired(files: &[PathBuf]) -> Vec<String> {
    let other = |path: &Path| match path.extension()?.to_str()? {
        "wgsl" => Some(path.with_extension("toml")),
        "toml" => Some(path.with_extension("wgsl")),
        _ => None,
    };
    let lacking = files.iter().filter_map(|path| Some((path, other(path).filter(|other| !files.contains(other))?)));
    lacking.map(|(path, other)| format!("{} has no {}", path.display(), other.display())).collect()
}

/// All files below a folder, in order of name; none if it does not exist.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths: BTreeSet<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.into_iter().flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

/// The folder of the package being tested.
fn package() -> PathBuf {
    std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from)
}

// ---- the house as it is --------------------------------------------------------------------------------------------

#[test]
fn every_file_keeps_to_the_plan_of_the_house() {
    let src = package().join("src");
    let files = files_below(&src);
    assert!(files.len() > 20, "found only {} files below {}", files.len(), src.display());
    let mut found = Vec::new();
    for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "rs")) {
        let path = file.strip_prefix(&src).unwrap().to_str().unwrap().replace('\\', "/");
        found.extend(breaches(&path, &std::fs::read_to_string(file).unwrap()));
    }
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn every_shader_has_its_manifest_and_every_manifest_its_shader() {
    let parts = package().join("shaders").join("parts");
    let files = files_below(&package().join("shaders"));
    let found = unpaired(&files.into_iter().filter(|file| !file.starts_with(&parts)).collect::<Vec<_>>());
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

// ---- the checker itself, on houses that breach ---------------------------------------------------------------------

/// Breaches of a text at a path, without the rules about whole files.
fn said(path: &str, source: &str) -> Vec<String> {
    breaches(path, &format!("//! x\n{source}"))
}

#[test]
fn an_import_upward_sideways_or_past_a_narrow_door_is_found_with_its_line() {
    let upward = said("model/case.rs", "\nuse crate::report::Table;");
    assert_eq!(upward, ["src/model/case.rs:3: model imports report, which is above it: imports go only downward"]);
    let sideways = said("power/nvml.rs", "fn f() { crate::gpu::open() }");
    assert_eq!(sideways.len(), 1);
    assert!(sideways[0].starts_with("src/power/nvml.rs:2: power imports gpu, which is beside it"));
    assert!(said("store/mod.rs", "use crate::workload::Problem;")[0].contains("it may import only model, clock"));
    assert!(said("gpu/mod.rs", "use crate::*;")[0].contains("`*` is not a room"));
    for fine in ["use crate::model::Case;", "use crate::gpu::Job;", "use super::Job;", "use crate::units::Watts;"] {
        assert_eq!(said("gpu/batch.rs", fine), [""; 0], "{fine}");
    }
}

#[test]
fn braces_nesting_super_and_the_crates_own_name_hide_nothing() {
    let listed = said("kernel/mod.rs", "use crate::{\n model::{Case, Device},\n units::Watts,\n gpu::{self, Job}};");
    assert_eq!(listed.len(), 1);
    assert!(listed[0].starts_with("src/kernel/mod.rs:5: kernel imports gpu"));
    assert!(said("model/mod.rs", "use super::store::read;")[0].contains("model imports store"));
    assert!(said("model/case.rs", "use super::super::{units, store};")[0].contains("model imports store"));
    assert!(said("model/case.rs", "mod tests { use super::super::super::cli; }")[0].contains("model imports cli"));
    assert_eq!(said("model/case.rs", "mod tests { use super::super::store; }"), [""; 0], "model's own `store`");
    assert!(said("model/case.rs", "use wattmark::cli::Exit;")[0].contains("model imports cli"));
    assert!(said("clock.rs", "macro_rules! m { () => { $crate::model::Case } }")[0].contains("clock imports model"));
}

#[test]
fn comments_strings_and_characters_are_not_imports() {
    let quiet = r####"
        // use crate::cli::Exit;
        /* crate::cli /* nested */ crate::report */
        /// [`crate::cli`] and wgpu::Device
        const A: &str = "crate::cli \" wgpu::Device";
        const B: &str = r#"crate::cli " wgpu::Device"#;
        const C: &[u8] = br"crate::cli";
        const D: (char, char) = ('"', '\'');
        fn f<'a>(x: &'a str, wgpu: u32) -> &'a str { x }
    "####;
    assert_eq!(said("model/case.rs", quiet), [""; 0]);
    let loud = said("model/case.rs", "const D: char = '\"'; use crate::cli::Exit; const E: char = '\"';");
    assert_eq!(loud.len(), 1, "a quote in a character opens no string");
    assert!(said("model/case.rs", "fn r#type<'a>() { crate::cli::x() }").len() == 1, "a raw name opens no string");
}

#[test]
fn a_crate_named_outside_its_fence_is_found_however_it_is_written() {
    for source in
        ["use wgpu;", "use wgpu as w;", "let x = wgpu::X;", "::wgpu::X", "use ::wgpu::{X};", "extern crate wgpu;"]
    {
        let found = said("measure/run.rs", source);
        assert_eq!(found, ["src/measure/run.rs:2: wgpu may be named only in gpu/"], "{source}");
        assert_eq!(said("gpu/adapters.rs", source), [""; 0]);
    }
    assert_eq!(said("measure/run.rs", "let x = a::wgpu::X;"), [""; 0], "a module of our own called wgpu");
    assert_eq!(said("figure/mod.rs", "use plotters::x;").len(), 1);
    assert_eq!(said("figure/svg.rs", "use plotters::x;"), [""; 0]);
    assert_eq!(said("report/table.rs", "#[derive(clap::Args)] struct A;").len(), 1);
    assert_eq!(said("main.rs", "use anyhow::Result;"), [""; 0]);
    assert_eq!(said("model/record.rs", "serde_json::to_string(&x)").len(), 1);
    assert_eq!(said("store/read.rs", "serde_json::to_string(&x)"), [""; 0]);
}

#[test]
fn a_room_outside_the_table_a_long_file_and_a_missing_opening_are_found() {
    assert!(said("utils/mod.rs", "")[0].contains("`utils` is not in the table of rooms"));
    let long = "//! x\n".repeat(MAX_LINES);
    assert_eq!(breaches("stats.rs", &long), [""; 0]);
    assert!(breaches("stats.rs", &format!("{long}//! y\n"))[0].contains("501 lines"));
    assert!(breaches("stats.rs", "use std::fmt;\n")[0].contains("opens with a `//!` paragraph"));
}

#[test]
fn half_a_shader_is_found_from_either_side() {
    let files = ["gemm/a.wgsl", "gemm/a.toml", "gemm/b.wgsl", "gemv/c.toml", "README.md"].map(PathBuf::from);
    assert_eq!(unpaired(&files), ["gemm/b.wgsl has no gemm/b.toml", "gemv/c.toml has no gemv/c.wgsl"]);
}

#[test]
fn no_room_stands_twice_in_the_table_and_every_narrow_door_leads_down() {
    let rooms: Vec<&str> = LAYERS.concat();
    assert_eq!(rooms.iter().collect::<BTreeSet<_>>().len(), rooms.len());
    for (room, allowed) in NARROW {
        assert!(allowed.iter().all(|other| layer(other) > layer(room)), "{room}");
    }
}
