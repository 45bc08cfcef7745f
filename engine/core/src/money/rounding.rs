//! [`Rounding`], the rounding modes that a pipeline can select.
//!
//! A mode only decides the direction. The digits are computed in `arithmetic`.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A rounding mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rounding {
    /// To the nearest value; a tie goes to the even digit (banker's rounding).
    HalfEven,
    /// To the nearest value; a tie goes away from zero (2.5 to 3, -2.5 to -3).
    HalfUp,
    /// Toward zero: further digits are dropped.
    Down,
    /// Away from zero if any dropped digit is not zero.
    Up,
    /// Toward negative infinity.
    Floor,
    /// Toward positive infinity.
    Ceiling,
}

/// The name is not a rounding mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a rounding mode; the modes are `half_even`, `half_up`, `down`, `up`, `floor` and `ceiling`"
)]
pub struct UnknownRounding;

impl Rounding {
    /// Every mode, in the order of the documentation.
    pub const ALL: [Self; 6] =
        [Self::HalfEven, Self::HalfUp, Self::Down, Self::Up, Self::Floor, Self::Ceiling];

    /// Returns the name used in pipeline files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HalfEven => "half_even",
            Self::HalfUp => "half_up",
            Self::Down => "down",
            Self::Up => "up",
            Self::Floor => "floor",
            Self::Ceiling => "ceiling",
        }
    }

    /// Returns whether a truncated magnitude is rounded one step away from zero.
    ///
    /// `odd` is true if the last kept digit is odd. `tail` compares the dropped part, which is
    /// not zero, with half a unit of that digit.
    pub(super) fn rounds_away_from_zero(self, negative: bool, odd: bool, tail: Ordering) -> bool {
        match self {
            Self::HalfEven => tail.is_gt() || (tail.is_eq() && odd),
            Self::HalfUp => tail.is_ge(),
            Self::Down => false,
            Self::Up => true,
            Self::Floor => negative,
            Self::Ceiling => !negative,
        }
    }
}

impl fmt::Display for Rounding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Rounding {
    type Err = UnknownRounding;

    fn from_str(text: &str) -> Result<Self, UnknownRounding> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == text).ok_or(UnknownRounding)
    }
}

#[cfg(test)]
mod tests {
    use serde::de::IntoDeserializer;
    use serde::de::value::{Error, StrDeserializer};

    use super::*;

    #[test]
    fn every_mode_is_parsed_from_its_name() {
        for mode in Rounding::ALL {
            assert_eq!(mode.as_str().parse(), Ok(mode));
            let text: StrDeserializer<'_, Error> = mode.as_str().into_deserializer();
            assert_eq!(Rounding::deserialize(text).unwrap(), mode);
        }
    }

    #[test]
    fn the_error_for_an_unknown_name_lists_every_mode() {
        let message = "half".parse::<Rounding>().unwrap_err().to_string();
        for mode in Rounding::ALL {
            assert!(message.contains(&format!("`{mode}`")), "{message}");
        }
    }
}
