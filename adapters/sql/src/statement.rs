//! Statements whose values are bound.

use oms_core::table::ColumnShape;
use oms_core::value::Value;

/// One statement.
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

/// A value that is bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// The value as text, in PostgreSQL's own notation; nothing for null.
    pub text: Option<String>,
    /// What the text stands for.
    pub hint: Hint,
}

/// What a bound text stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hint {
    /// Text.
    Text,
    /// A whole number of 64 bits.
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
    /// Returns what a column's values are bound as.
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

    /// Returns the type that the text is cast to.
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

    /// Adds names, with commas between them.
    #[must_use]
    pub fn names<'n>(self, names: impl Iterator<Item = &'n str>) -> Self {
        self.sql(&names.map(quoted).collect::<Vec<_>>().join(", "))
    }

    /// Adds another statement, with what is bound in it.
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

    /// Adds a value as a column of this shape holds it.
    #[must_use]
    pub fn value(self, shape: ColumnShape, value: &Value) -> Self {
        let text = match value {
            Value::Missing | Value::Null => None,
            Value::Timestamp(at) => Some(at.strftime("%Y-%m-%d %H:%M:%S%.3f").to_string()),
            value => Some(value.display()),
        };
        self.bind(Hint::of(shape), text)
    }

    /// Returns the values, in the order of their places.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// Writes the statement with named places, `:p0` and so on, as the RDS Data API takes it. The values there have types.
    pub fn named(&self) -> String {
        self.write(|at| format!(":p{at}"))
    }

    /// Writes the statement with numbered places, `$1` and so on, as PostgreSQL takes it. Every value there is text.
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
    fn values_are_cast_to_what_they_are_however_the_places_are_written() {
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
