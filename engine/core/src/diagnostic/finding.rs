//! A finding whose places are still addresses; the document turns it into a diagnostic.

use super::{Code, Label, Place, Severity};

/// What a check found: like a diagnostic, but pointing by [`Place`].
#[derive(Clone, Debug)]
pub struct Finding {
    /// The kind of finding.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// The place of it and what is there.
    pub primary: (Place, String),
    /// Other places in the same file that explain it.
    pub related: Vec<(Place, String)>,
    /// Places in other files that explain it.
    pub elsewhere: Vec<Label>,
    /// What to type.
    pub help: Option<String>,
    /// Whether earlier versions accepted this, so that a run that has already started goes on with it.
    pub newly_refused: bool,
}

impl Finding {
    /// An error at a place.
    pub fn error(code: Code, place: Place, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            primary: (place, String::new()),
            related: Vec::new(),
            elsewhere: Vec::new(),
            help: None,
            newly_refused: false,
        }
    }

    /// A warning at a place.
    pub fn warning(code: Code, place: Place, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, place, message) }
    }

    /// Says what is at the place.
    #[must_use]
    pub fn label(mut self, text: impl Into<String>) -> Self {
        self.primary.1 = text.into();
        self
    }

    /// Points at another place, too.
    #[must_use]
    pub fn also(mut self, place: Place, text: impl Into<String>) -> Self {
        self.related.push((place, text.into()));
        self
    }

    /// Leaves the pipelines alone with which runs have already started: a bundle with this fault stays valid.
    #[must_use]
    pub const fn newly_refused(mut self) -> Self {
        self.newly_refused = true;
        self
    }

    /// Says what to type.
    #[must_use]
    pub fn help(mut self, help: impl Into<Option<String>>) -> Self {
        self.help = help.into();
        self
    }
}
