//! The e-mails that a pipeline would send: rendering, checks, and a page with all of them.

pub(crate) mod lint;
pub(crate) mod matrix;
pub(crate) mod part;
pub(crate) mod preview;
