//! Sessions: who is there. A cookie that nobody else sees names a session; what belongs to it is in memory, and with which key it was begun also in the
//! database of the pipeline that the key is of, so that it survives a restart.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::header::COOKIE;
use oms_engine::value::Digest;
use tokio::time::Instant;

const COOKIE_NAME: &str = "oms_session";
/// How long a session lasts that nobody uses.
const IDLE: Duration = Duration::from_hours(12);
/// How long it is relied on without a look at the database, which notes that a session is used.
const CHECKED: Duration = Duration::from_mins(10);
/// How long personal data is shown that was asked for.
const REVEALED: Duration = Duration::from_mins(15);
/// Sessions at the most; beyond it the one that was not used for the longest time ends.
const SESSIONS_MAX: usize = 1_000;
const TOKEN_BYTES: usize = 32;

/// What the next page says at its top.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notice {
    pub(crate) text: String,
    pub(crate) tone: Tone,
}

/// How something went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tone {
    /// As it was wanted.
    Good,
    /// It is not known yet.
    #[default]
    Open,
    /// Not as it was wanted.
    Bad,
}

impl Tone {
    /// Returns the name of the tone in the style.
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

/// The key that a session was begun with.
#[derive(Clone, Debug)]
pub(crate) struct SessionKey {
    pub(crate) id: String,
    pub(crate) name: String,
}

/// A session.
pub(crate) struct Session {
    /// Nothing where no key is asked for, or nobody has logged in yet.
    pub(crate) key: Option<SessionKey>,
    pub(crate) notice: Option<Notice>,
    /// The page that was asked for before the login: a path of this server.
    pub(crate) wanted: Option<String>,
    /// The last text that a customer was searched by, so that no page and no address has it.
    pub(crate) searched: Option<String>,
    used: Instant,
    /// When the database was looked at.
    checked: Instant,
    /// Runs whose personal data was asked for: the pipeline's position, and the order's key.
    revealed: HashMap<(usize, String), Instant>,
}

impl Session {
    fn of(key: Option<SessionKey>) -> Self {
        let now = Instant::now();
        let revealed = HashMap::new();
        let (notice, wanted, searched) = (None, None, None);
        Self { key, notice, wanted, searched, used: now, checked: now, revealed }
    }

    /// Shows the personal data of a run from now on, for a while.
    pub(crate) fn reveal(&mut self, at: usize, key: &str) {
        self.revealed.retain(|_, since| since.elapsed() < REVEALED);
        self.revealed.insert((at, key.to_owned()), Instant::now());
    }

    pub(crate) fn is_revealed(&self, at: usize, key: &str) -> bool {
        let since = self.revealed.get(&(at, key.to_owned()));
        since.is_some_and(|since| since.elapsed() < REVEALED)
    }
}

/// All sessions that are in memory, by the digest of what their cookies say.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<HashMap<Digest, Session>>);

/// What a cookie says.
#[derive(Clone)]
pub(crate) struct Token(String);

impl Token {
    /// Makes one; nothing if the system has no randomness.
    pub(crate) fn new() -> Option<Self> {
        let mut bytes = [0; TOKEN_BYTES];
        getrandom::fill(&mut bytes).ok()?;
        Some(Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect()))
    }

    /// Reads it from the headers of a request.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs = cookies.flat_map(|cookies| cookies.split(';'));
        pairs.find_map(|pair| {
            let (name, value) = pair.trim().split_once('=')?;
            let is_whole = value.len() == 2 * TOKEN_BYTES
                && value.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            (name == COOKIE_NAME && is_whole).then(|| Self(value.to_owned()))
        })
    }

    /// Writes the header that keeps it in the browser.
    pub(crate) fn cookie(&self, private: bool) -> String {
        let secure = if private { "; Secure" } else { "" };
        let value = &self.0;
        format!("{COOKIE_NAME}={value}; Path=/console; HttpOnly; SameSite=Strict{secure}")
    }

    /// Returns what forms of the session carry (OWASP, "Cross-Site Request Forgery Prevention"): it follows from the token, which no page and no
    /// script sees, and says nothing about it.
    pub(crate) fn csrf(&self) -> String {
        Digest::of_parts([b"oms console form".as_slice(), self.0.as_bytes()]).to_string()
    }

    pub(crate) fn digest(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }
}

impl Sessions {
    /// Begins the session of a token, in the place of one that it may have had.
    pub(crate) fn begin(&self, token: &Token, key: Option<SessionKey>) {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, session| session.used.elapsed() < IDLE);
        if sessions.len() >= SESSIONS_MAX {
            // Visits of strangers end nobody's session who logged in.
            let last = |session: &Session| (session.key.is_some(), session.used);
            let oldest = sessions.iter().min_by_key(|(_, session)| last(session));
            if let Some(oldest) = oldest.map(|(digest, _)| *digest) {
                sessions.remove(&oldest);
            }
        }
        sessions.insert(token.digest(), Session::of(key));
    }

    /// Tells whether a session is in memory, and the database need not be looked at.
    pub(crate) fn knows(&self, token: &Token) -> bool {
        let sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let session = sessions.get(&token.digest());
        session.is_some_and(|session| {
            let checked = session.key.is_none() || session.checked.elapsed() < CHECKED;
            session.used.elapsed() < IDLE && checked
        })
    }

    /// Takes over what the database says of a session.
    pub(crate) fn check(&self, token: &Token, key: Option<SessionKey>) {
        let is_same = self.with(token, |session| {
            let id = |key: &Option<SessionKey>| key.as_ref().map(|key| key.id.clone());
            session.checked = Instant::now();
            id(&session.key) == id(&key)
        });
        if is_same != Some(true) {
            self.begin(token, key);
        }
    }

    /// Does something with a session, if there is one.
    pub(crate) fn with<T>(&self, token: &Token, work: impl FnOnce(&mut Session) -> T) -> Option<T> {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let session = sessions.get_mut(&token.digest())?;
        if session.used.elapsed() >= IDLE {
            return None;
        }
        session.used = Instant::now();
        Some(work(session))
    }

    /// Ends one.
    pub(crate) fn end(&self, token: &Token) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&token.digest());
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_a_whole_token_names_a_session() {
        let of = |cookie: &str| {
            let value = HeaderValue::from_str(cookie).unwrap();
            Token::of(&HeaderMap::from_iter([(COOKIE, value)]))
        };
        let token = Token::new().unwrap();
        let cookie = token.cookie(false);
        let pair = cookie.split(';').next().unwrap();
        assert_eq!(of(&format!("a=b; {pair}")).unwrap().digest(), token.digest());
        for other in ["oms_session=1", "oms_session=", &pair.to_uppercase(), &format!("{pair}0")] {
            assert!(of(other).is_none(), "{other}");
        }
        assert!(!token.csrf().contains(&token.0) && token.csrf() != Token::new().unwrap().csrf());
    }

    #[test]
    fn visits_of_strangers_end_no_session_of_somebody_who_logged_in() {
        let sessions = Sessions::default();
        let ann = Token::new().unwrap();
        sessions.begin(&ann, Some(SessionKey { id: "1".to_owned(), name: "ann".to_owned() }));
        for _ in 0..SESSIONS_MAX + 1 {
            sessions.begin(&Token::new().unwrap(), None);
        }
        assert!(sessions.knows(&ann));
        sessions.check(&ann, None);
        assert_eq!(sessions.with(&ann, |session| session.key.is_some()), Some(false));
    }
}
