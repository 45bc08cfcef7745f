//! A finding whose places are routes. The document resolves them to bytes and so turns the finding
//! into a diagnostic.

use super::{Code, Label, Place, Severity};

/// The result of a check: like a diagnostic, but its places are [`Place`]s instead of bytes.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The code of the finding.
    pub code: Code,
    /// The severity.
    pub severity: Severity,
    /// The message.
    pub message: String,
    /// The place of the fault, and the text of its label.
    pub primary: (Place, String),
    /// Places in the same file that explain the fault.
    pub related: Vec<(Place, String)>,
    /// Places in other files that explain the fault.
    pub elsewhere: Vec<Label>,
    /// How to fix it.
    pub help: Option<String>,
    /// Whether earlier versions accepted this. Runs that have already started continue despite it.
    pub ignored_in_bundles: bool,
}

impl Finding {
    /// Returns an error at a place.
    pub fn error(code: Code, place: Place, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            primary: (place, String::new()),
            related: Vec::new(),
            elsewhere: Vec::new(),
            help: None,
            ignored_in_bundles: false,
        }
    }

    /// Returns a warning at a place.
    pub fn warning(code: Code, place: Place, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, place, message) }
    }

    /// Sets the text of the label at the primary place.
    #[must_use]
    pub fn label(mut self, text: impl Into<String>) -> Self {
        self.primary.1 = text.into();
        self
    }

    /// Adds a label at another place in the same file.
    #[must_use]
    pub fn related(mut self, place: Place, text: impl Into<String>) -> Self {
        self.related.push((place, text.into()));
        self
    }

    /// Marks the finding as newly refused: a stored bundle with this fault stays valid, so that
    /// runs that have already started can continue.
    #[must_use]
    pub const fn ignored_in_bundles(mut self) -> Self {
        self.ignored_in_bundles = true;
        self
    }

    /// Sets the help text.
    #[must_use]
    pub fn help(mut self, help: impl Into<Option<String>>) -> Self {
        self.help = help.into();
        self
    }
}
