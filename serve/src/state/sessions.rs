//! Sessions of the console. A cookie identifies a session. Its contents are in memory. Its API key
//! is also in the database of the key's pipeline, so that the session survives a restart.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::header::COOKIE;
use oms_engine::value::Digest;
use oms_sqlite::StoredSessions;
use tokio::time::Instant;

use super::notice::Notice;

/// The prefix of the cookie's name. The rest is the id of the state, because browsers send cookies
/// to all ports of a host.
const COOKIE_PREFIX: &str = "oms_session_";
/// Idle timeout of a session, stored or not.
const IDLE_TIMEOUT: Duration = StoredSessions::IDLE_TIMEOUT;
/// Time for which a session in memory is used without checking the database. The check also records
/// the use.
const CHECK_INTERVAL: Duration = Duration::from_mins(10);
/// How long revealed personal data is shown.
const REVEAL_TIMEOUT: Duration = Duration::from_mins(15);
/// Maximum number of sessions. A further session replaces the one that has been idle longest.
/// Sessions without a login are replaced first.
const SESSIONS_MAX: usize = StoredSessions::MAX as usize;
/// Maximum number of searches that a session remembers.
const SEARCHES_MAX: usize = 50;
const TOKEN_BYTES: usize = 32;

/// The API key of a session.
#[derive(Clone, Debug)]
pub(crate) struct SessionKey {
    pub(crate) id: String,
    pub(crate) name: String,
}

/// A session.
pub(crate) struct Session {
    /// `None` if no key is required or the visitor has not logged in.
    pub(crate) key: Option<SessionKey>,
    pub(crate) notice: Option<Notice>,
    /// The path that was requested before the login.
    pub(crate) requested_path: Option<String>,
    searches: Searches,
    used: Instant,
    /// Time of the last check of the database.
    checked: Instant,
    /// Runs whose personal data was revealed, by the index of the pipeline and the order's key.
    revealed: HashMap<(usize, String), Instant>,
}

/// The texts of customer searches. Pages and URLs contain only the number of a search, never its
/// text.
#[derive(Default)]
struct Searches {
    texts: VecDeque<(u64, String)>,
    last: u64,
}

impl Session {
    fn of(key: Option<SessionKey>) -> Self {
        let now = Instant::now();
        let revealed = HashMap::new();
        let (notice, requested_path, searches) = (None, None, Searches::default());
        Self { key, notice, requested_path, searches, used: now, checked: now, revealed }
    }

    /// Remembers the text of a search and returns the search's number.
    pub(crate) fn remember_search(&mut self, text: &str) -> u64 {
        let Searches { texts, last } = &mut self.searches;
        *last += 1;
        texts.push_back((*last, text.to_owned()));
        if texts.len() > SEARCHES_MAX {
            texts.pop_front();
        }
        *last
    }

    /// Returns the text of a search, unless newer searches have replaced it.
    pub(crate) fn search(&self, number: u64) -> Option<&str> {
        let mut texts = self.searches.texts.iter();
        texts.find_map(|(of, text)| (*of == number).then_some(text.as_str()))
    }

    /// Reveals the personal data of a run for 15 minutes.
    pub(crate) fn reveal(&mut self, pipeline: usize, key: &str) {
        self.revealed.retain(|_, since| since.elapsed() < REVEAL_TIMEOUT);
        self.revealed.insert((pipeline, key.to_owned()), Instant::now());
    }

    pub(crate) fn is_revealed(&self, pipeline: usize, key: &str) -> bool {
        let since = self.revealed.get(&(pipeline, key.to_owned()));
        since.is_some_and(|since| since.elapsed() < REVEAL_TIMEOUT)
    }
}

/// All sessions that are in memory.
pub(crate) struct Sessions {
    cookie_name: String,
    table: Mutex<SessionTable>,
}

#[derive(Default)]
struct SessionTable {
    /// The sessions by the digest of their cookies.
    sessions: HashMap<Digest, Session>,
    /// The sessions that ended last. A request that is still in progress must not start them again.
    ended: VecDeque<Digest>,
}

/// The secret in a session cookie.
#[derive(Clone)]
pub(crate) struct Token(String);

impl Token {
    /// Creates a token, or returns `None` if the system cannot generate random numbers.
    pub(crate) fn new() -> Option<Self> {
        let mut bytes = [0; TOKEN_BYTES];
        getrandom::fill(&mut bytes).ok()?;
        Some(Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect()))
    }

    /// Reads the token in the cookie of this name.
    fn from_cookie(headers: &HeaderMap, cookie_name: &str) -> Option<Self> {
        let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs = cookies.flat_map(|cookies| cookies.split(';'));
        pairs.find_map(|pair| {
            let (name, value) = pair.trim().split_once('=')?;
            let is_whole = value.len() == 2 * TOKEN_BYTES
                && value.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            (name == cookie_name && is_whole).then(|| Self(value.to_owned()))
        })
    }

    /// Returns the CSRF token for forms of the session (OWASP, "Cross-Site Request Forgery
    /// Prevention"). It is a hash and does not reveal the session token.
    pub(crate) fn csrf(&self) -> String {
        Digest::of_parts([b"oms console form".as_slice(), self.0.as_bytes()]).to_string()
    }

    pub(crate) fn digest(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }
}

impl Sessions {
    /// Creates an empty set of sessions. The name of the cookie contains the id of the state.
    pub(crate) fn of_state(id: &str) -> Self {
        let id: String = id.chars().take(8).collect();
        Self { cookie_name: format!("{COOKIE_PREFIX}{id}"), table: Mutex::default() }
    }

