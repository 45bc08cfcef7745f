//! Finds the tags of a template file.
//!
//! The tree of Handlebars has a line and a column per element, but not the positions of names
//! within a tag, and no position for `{{else if}}`. This scanner finds the bytes of every tag in
//! the order of the text, which is the order of the tree. It also rejects nesting that is so deep
//! that the recursive parser would overflow its stack.

use std::ops::Range;

use oms_core::diagnostic::{Code, codes};

use super::problem::Fault;
use super::tag::Call;

/// Maximum nesting depth of blocks, and of parentheses within a tag.
const NESTING_MAX: usize = 32;

/// The kind of a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TagKind {
    /// `{{x}}`, `{{{x}}}` or `{{&x}}`.
    Print,
    /// `{{#if x}}`.
    Open,
    /// `{{else if x}}`.
    Chain,
    /// `{{else}}`.
    Else,
    /// `{{/if}}`.
    Close,
    /// `{{> x}}`.
    Partial,
    /// `{{! x }}`.
    Comment,
}

/// One tag.
#[derive(Clone, Debug)]
pub(super) struct Tag {
    pub(super) kind: TagKind,
    /// Position of the whole tag, with its braces.
    pub(super) span: Range<usize>,
    /// The call in the tag and the positions of its parts. Empty in a comment.
    pub(super) call: Call,
}

struct Scanner<'s> {
    text: &'s str,
    tags: Vec<Tag>,
    faults: Vec<Fault>,
    /// The open blocks: the positions of their names and of their tags.
    open: Vec<(Range<usize>, Range<usize>)>,
    /// Start positions of blocks that overlap others and have already been reported.
    excused: Vec<usize>,
}

/// Returns the tags of a file, or the faults that prevent parsing.
pub(super) fn scan(text: &str) -> Result<Vec<Tag>, Vec<Fault>> {
    let mut scanner = Scanner {
        text,
        tags: Vec::new(),
        faults: Vec::new(),
        open: Vec::new(),
        excused: Vec::new(),
    };
    scanner.run();
    if scanner.faults.is_empty() { Ok(scanner.tags) } else { Err(scanner.faults) }
}

impl<'s> Scanner<'s> {
    fn run(&mut self) {
        let (mut at, mut raw_start) = (0, 0);
        while let Some(found) = self.rest(at).find("{{") {
            let start = at + found;
            let raw = self.text.get(raw_start..start).unwrap_or_default();
            // One backslash escapes the braces. Several backslashes are text.
            if raw.ends_with('\\') && !raw.ends_with("\\\\") {
                let braces = if self.rest(start).starts_with("{{{{") { 4 } else { 2 };
                at = start + braces;
                continue;
            }
            let Some(end) = self.tag(start) else {
                return;
            };
            (at, raw_start) = (end, end);
        }
        for (name, span) in std::mem::take(&mut self.open) {
            if self.excused.contains(&span.start) {
                continue;
            }
            let shown = self.text.get(name).unwrap_or_default();
            let message = format!("the block `{shown}` is not closed");
            let fault = Fault::new(codes::TEMPLATE_SYNTAX, span, message);
            self.faults.push(fault.help(format!("close it with `{{{{/{shown}}}}}`")));
        }
    }

