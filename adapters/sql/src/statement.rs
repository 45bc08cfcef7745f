//! SQL statements with bound values.

use oms_core::table::ColumnShape;
use oms_core::value::Value;

/// A SQL statement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statement {
    pieces: Vec<Piece>,
    parameters: Vec<Parameter>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Sql(String),
    /// A parameter's position.
    Bound(usize),
}

/// A bound value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// The value as text, in PostgreSQL's notation; `None` for null.
    pub text: Option<String>,
    /// The type of the value.
    pub hint: Hint,
}

/// The type of a bound value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hint {
    /// Text.
    Text,
    /// A 64-bit integer.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// An exact decimal.
    Decimal,
    /// `YYYY-MM-DD`.
    Date,
    /// `YYYY-MM-DD hh:mm:ss.mmm`, in UTC.
    Timestamp,
}

impl Hint {
    /// Returns the type for a column's values.
    pub(crate) const fn of(shape: ColumnShape) -> Self {
        match shape {
            ColumnShape::Text(_) | ColumnShape::Currency | ColumnShape::Email => Self::Text,
            ColumnShape::Integer => Self::Integer,
            ColumnShape::Boolean => Self::Boolean,
            ColumnShape::Decimal { .. } => Self::Decimal,
            ColumnShape::Date => Self::Date,
            ColumnShape::Timestamp => Self::Timestamp,
        }
    }

    /// Returns the SQL type that the text is cast to.
    const fn cast(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Integer => "bigint",
            Self::Boolean => "boolean",
            Self::Decimal => "numeric",
            Self::Date => "date",
            Self::Timestamp => "timestamp",
        }
    }
}

impl Statement {
    /// Adds SQL.
    #[must_use]
    pub fn sql(mut self, sql: &str) -> Self {
        match self.pieces.last_mut() {
            Some(Piece::Sql(text)) => text.push_str(sql),
            _ => self.pieces.push(Piece::Sql(sql.to_owned())),
        }
        self
    }

    /// Adds the name of a table or column.
    #[must_use]
    pub fn name(self, name: &str) -> Self {
        self.sql(&quoted(name))
    }

    /// Adds names, separated by commas.
    #[must_use]
    pub fn names<'n>(self, names: impl Iterator<Item = &'n str>) -> Self {
        self.sql(&names.map(quoted).collect::<Vec<_>>().join(", "))
    }

    /// Adds another statement, with its bound values.
    #[must_use]
    pub fn then(mut self, other: Self) -> Self {
        let before = self.parameters.len();
        for piece in other.pieces {
            match piece {
                Piece::Sql(sql) => self = self.sql(&sql),
                Piece::Bound(at) => self.pieces.push(Piece::Bound(before + at)),
            }
        }
        self.parameters.extend(other.parameters);
        self
    }

    /// Adds a bound value.
    #[must_use]
    pub fn bind(mut self, hint: Hint, text: Option<String>) -> Self {
        self.pieces.push(Piece::Bound(self.parameters.len()));
        self.parameters.push(Parameter { text, hint });
        self
    }

    /// Adds a bound text.
    #[must_use]
    pub fn text(self, text: impl Into<String>) -> Self {
        self.bind(Hint::Text, Some(text.into()))
    }

    /// Adds a value for a column of this shape.
    #[must_use]
    pub fn value(self, shape: ColumnShape, value: &Value) -> Self {
        let text = match value {
            Value::Missing | Value::Null => None,
            Value::Timestamp(at) => Some(at.strftime("%Y-%m-%d %H:%M:%S%.3f").to_string()),
            value => Some(value.display()),
        };
        self.bind(Hint::of(shape), text)
    }

    /// Returns the values, in the order of their placeholders.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// Returns the statement with named placeholders (`:p0`, `:p1`, …) for the RDS Data API, where
    /// values have types.
    pub fn named(&self) -> String {
        self.write(|at| format!(":p{at}"))
    }

    /// Returns the statement with numbered placeholders (`$1`, `$2`, …) for PostgreSQL, where every
    /// value is text.
    pub fn numbered(&self) -> String {
        self.write(|at| format!("cast(${} as text)", at + 1))
    }

    fn write(&self, place: impl Fn(usize) -> String) -> String {
        let mut sql = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Sql(text) => sql.push_str(text),
                Piece::Bound(at) => {
                    let hint = self.parameters.get(*at).map_or(Hint::Text, |bound| bound.hint);
                    let cast = format!("cast({} as {})", place(*at), hint.cast());
                    sql.push_str(&match hint {
                        Hint::Timestamp => format!("({cast} at time zone 'UTC')"),
                        _ => cast,
                    });
                }
            }
        }
        sql
    }
}

/// Quotes an identifier.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use oms_core::money::Decimal;

    use super::*;

    #[test]
    fn values_are_cast_to_their_type_with_both_kinds_of_placeholders() {
        let shape = ColumnShape::Decimal { precision: 5, scale: 2 };
        let value = Value::Decimal(Decimal::parse("1.50").unwrap());
        let statement = Statement::default()
            .sql("select ")
            .value(shape, &value)
            .sql(", ")
            .value(ColumnShape::Timestamp, &Value::Null)
            .sql(" from ")
            .name("a\"b");
        assert_eq!(
            statement.named(),
            "select cast(:p0 as numeric), (cast(:p1 as timestamp) at time zone 'UTC') from \"a\"\"b\""
        );
        assert_eq!(
            statement.numbered(),
            "select cast(cast($1 as text) as numeric), (cast(cast($2 as text) as timestamp) at time zone 'UTC') from \"a\"\"b\""
        );
        assert_eq!(statement.parameters()[0].text.as_deref(), Some("1.50"));
        assert_eq!(statement.parameters()[1].text, None);
    }
}
