//! The rendered deployment template: its resource types and the defaults of its parameters. The
//! cost table reads them from there, so that it counts exactly what is deployed.

use std::collections::BTreeMap;

use oms_engine::money::Decimal;

use crate::arithmetic::{CostError, Result};

/// The contents of a template.
pub(crate) struct Rendered<'t> {
    /// The number of resources of each type.
    types: BTreeMap<&'t str, u32>,
    /// The default of each parameter, and the values that all functions share.
    values: BTreeMap<&'t str, &'t str>,
}

impl<'t> Rendered<'t> {
    /// Reads a rendered template. Its layout is that of the files in `templates/lambda/template`.
    pub(crate) fn of(template: &'t str) -> Self {
        let (mut types, mut values) = (BTreeMap::new(), BTreeMap::new());
        let (mut section, mut name) = ("", "");
        for line in template.lines() {
            let text = line.trim_start();
            let indent = line.len() - text.len();
            let Some((key, value)) = text.split_once(':') else { continue };
            let value = value.split(" #").next().unwrap_or_default().trim();
            match (section, indent) {
                (_, 0) => section = key,
                (_, 2) => name = key,
                ("Parameters", 4) if key == "Default" => {
                    values.insert(name, value.trim_matches('"'));
                }
                ("Globals", 4) => {
                    values.insert(key, value);
                }
                ("Resources", 4) if key == "Type" => *types.entry(value).or_insert(0) += 1,
                _ => {}
            }
        }
        Self { types, values }
    }

    /// Returns the types of the resources.
    pub(crate) fn types(&self) -> impl Iterator<Item = &'t str> {
        self.types.keys().copied()
    }

    /// Returns the number of resources of a type.
    pub(crate) fn count(&self, kind: &str) -> u32 {
        self.types.get(kind).copied().unwrap_or(0)
    }

    /// Returns the default of a parameter.
    ///
    /// # Errors
    /// Returns an error if the template has no such parameter, or its default is not a number.
    pub(crate) fn number(&self, name: &'static str) -> Result<Decimal> {
        let value = self.values.get(name);
        let number = value.and_then(|value| Decimal::parse(value).ok());
        number.ok_or(CostError::Parameter(name))
    }

    /// Returns the minutes between two invocations of a schedule. The default of the parameter must
    /// be a rate, such as `rate(6 hours)`.
    ///
    /// # Errors
    /// Returns an error if the default is not a rate.
    pub(crate) fn minutes_between(&self, name: &'static str) -> Result<Decimal> {
        let value = self.values.get(name).and_then(|value| {
            let (count, unit) = value.strip_prefix("rate(")?.strip_suffix(')')?.split_once(' ')?;
            let minutes = match unit.trim_end_matches('s') {
                "minute" => 1,
                "hour" => 60,
                "day" => 24 * 60,
                _ => return None,
            };
            Decimal::parse(count).ok()?.checked_mul(Decimal::from_int(minutes))
        });
        value.filter(|minutes| !minutes.is_zero()).ok_or(CostError::Parameter(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = "\
Parameters:
  Rate:
    Type: Number
    Default: 50
  Every:
    Type: String
    Default: rate(6 hours)
  Quoted:
    Default: \"1\"
Globals:
  Function:
    MemorySize: 256
Resources:
  One: # a comment
    Type: AWS::SQS::Queue
    Properties:
      Type: AWS::X::Y
  Two:
    Type: AWS::SQS::Queue # another comment
Outputs:
  Three:
    Type: AWS::SQS::Queue
";

    #[test]
    fn resources_and_defaults_are_read_from_the_template() {
        let template = Rendered::of(TEMPLATE);
        assert_eq!(template.types().collect::<Vec<_>>(), ["AWS::SQS::Queue"]);
        assert_eq!((template.count("AWS::SQS::Queue"), template.count("AWS::SNS::Topic")), (2, 0));
        let numbers = ["Rate", "Quoted", "MemorySize"].map(|name| template.number(name).ok());
        assert_eq!(numbers, [50, 1, 256].map(|number| Some(Decimal::from_int(number))));
        assert_eq!(template.minutes_between("Every").ok(), Some(Decimal::from_int(360)));
        assert!(template.number("Every").is_err() && template.minutes_between("Rate").is_err());
        assert!(template.number("None").is_err());
    }
}
