//! Text to syntax tree: bare paths by hand, everything else through the CEL parser.
//!
//! The parser is ANTLR's and costs about 100 KiB of stack for each bracket level in a debug build, so nested
//! expressions are parsed on a thread with a stack of their own, and nothing deeper than [`DEPTH_MAX`] at all.

use std::borrow::Cow;
use std::ops::Range;

use super::convert::convert;
use super::lex::{Kind, Tokens};
use super::syntax::{Expr, ExprKind};
use super::syntax_error;

/// Bytes of an expression at the most; longer ones belong into a step.
const TEXT_BYTES_MAX: usize = 4096;
/// How deep brackets, conditionals and operators may nest; the checker and the evaluator recurse as deep.
const DEPTH_MAX: usize = 64;
/// Up to this depth and length the parser needs less stack than any thread has.
const DEPTH_SMALL: usize = 4;
const TOKENS_SMALL: usize = 128;
/// Stack for everything else: four times what was measured for the deepest and longest expressions allowed.
const STACK_BYTES: usize = 64 * 1024 * 1024;

/// Why a text is no expression.
#[derive(Debug)]
pub(super) struct SyntaxError {
    /// Whether it is only too large.
    pub(super) too_large: bool,
    pub(super) range: Range<usize>,
    pub(super) message: String,
    pub(super) label: Cow<'static, str>,
    pub(super) help: Option<String>,
}

impl SyntaxError {
    pub(super) fn new(
        range: Range<usize>,
        message: impl Into<String>,
        label: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { too_large: false, range, message: message.into(), label: label.into(), help: None }
    }

    #[must_use]
    pub(super) fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    fn limit(range: Range<usize>, message: String, label: impl Into<Cow<'static, str>>) -> Self {
        Self {
            too_large: true,
            help: Some("compute a part of it in a `value.compute` step".to_owned()),
            ..Self::new(range, message, label)
        }
    }
}

/// Reads an expression.
pub(super) fn parse(text: &str) -> Result<Expr, SyntaxError> {
    if let Some(path) = bare_path(text) {
        return Ok(path);
    }
    if text.len() > TEXT_BYTES_MAX {
        return Err(SyntaxError::limit(
            0..text.len(),
            format!("an expression has at most {TEXT_BYTES_MAX} bytes"),
            format!("{} bytes", text.len()),
        ));
    }
    let tokens = Tokens::read(text);
    syntax_error::before_parsing(text, &tokens)?;
    let depth = tokens.depth();
    if depth > DEPTH_MAX {
        return Err(too_deep(text));
    }
    if depth <= DEPTH_SMALL && tokens.list().len() <= TOKENS_SMALL {
        return parse_here(text, &tokens);
    }
    // A syntax tree that is too deep must also be dropped over there.
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, || parse_here(text, &tokens))
            .ok()
            .and_then(|thread| thread.join().ok())
    })
    .unwrap_or_else(|| {
        Err(SyntaxError::new(0..text.len(), "the expression could not be parsed", "too complex"))
    })
}

fn parse_here(text: &str, tokens: &Tokens<'_>) -> Result<Expr, SyntaxError> {
    // An environment without macros leaves `map`, `filter` and the like as the calls that were written.
    let parser = cel::Env::default().with_optional_support(false).parser();
    let (tree, source) = parser
        .parse_with_source_info(text)
        .map_err(|errors| syntax_error::from_parser(text, tokens, &errors))?;
    if nesting(&tree.expr) > DEPTH_MAX {
        return Err(too_deep(text));
    }
    convert(text, tokens, &source, tree)
}

fn too_deep(text: &str) -> SyntaxError {
    SyntaxError::limit(
        0..text.len(),
        format!("an expression nests at most {DEPTH_MAX} deep"),
        "nested too deeply",
    )
}

/// Returns how deep the tree is, which for a chain such as `a + b + c` is its length.
fn nesting(expr: &cel::common::ast::Expr) -> usize {
    use cel::common::ast::{EntryExpr, Expr};
    let deepest = |inner: &mut dyn Iterator<Item = &cel::IdedExpr>| {
        inner.map(|expr| nesting(&expr.expr)).max().unwrap_or(0) + 1
    };
    match expr {
        Expr::Call(call) => deepest(&mut call.target.as_deref().into_iter().chain(&call.args)),
        Expr::Select(select) => nesting(&select.operand.expr) + 1,
        Expr::List(list) => deepest(&mut list.elements.iter()),
        Expr::Map(map) => deepest(&mut map.entries.iter().flat_map(|entry| match &entry.expr {
            EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
            EntryExpr::StructField(field) => vec![&field.value],
        })),
        _ => 1,
    }
}

/// Reads `name(.name)*` without the parser: most expressions are no more than that.
fn bare_path(text: &str) -> Option<Expr> {
    let trimmed = text.trim();
    let mut at = text.len() - text.trim_start().len();
    let mut path: Option<Expr> = None;
    for name in trimmed.split('.') {
        let mut bytes = name.bytes();
        let begins = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
        if !bytes.next().is_some_and(begins)
            || !bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            || matches!(name, "true" | "false" | "null" | "in")
        {
            return None;
        }
        let range = at..at + name.len();
        at = range.end + 1;
        path = Some(match path {
            None if is_reserved(name) => return None,
            None => Expr { kind: ExprKind::Name(name.to_owned()), span: range.clone(), at: range },
            Some(operand) => Expr {
                span: operand.span.start..range.end,
                kind: ExprKind::Select(Box::new(operand), name.to_owned()),
                at: range,
            },
        });
    }
    path
}

/// Words that CEL keeps for other languages; the parser has a message for them.
fn is_reserved(name: &str) -> bool {
    const RESERVED: [&str; 17] = [
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "namespace",
        "package",
        "return",
        "var",
        "void",
        "while",
    ];
    RESERVED.contains(&name)
}

/// Returns every `steps.<id>` that an expression mentions, without parsing it.
pub(super) fn mentioned_steps(code: &str) -> Vec<(String, Range<usize>)> {
    let tokens = Tokens::read(code);
    let mut found = Vec::new();
    for position in 0..tokens.list().len() {
        let begins = tokens.text(position) == "steps"
            && tokens.text(position + 1) == "."
            && !(position > 0 && tokens.text(position - 1) == ".");
        let id = tokens.list().get(position + 2);
        if begins && id.is_some_and(|token| token.kind == Kind::Name) {
            let range = tokens.range(position).start..tokens.range(position + 2).end;
            found.push((tokens.text(position + 2).to_owned(), range));
        }
    }
    found
}
