//! The columns of a CSV file: where their cells belong in an order, and in which form.

use std::collections::BTreeMap;

use csv::ByteRecord;
use oms_engine::diagnostic::did_you_mean;
use oms_engine::value::{JsonKind, JsonNode, format_quantity};

/// Maximum number of elements of a list that columns can name.
const ELEMENTS_MAX: usize = 1_000;

/// A column with a fault, or a cell, and the message.
type Fault = (usize, String);

/// The columns of a file.
pub(crate) struct Columns(Vec<Column>);

struct Column {
    /// The name, as written in the first row.
    header: String,
    pointer: String,
    path: Vec<Token>,
    form: Form,
}

/// A part of the path to a member.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Member(String),
    Element(usize),
}

/// The form of a cell in JSON.
#[derive(Clone, Copy)]
enum Form {
    Text,
    Number,
    Bool,
}

impl Columns {
    /// Reads the names of the columns.
    ///
    /// # Errors
    /// Returns the first column that does not belong to the order schema.
    pub(crate) fn new(headers: &ByteRecord, order: &JsonNode) -> Result<Self, Fault> {
        let mut columns: Vec<Column> = Vec::new();
        for (at, header) in headers.iter().enumerate() {
            let header = text(header).map_err(|message| (at, message))?;
            let (path, form) = resolve(header, order).map_err(|message| (at, message))?;
            let overlaps = columns
                .iter()
                .find(|known| known.path.starts_with(&path) || path.starts_with(&known.path));
            if let Some(known) = overlaps {
                let message = match known.path == path {
                    true => format!("the column `{header}` exists twice"),
                    false => {
                        format!("the columns `{}` and `{header}` exclude each other", known.header)
                    }
                };
                return Err((at, message));
            }
            let pointer = path.iter().map(Token::in_pointer).collect();
            columns.push(Column { header: header.to_owned(), pointer, path, form });
        }
        Ok(Self(columns))
    }

    /// Returns the JSON pointers of the columns.
    pub(crate) fn pointers(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|column| column.pointer.as_str())
    }

    /// Returns the JSON text of the order in a row. An empty cell is a missing member.
    ///
    /// # Errors
    /// Returns the fault of a row with another number of cells, with text that is not UTF-8, or
    /// with a gap in a list.
    pub(crate) fn order(&self, row: &ByteRecord) -> Result<Vec<u8>, Fault> {
        let (expected, found) = (self.0.len(), row.len());
        if found != expected {
            let found_cells = format_quantity(found as u64, "cell");
            let message = format!("the row has {found_cells}, but the first row has {expected}");
            return Err((found.min(expected).saturating_sub(1), message));
        }
        let mut order = Tree::Object(BTreeMap::new());
        for (at, (column, cell)) in self.0.iter().zip(row).enumerate() {
            let cell = text(cell).map_err(|message| (at, message))?;
            if !cell.is_empty() {
                let in_list = |list: &str| {
                    let message = format!("an earlier element of the list `{list}` is empty");
                    (at, message)
                };
                order.insert(&column.path, column.form.json(cell)).map_err(|()| {
                    let list = column.path.iter().take_while(|token| token.is_member());
                    in_list(&list.map(Token::name).collect::<Vec<_>>().join("."))
                })?;
            }
        }
        let mut body = String::new();
        order.write(&mut body);
        Ok(body.into_bytes())
    }
}

fn text(cell: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(cell).map_err(|_| "the cell is not UTF-8 text".to_owned())
}

