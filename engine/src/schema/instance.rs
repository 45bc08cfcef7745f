//! The representation of an order in the validator. It keeps the digits of numbers, so that
//! comparisons are exact.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet, btree_map};

use jiter::{Jiter, JiterError, Peek};
use jsonschema::JsonType;
use jsonschema::json::{Array, Json, JsonNumber, Node, NodeIdentity, Object};
use serde_json::Value;

use super::number::Number;

/// A JSON value.
#[derive(Debug)]
pub(super) enum Instance {
    Null,
    Bool(bool),
    /// A number as it is written.
    Number(String),
    Text(String),
    List(Vec<Self>),
    Record(BTreeMap<String, Self>),
}

impl Instance {
    /// Reads a document that the reader has already read, so its nesting depth is limited.
    pub(super) fn read(text: &[u8]) -> Result<Self, JiterError> {
        let mut json = Jiter::new(text);
        let peek = json.peek()?;
        Self::value(&mut json, peek)
    }

    fn value(json: &mut Jiter<'_>, peek: Peek) -> Result<Self, JiterError> {
        Ok(match peek {
            Peek::Null => {
                json.known_null()?;
                Self::Null
            }
            Peek::True | Peek::False => Self::Bool(json.known_bool(peek)?),
            Peek::String => Self::Text(json.known_str()?.to_owned()),
            Peek::Array => {
                let mut elements = Vec::new();
                let mut next = json.known_array()?;
                while let Some(peek) = next {
                    elements.push(Self::value(json, peek)?);
                    next = json.array_step()?;
                }
                Self::List(elements)
            }
            Peek::Object => {
                let mut members = BTreeMap::new();
                let mut name = json.known_object()?.map(str::to_owned);
                while let Some(member) = name {
                    let peek = json.peek()?;
                    members.insert(member, Self::value(json, peek)?);
                    name = json.next_key()?.map(str::to_owned);
                }
                Self::Record(members)
            }
            number => {
                Self::Number(String::from_utf8_lossy(json.known_number_bytes(number)?).into_owned())
            }
        })
    }

    fn equals(&self, other: &Value) -> bool {
        match (self, other) {
            (Self::Null, Value::Null) => true,
            (Self::Bool(a), Value::Bool(b)) => a == b,
            (Self::Number(a), Value::Number(b)) => {
                Number::parse(a) == Number::parse(&b.to_string())
            }
            (Self::Text(a), Value::String(b)) => a == b,
            (Self::List(a), Value::Array(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.equals(b))
            }
            (Self::Record(a), Value::Object(b)) => {
                a.len() == b.len()
                    && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| a.equals(b)))
            }
            _ => false,
        }
    }

    fn json(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(*value),
            Self::Number(text) => Value::Number(Digits(text).to_number().into_owned()),
            Self::Text(text) => Value::String(text.clone()),
            Self::List(elements) => elements.iter().map(Self::json).collect(),
            Self::Record(members) => {
                members.iter().map(|(name, value)| (name.clone(), value.json())).collect()
            }
        }
    }

    /// Returns a key that is equal for equal values only.
    fn key(&self) -> Key<'_> {
        match self {
            Self::Null => Key::Null,
            Self::Bool(value) => Key::Bool(*value),
            Self::Number(text) => Key::Number(Number::parse(text)),
            Self::Text(text) => Key::Text(text),
            Self::List(elements) => Key::List(elements.iter().map(Self::key).collect()),
            Self::Record(members) => {
                Key::Record(members.iter().map(|(name, value)| (&**name, value.key())).collect())
            }
        }
    }
}

