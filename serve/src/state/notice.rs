//! Messages that the next page of a session shows.

/// A message at the top of the next page.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notice {
    pub(crate) text: String,
    pub(crate) tone: Tone,
}

/// The tone of a notice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Success.
    Good,
    /// Neutral: the outcome is not known yet.
    #[default]
    Open,
    /// Failure.
    Bad,
}

impl Tone {
    /// Returns the CSS class of the tone.
    pub(crate) const fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Open => "open",
            Self::Bad => "bad",
        }
    }
}

impl Notice {
    pub(crate) fn good(text: impl Into<String>) -> Self {
        Self { text: text.into(), tone: Tone::Good }
    }

    pub(crate) fn open(text: impl Into<String>) -> Self {
        Self { text: text.into(), tone: Tone::Open }
    }

    pub(crate) fn bad(text: impl Into<String>) -> Self {
        Self { text: text.into(), tone: Tone::Bad }
    }
}