    fn table(&self) -> MutexGuard<'_, SessionTable> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the token in the cookie of a request.
    pub(crate) fn token(&self, headers: &HeaderMap) -> Option<Token> {
        Token::from_cookie(headers, &self.cookie_name)
    }

    /// Returns the `Set-Cookie` header that stores a token in the browser.
    pub(crate) fn cookie(&self, token: &Token, uses_tls: bool) -> String {
        let secure = if uses_tls { "; Secure" } else { "" };
        let (name, value) = (&self.cookie_name, &token.0);
        format!("{name}={value}; Path=/console; HttpOnly; SameSite=Strict{secure}")
    }

    /// Starts a session for a token and replaces an existing one.
    pub(crate) fn begin(&self, token: &Token, key: Option<SessionKey>) {
        self.table().begin(token.digest(), key);
    }

    /// Returns whether a session is in memory and was checked recently.
    pub(crate) fn is_active(&self, token: &Token) -> bool {
        let table = self.table();
        table.sessions.get(&token.digest()).is_some_and(|session| {
            let checked = session.key.is_none() || session.checked.elapsed() < CHECK_INTERVAL;
            session.used.elapsed() < IDLE_TIMEOUT && checked
        })
    }

    /// Accepts the session of a key that is stored in the database. Returns false if the session
    /// has ended since.
    pub(crate) fn restore(&self, token: &Token, key: &SessionKey) -> bool {
        let (mut table, digest) = (self.table(), token.digest());
        if table.ended.contains(&digest) {
            return false;
        }
        let id = |key: &Option<SessionKey>| key.as_ref().map(|key| key.id.clone());
        let same = table.sessions.get_mut(&digest).filter(|session| {
            session.used.elapsed() < IDLE_TIMEOUT && id(&session.key).as_ref() == Some(&key.id)
        });
        match same {
            Some(session) => session.checked = Instant::now(),
            None => table.begin(digest, Some(key.clone())),
        }
        true
    }

    /// Calls a function with a session, unless it is unknown or expired.
    pub(crate) fn with<T>(&self, token: &Token, work: impl FnOnce(&mut Session) -> T) -> Option<T> {
        let mut table = self.table();
        let session = table.sessions.get_mut(&token.digest())?;
        if session.used.elapsed() >= IDLE_TIMEOUT {
            return None;
        }
        session.used = Instant::now();
        Some(work(session))
    }

    /// Ends a session.
    pub(crate) fn end(&self, token: &Token) {
        let (mut table, digest) = (self.table(), token.digest());
        table.sessions.remove(&digest);
        table.ended.push_back(digest);
        if table.ended.len() > SESSIONS_MAX {
            table.ended.pop_front();
        }
    }
}

impl SessionTable {
    fn begin(&mut self, digest: Digest, key: Option<SessionKey>) {
        let sessions = &mut self.sessions;
        sessions.retain(|_, session| session.used.elapsed() < IDLE_TIMEOUT);
        if sessions.len() >= SESSIONS_MAX {
            // Requests without a login do not evict sessions of logged-in users.
            let last = |session: &Session| (session.key.is_some(), session.used);
            let oldest = sessions.iter().min_by_key(|(_, session)| last(session));
            if let Some(oldest) = oldest.map(|(digest, _)| *digest) {
                sessions.remove(&oldest);
            }
        }
        sessions.insert(digest, Session::of(key));
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_a_complete_token_identifies_a_session() {
        let sessions = Sessions::of_state("0123456789");
        let of = |cookie: &str| {
            let value = HeaderValue::from_str(cookie).unwrap();
            sessions.token(&HeaderMap::from_iter([(COOKIE, value)]))
        };
        let token = Token::new().unwrap();
        let cookie = sessions.cookie(&token, false);
        let pair = cookie.split(';').next().unwrap();
        assert_eq!(of(&format!("a=b; {pair}")).unwrap().digest(), token.digest());
        let elsewhere = Sessions::of_state("1").cookie(&token, false);
        let elsewhere = elsewhere.split(';').next().unwrap();
        for other in
            ["oms_session_01234567=1", elsewhere, &pair.to_uppercase(), &format!("{pair}0")]
        {
            assert!(of(other).is_none(), "{other}");
        }
        assert!(!token.csrf().contains(&token.0) && token.csrf() != Token::new().unwrap().csrf());
    }

    #[test]
    fn anonymous_visits_do_not_evict_sessions_with_a_key() {
        let sessions = Sessions::of_state("1");
        let key = || SessionKey { id: "1".to_owned(), name: "ann".to_owned() };
        let ann = Token::new().unwrap();
        sessions.begin(&ann, Some(key()));
        for _ in 0..SESSIONS_MAX + 1 {
            sessions.begin(&Token::new().unwrap(), None);
        }
        assert!(sessions.is_active(&ann));
        assert!(sessions.restore(&ann, &key()));
    }

    #[test]
    fn an_ended_session_does_not_start_again() {
        let sessions = Sessions::of_state("1");
        let key = || SessionKey { id: "1".to_owned(), name: "ann".to_owned() };
        let ann = Token::new().unwrap();
        assert!(sessions.restore(&ann, &key()) && sessions.is_active(&ann));
        sessions.end(&ann);
        assert!(!sessions.restore(&ann, &key()) && !sessions.is_active(&ann));
    }

    #[test]
    fn a_search_is_found_by_its_number() {
        let mut session = Session::of(None);
        let (first, second) = (session.remember_search("ann"), session.remember_search("bob"));
        assert_eq!((session.search(first), session.search(second)), (Some("ann"), Some("bob")));
        for _ in 0..SEARCHES_MAX {
            session.remember_search("x");
        }
        assert_eq!(session.search(first), None);
    }
}
