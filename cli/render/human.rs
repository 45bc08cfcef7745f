//! Findings in human-readable form, with their source lines, in the style of rustc.
//!
//! A label is drawn on the first line of its range, and truncated if it is very long. It shows
//! where to look. The other formats contain the full range.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Element, Level, Origin, Renderer, Snippet};
use oms_engine::diagnostic::{Diagnostic, Label, Report, Severity, Source};

use super::place;

/// Maximum width of a source line in columns. Longer lines are cut.
const WIDTH_MAX: usize = 120;
/// Maximum number of underlined characters, so that the start and the text of a label fit on a
/// line.
const UNDERLINE_MAX: usize = 80;

/// Returns all findings with their snippets, separated by empty lines.
pub fn human(report: &Report, color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.term_width(WIDTH_MAX);
    let findings: Vec<String> = report
        .diagnostics()
        .iter()
        .map(|diagnostic| finding(report, diagnostic, &renderer) + "\n")
        .collect();
    findings.join("\n")
}

fn finding(report: &Report, diagnostic: &Diagnostic, renderer: &Renderer) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(one_line(&diagnostic.message)).id(diagnostic.code.to_string());
    let mut groups = vec![title.elements(snippets(report, diagnostic))];
    if let Some(help) = &diagnostic.help {
        groups.push(annotate_snippets::Group::with_title(
            Level::HELP.secondary_title(printable(help, '\n')),
        ));
    }
    renderer.render(&groups)
}

/// Returns an element for each file with labels. The file of the primary label is first.
fn snippets(report: &Report, diagnostic: &Diagnostic) -> Vec<Element<'static>> {
    let Some(first) = diagnostic.primary() else { return Vec::new() };
    let mut paths: Vec<&str> = vec![&first.path];
    for label in &diagnostic.labels {
        if !paths.contains(&&*label.path) {
            paths.push(&label.path);
        }
    }
    paths
        .into_iter()
        .map(|path| {
            let labels = diagnostic
                .labels
                .iter()
                .filter(|label| &*label.path == path)
                .map(|label| (label, label.primary || std::ptr::eq(label, first)));
            match report.source(path) {
                Some(source) if source.is_private() => origin(path, source, labels.collect()),
                Some(source) => snippet(path, source, labels.collect()).into(),
                None => Origin::path(one_line(path)).into(),
            }
        })
        .collect()
}

/// Returns the place without the source line.
fn origin(path: &str, source: &Source, labels: Vec<(&Label, bool)>) -> Element<'static> {
    let origin = Origin::path(one_line(path));
    match labels.first() {
        Some((label, _)) => {
            let (line, column) = source.line_column(label.span.start);
            origin.line(line).char_column(column).into()
        }
        None => origin.into(),
    }
}

fn snippet(
    path: &str,
    source: &Source,
    labels: Vec<(&Label, bool)>,
) -> Snippet<'static, annotate_snippets::Annotation<'static>> {
    let spots: Vec<LineSpan> =
        labels.iter().map(|(label, _)| LineSpan::of(source, &label.span)).collect();
    let first = spots.iter().map(|spot| spot.line).min().unwrap_or(1);
    let begin = source.line_start(first).unwrap_or(0);
    let end = spots.iter().map(|spot| spot.line_end).max().unwrap_or(begin);
    // The line break makes an empty last line visible, so that a fault at the end of a file is
    // shown there.
    let excerpt = visible(source.text().get(begin..end).unwrap_or_default()) + "\n";
    let annotations = spots.into_iter().zip(labels).map(|(spot, (label, primary))| {
        let kind = if primary { AnnotationKind::Primary } else { AnnotationKind::Context };
        let annotation = kind.span(spot.span.start - begin..spot.span.end - begin);
        let text = one_line(&label.text);
        if text.is_empty() { annotation } else { annotation.label(text) }
    });
    Snippet::source(excerpt).line_start(first).path(one_line(path)).annotations(annotations)
}

/// The part of a label that is drawn: a range within one line.
struct LineSpan {
    line: usize,
    /// The end of the line, without its line break.
    line_end: usize,
    span: Range<usize>,
}

impl LineSpan {
    fn of(source: &Source, span: &Range<usize>) -> Self {
        let text = source.text();
        let span = place::clamp(text, span);
        let (line, _) = source.line_column(span.start);
        let next = source.line_start(line + 1).unwrap_or(text.len());
        let line_start = source.line_start(line).unwrap_or(next);
        let whole = text.get(line_start..next).unwrap_or_default();
        let whole = whole.strip_suffix('\n').unwrap_or(whole);
        let line_end = line_start + whole.strip_suffix('\r').unwrap_or(whole).len();
        let start = span.start.min(line_end);
        let drawn = text.get(start..span.end.clamp(start, line_end)).unwrap_or_default();
        let length = drawn.char_indices().nth(UNDERLINE_MAX).map_or(drawn.len(), |(at, _)| at);
        Self { line, line_end, span: start..start + length }
    }
}

/// Returns the text on one line, without control characters.
fn one_line(text: &str) -> String {
    printable(text.trim_end(), ' ')
}

/// Returns the text with `line_end` for line breaks and without control characters, with which a
/// file could control the terminal.
fn printable(text: &str, line_end: char) -> String {
    let text = text.replace("\r\n", "\n");
    let shown = |letter: char| match letter {
        '\n' => line_end,
        letter if letter.is_control() => ' ',
        letter => letter,
    };
    text.chars().map(shown).collect()
}