    fn rest(&self, at: usize) -> &'s str {
        self.text.get(at..).unwrap_or_default()
    }

    fn fault(&mut self, code: Code, span: Range<usize>, message: &str, help: Option<String>) {
        self.faults.push(Fault::new(code, span, message).help(help));
    }

    /// Reads the tag at a position and returns its end, or `None` if the rest of the file cannot be
    /// read.
    fn tag(&mut self, start: usize) -> Option<usize> {
        let rest = self.rest(start);
        if rest.starts_with("{{{{") {
            let span = start..start + "{{{{".len();
            let help = "write `\\{{` for literal braces".to_owned();
            self.fault(codes::TEMPLATE_HELPER, span, "raw blocks are not supported", Some(help));
            return None;
        }
        if rest.starts_with("{{!") {
            return self.comment(start);
        }
        let triple = rest.starts_with("{{{") || rest.starts_with("{{~{");
        let mut inner = start + "{{".len();
        if self.rest(inner).starts_with('~') {
            inner += 1;
        }
        if triple {
            inner = start + "{{{".len();
        }
        inner += self.rest(inner).starts_with('~') as usize;
        let Some(inner_length) = inner_length(self.rest(inner)) else {
            let line = rest.lines().next().unwrap_or_default().len();
            let help = "close it with `}}`".to_owned();
            let span = start..start + line;
            self.fault(codes::TEMPLATE_SYNTAX, span, "a tag is not closed", Some(help));
            return None;
        };
        let close = inner + inner_length;
        let mut end = close + "}}".len();
        // `{{{x}}}` ends in three braces. In `{{~{x}~}}`, a tilde comes before the last two.
        if triple && self.rest(end).starts_with('}') {
            end += 1;
        }
        let span = start..end;
        let content = self.text.get(inner..close).unwrap_or_default();
        if let Some(at) = unexpected_space(content) {
            let help = "use an ordinary space".to_owned();
            let char = content.get(at..).and_then(|rest| rest.chars().next());
            let at = inner + at;
            let end = at + char.map_or(1, char::len_utf8);
            let message = "Handlebars does not accept this kind of space";
            self.fault(codes::TEMPLATE_SYNTAX, at..end, message, Some(help));
            return None;
        }
        let (kind, sigil) = self.kind(content, &span)?;
        let content = content.get(sigil..).unwrap_or_default();
        let content = content.trim_end_matches(['~', '}']);
        let Some(call) = Call::parse(content, inner + sigil, NESTING_MAX) else {
            let help = format!("use at most {NESTING_MAX} levels");
            self.fault(codes::TEMPLATE_SYNTAX, span, "this tag is nested too deeply", Some(help));
            return None;
        };
        self.balance(kind, &call, &span);
        self.tags.push(Tag { kind, span, call });
        Some(end)
    }

    fn comment(&mut self, start: usize) -> Option<usize> {
        let body = self.rest(start + "{{!".len());
        let (closing, skipped) = match body.trim_start().strip_prefix("--") {
            Some(after) if after.contains("--}}") => ("--}}", body.len() - after.len()),
            _ => ("}}", 0),
        };
        let Some(found) = body.get(skipped..).and_then(|body| body.find(closing)) else {
            let line = body.lines().next().unwrap_or_default().len() + "{{!".len();
            let span = start..start + line;
            self.fault(codes::TEMPLATE_SYNTAX, span, "a comment is not closed", None);
            return None;
        };
        let end = start + "{{!".len() + skipped + found + closing.len();
        self.tags.push(Tag { kind: TagKind::Comment, span: start..end, call: Call::default() });
        Some(end)
    }

    /// Returns the kind of a tag with this content, and the length of the prefix that determines
    /// the kind.
    fn kind(&mut self, content: &str, span: &Range<usize>) -> Option<(TagKind, usize)> {
        let spaces = content.len() - content.trim_start().len();
        let content = content.trim_start();
        let refused = if content.starts_with('*') || content.starts_with("#*") {
            Some(("decorators are not supported", "put the text into a partial"))
        } else if content.starts_with("#>") {
            Some(("partial blocks are not supported", "use `{{> name}}`"))
        } else {
            None
        };
        if let Some((message, help)) = refused {
            self.fault(codes::TEMPLATE_HELPER, span.clone(), message, Some(help.to_owned()));
            return None;
        }
        let (kind, sigil) = if content.starts_with('#') {
            (TagKind::Open, 1)
        } else if content.starts_with('/') {
            (TagKind::Close, 1)
        } else if content.starts_with('>') {
            (TagKind::Partial, 1)
        } else if content.starts_with('&') {
            (TagKind::Print, 1)
        } else if let Some(after) = content.strip_prefix("else").or(content.strip_prefix('^')) {
            let sigil = content.len() - after.len();
            if after.trim_end_matches('~').trim().is_empty() {
                (TagKind::Else, sigil)
            } else {
                (TagKind::Chain, sigil)
            }
        } else {
            (TagKind::Print, 0)
        };
        Some((kind, spaces + sigil))
    }

    /// Tracks the open blocks.
    fn balance(&mut self, kind: TagKind, call: &Call, span: &Range<usize>) {
        match kind {
            TagKind::Open => {
                self.open.push((call.name.clone(), span.clone()));
                if self.open.len() == NESTING_MAX + 1 {
                    let help = Some(format!("use at most {NESTING_MAX} levels"));
                    let message = "blocks are nested too deeply";
                    self.fault(codes::TEMPLATE_SYNTAX, span.clone(), message, help);
                }
            }
            TagKind::Else | TagKind::Chain if self.open.is_empty() => {
                self.fault(codes::TEMPLATE_SYNTAX, span.clone(), "`else` outside a block", None);
            }
            TagKind::Close => {
                let name = self.text.get(call.name.clone()).unwrap_or_default();
                match self.open.pop() {
                    Some((open, _)) if self.text.get(open.clone()) == Some(name) => {}
                    Some((range, place)) => {
                        let open = self.text.get(range.clone()).unwrap_or_default();
                        let opened = |(open, _): &(Range<usize>, _)| {
                            self.text.get(open.clone()) == Some(name)
                        };
                        // Report overlapping blocks once: remove the block that was closed too
                        // early, and keep the open one, which may be closed later or never.
                        if let Some(position) = self.open.iter().rposition(opened) {
                            self.open.remove(position);
                            self.excused.push(place.start);
                            self.open.push((range, place));
                        }
                        let help = format!("close `{open}` with `{{{{/{open}}}}}` first");
                        let message = format!("`{name}` is closed before `{open}`");
                        self.fault(codes::TEMPLATE_SYNTAX, span.clone(), &message, Some(help));
                    }
                    None => {
                        let message = format!("`{name}` is closed but not open");
                        self.fault(codes::TEMPLATE_SYNTAX, span.clone(), &message, None);
                    }
                }
            }
            _ => {}
        }
    }
}

