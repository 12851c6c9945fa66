//! How wide a table may be, and whether it may be styled.

use crate::cli::Console;

/// Width of a table that does not go to a terminal, or to one of unknown width.
const WIDTH: usize = 120;

/// Columns to use: `COLUMNS` if it is set, the terminal's own width, else 120.
pub fn width(console: &Console) -> usize {
    let stated = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok()).filter(|columns| *columns > 0);
    stated.unwrap_or_else(|| {
        let terminal = console.out_is_terminal.then(terminal_size::terminal_size).flatten();
        terminal.map_or(WIDTH, |(terminal_size::Width(columns), _)| usize::from(columns))
    })
}

/// Colour only on a terminal that can, and never against `NO_COLOR` (no-color.org) or `CLICOLOR=0`.
pub fn colour(console: &Console) -> bool {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    console.out_is_terminal
        && set("NO_COLOR").is_none()
        && set("CLICOLOR").is_none_or(|value| value != "0")
        && set("TERM").is_none_or(|value| value != "dumb")
}