#[derive(PartialEq, Eq, Hash)]
enum Key<'i> {
    Null,
    Bool(bool),
    Number(Option<Number>),
    Text(&'i str),
    List(Vec<Self>),
    Record(Vec<(&'i str, Self)>),
}

/// The representation of orders in the validator.
pub(super) struct Exact;

impl Json for Exact {
    type Node<'a> = &'a Instance;
    type PreparedKey = String;
    type StringBuffer = ();

    const ACYCLIC: bool = true;

    fn prepare_key(key: &str) -> String {
        key.to_owned()
    }

    fn with_string_node<T>((): &mut (), string: &str, f: impl FnOnce(&Instance) -> T) -> T {
        f(&Instance::Text(string.to_owned()))
    }
}

impl<'a> Node<'a, Exact> for &'a Instance {
    type Object = &'a BTreeMap<String, Instance>;
    type Array = &'a [Instance];
    type Number = Digits<'a>;

    fn as_object(&self) -> Option<Self::Object> {
        match self {
            Instance::Record(members) => Some(members),
            _ => None,
        }
    }

    fn as_array(&self) -> Option<Self::Array> {
        match self {
            Instance::List(elements) => Some(elements),
            _ => None,
        }
    }

    fn as_string(&self) -> Option<Cow<'a, str>> {
        match self {
            Instance::Text(text) => Some(Cow::Borrowed(text)),
            _ => None,
        }
    }

    fn as_number(&self) -> Option<Digits<'a>> {
        match self {
            Instance::Number(text) => Some(Digits(text)),
            _ => None,
        }
    }

    fn as_boolean(&self) -> Option<bool> {
        match self {
            Instance::Bool(value) => Some(*value),
            _ => None,
        }
    }

    fn is_null(&self) -> bool {
        matches!(self, Instance::Null)
    }

    fn json_type(&self) -> JsonType {
        match self {
            Instance::Null => JsonType::Null,
            Instance::Bool(_) => JsonType::Boolean,
            Instance::Number(_) => JsonType::Number,
            Instance::Text(_) => JsonType::String,
            Instance::List(_) => JsonType::Array,
            Instance::Record(_) => JsonType::Object,
        }
    }

    fn equals_value(&self, expected: &Value) -> bool {
        self.equals(expected)
    }

    fn to_value(&self) -> Cow<'a, Value> {
        Cow::Owned(self.json())
    }

    fn identity(&self) -> Option<NodeIdentity> {
        Some(NodeIdentity::new(std::ptr::from_ref::<Instance>(self).addr()))
    }
}

impl<'a> Object<'a, Exact> for &'a BTreeMap<String, Instance> {
    type Node = &'a Instance;
    type MemberName = &'a str;
    type MembersIter = Members<'a>;

    fn len(&self) -> usize {
        BTreeMap::len(self)
    }

    fn get(&self, key: &String) -> Option<&'a Instance> {
        BTreeMap::get(self, key)
    }

    fn members(&self) -> Members<'a> {
        Members(self.iter())
    }
}

pub(super) struct Members<'a>(btree_map::Iter<'a, String, Instance>);

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, &'a Instance);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(name, value)| (name.as_str(), value))
    }
}

impl<'a> Array<'a, Exact> for &'a [Instance] {
    type Node = &'a Instance;
    type ElementsIter = std::slice::Iter<'a, Instance>;

    fn len(&self) -> usize {
        <[Instance]>::len(self)
    }

    fn elements(&self) -> Self::ElementsIter {
        self.iter()
    }

    fn is_unique(&self) -> bool {
        let mut seen = HashSet::with_capacity(<[Instance]>::len(self));
        self.iter().all(|element| seen.insert(element.key()))
    }
}

/// A number as it is written.
pub(super) struct Digits<'a>(&'a str);

impl Digits<'_> {
    /// Returns the number as a float, if the float's shortest representation has the same value.
    fn as_exact_f64(&self) -> Option<f64> {
        let float: f64 = self.0.parse().ok().filter(|float: &f64| float.is_finite())?;
        (Number::parse(&float.to_string()) == Number::parse(self.0)).then_some(float)
    }

    fn as_whole(&self) -> Option<i128> {
        match self.0.parse::<i64>() {
            Ok(whole) => Some(whole.into()),
            Err(_) => Number::parse(self.0)?.to_i128(),
        }
    }
}

impl JsonNumber for Digits<'_> {
    fn as_u64(&self) -> Option<u64> {
        self.as_whole()?.try_into().ok()
    }

    fn as_i64(&self) -> Option<i64> {
        self.as_whole()?.try_into().ok()
    }

    fn as_f64(&self) -> Option<f64> {
        self.as_exact_f64()
    }

    fn as_str(&self) -> Cow<'_, str> {
        Cow::Borrowed(self.0)
    }

    /// Only error messages use this form. Ours never quote a value, so an approximate number is
    /// enough.
    fn to_number(&self) -> Cow<'_, serde_json::Number> {
        let float = || serde_json::Number::from_f64(self.0.parse().unwrap_or_default());
        let whole = self.as_i64().map(serde_json::Number::from);
        Cow::Owned(whole.or_else(float).unwrap_or_else(|| 0.into()))
    }

    fn is_integer(&self) -> bool {
        self.0.bytes().skip(1).all(|byte| byte.is_ascii_digit())
            || Number::parse(self.0).is_some_and(|number| number.is_whole())
    }

    fn is_written_as_integer(&self) -> bool {
        !self.0.contains(['.', 'e', 'E'])
    }
}