/// Finds the place in the order that the name of a column describes: a JSON pointer, such as
/// `/customer/name`, or names with dots between them, such as `customer.name`.
fn resolve(header: &str, order: &JsonNode) -> Result<(Vec<Token>, Form), String> {
    let unescape = |token: &str| token.replace("~1", "/").replace("~0", "~");
    let has_member = |name: &str| match &order.kind {
        JsonKind::Record(record) => record.ty.position(name).is_some(),
        _ => false,
    };
    let names: Vec<String> = match header.strip_prefix('/') {
        Some(pointer) => pointer.split('/').map(unescape).collect(),
        None if has_member(header) => vec![header.to_owned()],
        None => header.split('.').map(str::to_owned).collect(),
    };
    if names.iter().any(String::is_empty) {
        return Err(match header.is_empty() {
            true => "a column has no name".to_owned(),
            false => format!("the name of the column `{header}` is incomplete"),
        });
    }
    let (mut node, mut path) = (order, Vec::new());
    for (at, name) in names.iter().enumerate() {
        let above = || names.get(..at).unwrap_or_default().join(".");
        match &node.kind {
            JsonKind::Record(record) => {
                node = match record.members.iter().find(|member| *member.name == **name) {
                    Some(member) => &member.node,
                    None if record.additional => &JsonNode::ANY,
                    None => {
                        let known = record.members.iter().map(|member| &*member.name);
                        let help = did_you_mean(name, known);
                        let help = help.map(|help| format!("; {help}")).unwrap_or_default();
                        return Err(format!(
                            "the order schema has no member for the column `{header}`{help}"
                        ));
                    }
                };
                path.push(Token::Member(name.clone()));
            }
            JsonKind::List { element, max, .. } => {
                let index = name.parse().ok().filter(|index| index < max && *index < ELEMENTS_MAX);
                let index = index.ok_or_else(|| {
                    format!("the column `{header}` must name an element of the list `{0}`, such as `{0}.0`", above())
                })?;
                node = element;
                path.push(Token::Element(index));
            }
            JsonKind::Json => path.push(Token::Member(name.clone())),
            _ => {
                return Err(format!(
                    "the column `{header}` does not exist, because `{}` is not an object",
                    above()
                ));
            }
        }
    }
    let form = match &node.kind {
        JsonKind::Record(_) => {
            return Err(format!(
                "`{header}` is an object; use one column for each of its members, such as `{header}.name`"
            ));
        }
        JsonKind::List { .. } => {
            return Err(format!(
                "`{header}` is a list; use one column for each of its elements, such as `{header}.0`"
            ));
        }
        JsonKind::Bool => Form::Bool,
        JsonKind::Int { .. } | JsonKind::Decimal { text: false, .. } => Form::Number,
        _ => Form::Text,
    };
    Ok((path, form))
}

impl Token {
    const fn is_member(&self) -> bool {
        matches!(self, Self::Member(_))
    }

    fn name(&self) -> String {
        match self {
            Self::Member(name) => name.clone(),
            Self::Element(index) => index.to_string(),
        }
    }

    fn in_pointer(&self) -> String {
        format!("/{}", self.name().replace('~', "~0").replace('/', "~1"))
    }
}

impl Form {
    /// Returns the cell as JSON. A cell that does not have the form becomes text, so that the
    /// schema rejects it.
    fn json(self, cell: &str) -> String {
        let is_plain = match self {
            Self::Text => false,
            Self::Number => is_number(cell),
            Self::Bool => matches!(cell, "true" | "false"),
        };
        if is_plain { cell.to_owned() } else { quoted(cell) }
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Returns whether a text is a number in JSON (RFC 8259, section 6).
fn is_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (number, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = match number.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (number, None),
    };
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent
            .is_none_or(|exponent| digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)))
}

/// A part of an order.
enum Tree {
    Value(String),
    Object(BTreeMap<String, Self>),
    List(Vec<Self>),
}

impl Tree {
    /// Adds a value. Fails if an earlier element of a list has no value.
    fn insert(&mut self, path: &[Token], value: String) -> Result<(), ()> {
        let Some((token, rest)) = path.split_first() else {
            *self = Self::Value(value);
            return Ok(());
        };
        let empty = || match rest.first() {
            Some(Token::Element(_)) => Self::List(Vec::new()),
            _ => Self::Object(BTreeMap::new()),
        };
        match (self, token) {
            (Self::Object(members), Token::Member(name)) => {
                members.entry(name.clone()).or_insert_with(empty).insert(rest, value)
            }
            (Self::List(elements), Token::Element(index)) => {
                if elements.len() == *index {
                    elements.push(empty());
                }
                elements.get_mut(*index).ok_or(())?.insert(rest, value)
            }
            // The paths of columns do not overlap.
            _ => Err(()),
        }
    }

    fn write(&self, text: &mut String) {
        match self {
            Self::Value(value) => text.push_str(value),
            Self::Object(members) => {
                text.push('{');
                for (at, (name, member)) in members.iter().enumerate() {
                    text.push_str(if at == 0 { "" } else { "," });
                    text.push_str(&quoted(name));
                    text.push(':');
                    member.write(text);
                }
                text.push('}');
            }
            Self::List(elements) => {
                text.push('[');
                for (at, element) in elements.iter().enumerate() {
                    text.push_str(if at == 0 { "" } else { "," });
                    element.write(text);
                }
                text.push(']');
            }
        }
    }
}
