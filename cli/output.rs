//! Standard output is the answer, standard error the talk.

use std::io::{self, IsTerminal as _, Write as _};

use crate::exit;

/// Writes a part of the answer.
///
/// # Errors
/// When standard output cannot be written.
pub(crate) fn answer(text: &str) -> anyhow::Result<()> {
    let mut stdout = anstream::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()?;
    Ok(())
}

/// Writes bytes of the answer as they are.
///
/// # Errors
/// When standard output cannot be written.
pub(crate) fn answer_bytes(bytes: &[u8]) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()?;
    Ok(())
}

/// Writes a text of an order or a mail: as it is into a file or a pipe, without control characters to a terminal.
///
/// # Errors
/// When standard output cannot be written.
pub(crate) fn answer_content(text: &str) -> anyhow::Result<()> {
    if !io::stdout().is_terminal() {
        return answer_bytes(text.as_bytes());
    }
    let is_printed = |char: char| !char.is_control() || matches!(char, '\n' | '\t');
    let shown = |char: char| if is_printed(char) { char } else { char::REPLACEMENT_CHARACTER };
    answer_bytes(text.chars().map(shown).collect::<String>().as_bytes())
}

/// Writes one JSON document and a line end.
///
/// # Errors
/// When standard output cannot be written.
pub(crate) fn json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    answer(&format!("{}\n", serde_json::to_string(value)?))
}

/// Says something besides the answer.
pub(crate) fn say(text: &str) {
    // Where standard error is closed there is nobody to tell.
    let _unsaid = writeln!(anstream::stderr().lock(), "{text}");
}

/// Lists the rows of seeds that were skipped, a line for each table.
pub(crate) fn say_skipped_seeds(runner: &oms_runtime::Runner) {
    for skipped in runner.skipped_seeds() {
        say(&skipped.to_string());
    }
}

/// Exports to a folder, and warns of each object and mail that cannot be written there.
pub(crate) fn export(directory: std::path::PathBuf) -> oms_runtime::Export {
    let report = |failed: &oms_runtime::NotExported| {
        say(&format!(
            "warning: {failed}; correct the cause, then the next start with `--export` exports it"
        ));
    };
    oms_runtime::Export { directory, report: std::sync::Arc::new(report) }
}

/// Warns that an export has no file for an object or a mail.
pub(crate) fn not_exported(failed: &oms_runtime::NotExported) {
    say(&format!("warning: {failed}; correct the cause, then run the command again"));
}

/// Returns the exit code of an export, and says how many files are missing.
pub(crate) fn exported(failed: u64, noun: &str) -> u8 {
    if failed == 0 {
        return exit::FINE;
    }
    say(&format!("{} not exported; see the warnings above", counted(failed, noun)));
    exit::FINDINGS
}

/// Says what ended a command, with everything that led to it.
pub(crate) fn error(error: &anyhow::Error) {
    let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
    say(&format!("error: {}", causes.join(": ")));
}

/// Tells whether an error is only that nobody reads the answer any more.
pub(crate) fn is_closed(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Tells whether reports on standard error may have colours.
pub(crate) fn colour_on_stderr() -> bool {
    anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never
}

/// Tells whether the answer may have colours.
pub(crate) fn colour_on_stdout() -> bool {
    anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never
}

/// Tells whether somebody watches standard error.
pub(crate) fn is_watched() -> bool {
    io::stderr().is_terminal()
}

/// Writes a number with its thousands apart, for people.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Writes a number with its noun: "1 order", "2 orders".
pub(crate) fn counted(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(number))
}

/// Lays out rows as columns with two spaces between them.
pub(crate) fn columns(rows: &[Vec<String>]) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..count)
        .map(|at| {
            rows.iter()
                .filter_map(|row| row.get(at))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', width + 2 - cell.chars().count().min(*width)));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(counted(1, "order"), "1 order");
    }
}
