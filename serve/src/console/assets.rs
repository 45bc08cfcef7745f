//! The style sheet and the script.

pub(crate) const STYLE: &str = include_str!("../../../templates/console/console.css");
pub(crate) const SCRIPT: &str = include_str!("../../../templates/console/console.js");