/// Returns the number of bytes before the closing braces of a tag. Braces in quotes do not count.
fn inner_length(rest: &str) -> Option<usize> {
    let mut quote = None;
    let mut escaped = false;
    let mut previous = ' ';
    for (at, char) in rest.char_indices() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if char == '\\' => escaped = true,
            Some(open) if char == open => quote = None,
            Some(_) => {}
            None if char == '"' || char == '\'' => quote = Some(char),
            None if char == '}' && previous == '}' => return Some(at - 1),
            None => {}
        }
        previous = if quote.is_none() { char } else { ' ' };
    }
    None
}

/// Returns the position of a non-ASCII space outside quotes. Handlebars would treat it as part of a
/// name.
fn unexpected_space(content: &str) -> Option<usize> {
    let mut quote = None;
    content.char_indices().find_map(|(at, char)| {
        match quote {
            Some(open) if char == open => quote = None,
            Some(_) => {}
            None if matches!(char, '"' | '\'') => quote = Some(char),
            None if char.is_whitespace() && !char.is_ascii() => return Some(at),
            None => {}
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(text: &str) -> Vec<(TagKind, &str)> {
        scan(text).unwrap().into_iter().map(|tag| (tag.kind, text.get(tag.span).unwrap())).collect()
    }

    #[test]
    fn tags_are_found_in_the_order_of_the_text() {
        use TagKind::{Chain, Close, Comment, Else, Open, Partial, Print};
        assert_eq!(
            spans(
                "ü {{a}}{{{b}}}{{~{c}~}}{{#if x}}{{else if y}}{{~else~}}{{/if}}{{> p}}{{!-- }} --}}{{! x }}"
            ),
            [
                (Print, "{{a}}"),
                (Print, "{{{b}}}"),
                (Print, "{{~{c}~}}"),
                (Open, "{{#if x}}"),
                (Chain, "{{else if y}}"),
                (Else, "{{~else~}}"),
                (Close, "{{/if}}"),
                (Partial, "{{> p}}"),
                (Comment, "{{!-- }} --}}"),
                (Comment, "{{! x }}"),
            ]
        );
    }

    #[test]
    fn escaped_braces_are_text_and_quoted_ones_do_not_close() {
        assert_eq!(spans(r"\{{a}} \\{{b}} {{c}}\{{d}}").len(), 2);
        assert_eq!(spans(r#"{{default x "}}"}}"#)[0].1, r#"{{default x "}}"}}"#);
    }

    #[test]
    fn unbalanced_tags_are_reported_at_their_position() {
        for (text, place, message) in [
            ("a {{#if x}} b", "{{#if x}}", "the block `if` is not closed"),
            ("a {{/if}}", "{{/if}}", "`if` is closed but not open"),
            ("{{#if x}}{{/each}}", "{{/each}}", "`each` is closed before `if`"),
            ("a {{else}}", "{{else}}", "`else` outside a block"),
            ("a {{b c\nd", "{{b c", "a tag is not closed"),
            ("{{!-- b\nd", "{{!-- b", "a comment is not closed"),
            ("{{{{raw}}}}{{{{/raw}}}}", "{{{{", "raw blocks are not supported"),
            ("{{#*inline \"x\"}}{{/inline}}", "{{#*inline \"x\"}}", "decorators are not supported"),
            ("{{#> p}}{{/p}}", "{{#> p}}", "partial blocks are not supported"),
        ] {
            let faults = scan(text).unwrap_err();
            assert_eq!(
                (text.get(faults[0].span.clone()).unwrap(), faults[0].message.as_str()),
                (place, message)
            );
        }
    }

    #[test]
    fn deep_nesting_is_rejected_before_parsing() {
        let text = "{{#if x}}".repeat(20_000) + &"{{/if}}".repeat(20_000);
        assert_eq!(scan(&text).unwrap_err().len(), 1);
        let text = format!("{{{{x {}{}}}}}", "(a ".repeat(20_000), ")".repeat(20_000));
        assert_eq!(scan(&text).unwrap_err()[0].message, "this tag is nested too deeply");
        let text = format!("{{{{x {}{}}}}}", "[".repeat(20_000), "]".repeat(20_000));
        assert_eq!(scan(&text).unwrap_err()[0].message, "this tag is nested too deeply");
    }

    #[test]
    fn overlapping_blocks_are_reported_once() {
        for text in ["{{#if a}}{{#each b}}{{/if}}{{/each}}", "{{#if a}}{{#each b}}{{/if}}"] {
            let faults = scan(text).unwrap_err();
            assert_eq!(faults.len(), 1, "{text}: {faults:?}");
        }
    }
}
