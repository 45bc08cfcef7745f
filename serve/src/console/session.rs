//! Sessions: who is there, kept in memory and in a cookie that nobody else sees.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::header::COOKIE;
use oms_engine::value::Digest;
use tokio::time::Instant;

const COOKIE_NAME: &str = "oms_session";
/// How long a session lasts that nobody uses.
const IDLE: Duration = Duration::from_secs(12 * 60 * 60);
/// How long personal data is shown that was asked for.
const REVEALED: Duration = Duration::from_secs(15 * 60);
/// Sessions at the most; beyond it the one that was not used for the longest time ends.
const SESSIONS_MAX: usize = 1_000;
const TOKEN_BYTES: usize = 32;

/// A session.
pub(crate) struct Session {
    /// What forms of it carry (OWASP, "Cross-Site Request Forgery Prevention": synchronizer token).
    pub(crate) csrf: String,
    /// The id and the name of the key that it was begun with; nothing where none is asked for.
    pub(crate) key: Option<(String, String)>,
    /// What the next page says.
    pub(crate) notice: Option<String>,
    used: Instant,
    /// Runs whose personal data was asked for: the pipeline's position, and the order's key.
    revealed: HashMap<(usize, String), Instant>,
}

impl Session {
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

/// All sessions, by the digest of what their cookies say.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<HashMap<Digest, Session>>);

/// What a cookie says.
#[derive(Clone)]
pub(crate) struct Token(String);

impl Token {
    /// Reads it from the headers of a request.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs = cookies.flat_map(|cookies| cookies.split(';'));
        pairs.find_map(|pair| {
            let (name, value) = pair.trim().split_once('=')?;
            (name == COOKIE_NAME).then(|| Self(value.to_owned()))
        })
    }

    /// Writes the header that keeps it in the browser.
    pub(crate) fn cookie(&self, private: bool) -> String {
        let secure = if private { "; Secure" } else { "" };
        let value = &self.0;
        format!("{COOKIE_NAME}={value}; Path=/console; HttpOnly; SameSite=Strict{secure}")
    }

    fn digest(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }
}

impl Sessions {
    /// Begins one; nothing if the system has no randomness.
    pub(crate) fn begin(&self, key: Option<(String, String)>) -> Option<Token> {
        let (token, csrf) = (Token(random()?), random()?);
        let (used, revealed) = (Instant::now(), HashMap::new());
        let session = Session { csrf, key, notice: None, used, revealed };
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
        sessions.insert(token.digest(), session);
        Some(token)
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

fn random() -> Option<String> {
    let mut bytes = [0; TOKEN_BYTES];
    getrandom::fill(&mut bytes).ok()?;
    Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