/// Returns source with its C1 control characters replaced by a character with the same number of
/// bytes. The renderer itself replaces the control characters of ASCII.
fn visible(text: &str) -> String {
    let is_c1 = |letter: char| ('\u{80}'..='\u{9f}').contains(&letter);
    text.replace(is_c1, "\u{b7}")
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;
    use oms_engine::diagnostic::codes;

    fn one(text: &str, span: Range<usize>) -> String {
        let mut report = Report::new();
        report.add_source(&"f.yaml".into(), &text.into());
        let label = Label { path: "f.yaml".into(), span, text: "here".into(), primary: true };
        report.push(samples::finding(codes::YAML_SYNTAX, Severity::Error, "no", vec![label]));
        human(&report, false)
    }

    #[test]
    fn findings_look_like_those_of_a_compiler() {
        let expected = "\
error[OMS0303]: steps wait for each other in a circle
  --> pipelines/refund.yaml:10:13
   |
 7 |     needs: [charge]
   |             ------ `notify` waits for `charge`
...
10 |     needs: [notify]
   |             ^^^^^^ `charge` waits for `notify`
   |
help: drop one of these two entries

warning[OMS0302]: 50% of `notify` is never used, at all
 --> pipelines/refund.yaml:6:11
  |
6 |     uses: email.send
  |           ^^^^^^^^^^
  |
 ::: a b/order.json:2:13
  |
2 |   \"title\": \"größe\"
  |             ----- declared here
";
        assert_eq!(human(&samples::report(), false), expected);
    }

    #[test]
    fn color_does_not_change_the_text() {
        let report = samples::report();
        let colored = human(&report, true);
        assert!(colored.contains("\u{1b}["));
        let mut plain = String::new();
        for (part, text) in colored.split("\u{1b}[").enumerate() {
            plain += if part == 0 { text } else { text.split_once('m').unwrap().1 };
        }
        assert_eq!(plain, human(&report, false));
    }

    #[test]
    fn every_span_of_an_unusual_text_can_be_rendered() {
        let texts = [
            "",
            "\n",
            "\r\n",
            "a",
            "a\r\n\r\nb\r",
            "\u{feff}ключ:\t\"ü\u{301}\"\r\n\t- 👩‍👩‍👧 \u{9b}31m\n\n  \u{202e}x: \u{0}\u{1b}[31m\r\r\n日本語: |\n  a\n\n",
        ];
        for text in texts {
            for start in 0..text.len() + 3 {
                for end in start.saturating_sub(1)..text.len() + 3 {
                    let shown = one(text, start..end);
                    let (line, _) =
                        Source::new(text.into()).line_column(text.floor_char_boundary(start));
                    assert!(
                        shown.contains(&format!("--> f.yaml:{line}:")),
                        "{text:?} {start} {shown}"
                    );
                    assert!(shown.contains("here"), "{text:?} {start}..{end}\n{shown}");
                    assert!(!shown.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{shown:?}");
                }
            }
        }
    }

    #[test]
    fn every_pair_of_labels_can_be_drawn() {
        let text = "a: ü\r\n\tb: [x, y]\n\nc: z";
        for first in 0..=text.len() {
            for second in 0..=text.len() {
                let mut report = Report::new();
                report.add_source(&"f.yaml".into(), &text.into());
                let at = |start: usize, length: usize, primary| Label {
                    path: "f.yaml".into(),
                    span: start..start + length,
                    text: format!("from {start}"),
                    primary,
                };
                let labels = vec![at(first, 3, true), at(second, 5, false)];
                report.push(samples::finding(codes::CYCLE, Severity::Warning, "no", labels));
                let shown = human(&report, false);
                for start in [first, second] {
                    assert!(shown.contains(&format!("from {start}")), "{first} {second}\n{shown}");
                }
            }
        }
    }

    #[test]
    fn the_end_of_a_file_is_an_empty_last_line() {
        let expected = "\
error[OMS0101]: no
 --> f.yaml:2:1
  |
2 |
  | ^ here
";
        assert_eq!(one("steps: {\n", 9..9), expected);
    }

    #[test]
    fn a_multi_line_label_points_to_its_first_line() {
        let expected = "\
error[OMS0101]: no
 --> f.yaml:2:3
  |
2 |   with: one
  |   ^^^^^^^^^ here
";
        assert_eq!(one("uses: x\n  with: one\n  two\n  three\n", 10..30), expected);
    }

    #[test]
    fn a_very_long_line_is_cut_around_the_label() {
        let text = format!("{}needle{}", "hay ".repeat(50_000), " hay".repeat(50_000));
        for span in [200_000..200_006, 200_000..400_000, 0..text.len()] {
            let shown = one(&text, span);
            assert!(shown.contains("..."), "{shown}");
            assert!(shown.lines().all(|line| line.chars().count() < 2 * WIDTH_MAX), "{shown}");
        }
    }

    #[test]
    fn the_lines_of_a_private_source_are_not_shown() {
        let mut report = Report::new();
        report.add_private_source(&"seed.ndjson".into(), &"{}\n{\"email\": \"jane\"}\n".into());
        let path = "seed.ndjson".into();
        let label = Label { path, span: 13..13, text: String::new(), primary: true };
        report.push(samples::finding(codes::SEED, Severity::Error, "no", vec![label]));
        let expected = "error[OMS0210]: no\n--> seed.ndjson:2:11\n";
        assert_eq!(human(&report, false), expected);
    }

    #[test]
    fn a_label_into_an_unknown_file_names_the_file() {
        let label = Label { path: "gone.yaml".into(), span: 3..4, text: "x".into(), primary: true };
        let mut report = Report::new();
        report.push(samples::finding(codes::FILE_UNREADABLE, Severity::Error, "no", vec![label]));
        report.push(samples::finding(codes::ORDER_SYNTAX, Severity::Error, "a\u{1b}\nb", vec![]));
        let expected = "error[OMS0105]: no\n--> gone.yaml\n\nerror[OMS0601]: a  b\n";
        assert_eq!(human(&report, false), expected);
    }
}
