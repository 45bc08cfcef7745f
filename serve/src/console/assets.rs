//! The style sheets and the script.

/// The colors that the console shares with the preview of e-mails.
pub const PALETTE: &str = include_str!("../../../templates/console/palette.css");
pub(crate) const STYLE: &str = concat!(
    include_str!("../../../templates/console/palette.css"),
    include_str!("../../../templates/console/console.css")
);
pub(crate) const SCRIPT: &str = include_str!("../../../templates/console/console.js");
