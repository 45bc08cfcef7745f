//! Database addresses, as PostgreSQL's own library (libpq) defines them: a URL, or a list of
//! settings such as `host=localhost dbname=shop`.
//!
//! The driver reads most of an address. It does not verify certificates, and it lacks some
//! parameters of libpq or uses other units. [`Address::parse`] reads those parameters itself.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use crate::connect_error::ConnectError;

/// Default timeout for establishing a TCP connection to one IP address.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// Default time after which an idle connection is probed. Firewalls drop idle connections after a
/// few minutes.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_PROBES: u32 = 3;

/// Default time after which a connection is closed if the server's machine does not acknowledge
/// data. The default of Linux is about 15 minutes.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(30);

/// A database address.
pub(crate) struct Address {
    /// The configuration of the driver.
    pub(crate) config: Config,
    /// The protection of the connection.
    pub(crate) tls: Tls,
}

/// The protection of a connection.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Tls {
    /// No encryption.
    Disabled,
    /// Encryption without verification of the server's certificate.
    Unverified,
    /// Encryption. A certificate in the file must have signed the server's certificate.
    Authority(PathBuf),
    /// Encryption. The server's certificate must be trusted and valid for the host name. Without a
    /// file, the certificates that the system trusts are used.
    Full(Option<PathBuf>),
}

impl Address {
    /// Reads an address.
    ///
    /// # Errors
    /// Returns an error if the address is invalid, or if its `sslmode` is not supported.
    pub(crate) fn parse(text: &str) -> Result<Self, ConnectError> {
        let mut parameters = Parameters::default();
        let is_url = ["postgresql://", "postgres://"].iter().any(|scheme| text.starts_with(scheme));
        let rest =
            if is_url { parameters.take_from_url(text) } else { parameters.take_from_list(text) };
        let mut config: Config = rest.parse().map_err(ConnectError::Address)?;
        let tls = parameters.tls(&config)?;
        let is_encrypted = tls != Tls::Disabled;
        config.ssl_mode(if is_encrypted { SslMode::Require } else { SslMode::Disable });
        parameters.set_timeouts(&mut config)?;
        if config.get_application_name().is_none() {
            config.application_name("oms");
        }
        Ok(Self { config, tls })
    }
}

/// The parameters that the driver does not read.
#[derive(Default)]
struct Parameters {
    mode: Option<String>,
    roots: Option<String>,
    /// In milliseconds. The driver would read it as seconds.
    user_timeout: Option<String>,
    /// The driver has another name for it.
    keepalives_count: Option<String>,
}

impl Parameters {
    /// Stores a parameter, and returns whether it is one of these. The last value counts.
    fn set(&mut self, key: &str, value: &str) -> bool {
        let place = match key {
            "sslmode" => &mut self.mode,
            "sslrootcert" => &mut self.roots,
            "tcp_user_timeout" => &mut self.user_timeout,
            "keepalives_count" => &mut self.keepalives_count,
            _ => return false,
        };
        *place = Some(value.to_owned()).filter(|value| !value.is_empty());
        true
    }

    /// Takes the parameters from a URL, and returns the URL without them.
    fn take_from_url(&mut self, url: &str) -> String {
        let (scheme, rest) = url.split_once("://").unwrap_or_default();
        // A password may contain a question mark. The driver and libpq accept that.
        let authority = rest.split('/').next().unwrap_or_default();
        let login = authority.split_once('@').map_or("", |(login, _)| login);
        let Some((place, query)) = rest.strip_prefix(login).and_then(|rest| rest.split_once('?'))
        else {
            return url.to_owned();
        };
        let decoded = |text| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let kept: Vec<&str> = query
            .split('&')
            .filter(|pair| {
                let pair = pair.split_once('=');
                !pair.is_some_and(|(key, value)| self.set(&decoded(key), &decoded(value)))
            })
            .collect();
        let query = if kept.is_empty() { String::new() } else { format!("?{}", kept.join("&")) };
        format!("{scheme}://{login}{place}{query}")
    }

    /// Takes the parameters from a list of settings, and returns the list without them.
    fn take_from_list(&mut self, list: &str) -> String {
        let mut kept = String::new();
        let mut rest = list;
        while let Some((key, value, after)) = first_setting(rest) {
            if !self.set(key, &value) {
                kept.push_str(rest.strip_suffix(after).unwrap_or(rest));
                kept.push(' ');
            }
            rest = after;
        }
        // The driver reports a rest that is invalid.
        kept + rest
    }

    /// Returns the protection for the hosts of an address.
    fn tls(&self, config: &Config) -> Result<Tls, ConnectError> {
        let places = places(config);
        if places.is_empty() {
            return Err(ConnectError::NoHost);
        }
        let is_local = places.iter().all(|place| *place != Place::Network);
        let default = if is_local && self.roots.is_none() { "disable" } else { "verify-full" };
        let file = self.roots.as_ref().filter(|roots| *roots != "system").map(PathBuf::from);
        let tls = match (self.mode.as_deref().unwrap_or(default), file) {
            ("disable", _) => Tls::Disabled,
            // With a file, libpq also verifies the certificate.
            ("require" | "verify-ca", Some(file)) => Tls::Authority(file),
            ("require", None) if self.roots.is_none() => Tls::Unverified,
            ("require", None) => return Err(ConnectError::PublicRoots("require")),
            ("verify-ca", None) => return Err(ConnectError::PublicRoots("verify-ca")),
            ("verify-full", file) => Tls::Full(file),
            (mode @ ("allow" | "prefer"), _) => {
                return Err(ConnectError::Opportunistic(mode.to_owned()));
            }
            (mode, _) => return Err(ConnectError::Mode(mode.to_owned())),
        };
        let sockets = places.iter().filter(|place| **place == Place::Socket).count();
        // Like libpq, a socket ignores the mode, because the data does not leave the machine.
        if tls == Tls::Disabled || sockets == places.len() {
            return Ok(Tls::Disabled);
        }
        if sockets > 0 {
            return Err(ConnectError::Socket);
        }
        if config.get_hosts().is_empty() {
            return Err(ConnectError::NoHostName);
        }
        Ok(tls)
    }

    /// Sets the timeouts that the address does not set.
    fn set_timeouts(&self, config: &mut Config) -> Result<(), ConnectError> {
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_MAX);
        }
        match number("tcp_user_timeout", self.user_timeout.as_deref())? {
            // The default of the system.
            Some(0) => {}
            Some(milliseconds) => {
                config.tcp_user_timeout(Duration::from_millis(milliseconds.into()));
            }
            None => {
                config.tcp_user_timeout(UNACKNOWLEDGED_MAX);
            }
        }
        if config.get_keepalives_idle() == Config::new().get_keepalives_idle() {
            config.keepalives_idle(KEEPALIVE_IDLE);
        }
        if config.get_keepalives_interval().is_none() {
            config.keepalives_interval(KEEPALIVE_INTERVAL);
        }
        let count = number("keepalives_count", self.keepalives_count.as_deref())?;
        if count.is_some() || config.get_keepalives_retries().is_none() {
            config.keepalives_retries(count.unwrap_or(KEEPALIVE_PROBES));
        }
        Ok(())
    }
}

fn number(parameter: &'static str, value: Option<&str>) -> Result<Option<u32>, ConnectError> {
    let number = value.map(str::parse).transpose();
    number.map_err(|_| ConnectError::Number(parameter))
}

/// Reads the first setting of a list. Returns its key, its value without quotes and backslashes,
/// and the rest of the list.
fn first_setting(list: &str) -> Option<(&str, String, &str)> {
    let (key, value) = list.split_once('=')?;
    let value = value.trim_start();
    let quoted = value.strip_prefix('\'');
    let mut letters = quoted.unwrap_or(value).chars();
    let mut value = String::new();
    loop {
        match letters.next() {
            Some('\\') => value.extend(letters.next()),
            Some('\'') if quoted.is_some() => break,
            Some(letter) if quoted.is_none() && letter.is_whitespace() => break,
            Some(letter) => value.push(letter),
            None if quoted.is_some() => return None,
            None => break,
        }
    }
    Some((key.trim(), value, letters.as_str()))
}

/// Where a server is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// A Unix socket.
    Socket,
    /// This machine, over TCP.
    Loopback,
    /// Another machine.
    Network,
}

/// Returns the places of all servers. The driver connects to the first one that responds.
fn places(config: &Config) -> Vec<Place> {
    let (hosts, addresses) = (config.get_hosts(), config.get_hostaddrs());
    (0..hosts.len().max(addresses.len()))
        .map(|at| match (addresses.get(at), hosts.get(at)) {
            (Some(address), _) => place(Some(*address)),
            (None, Some(Host::Tcp(name))) if name.eq_ignore_ascii_case("localhost") => {
                Place::Loopback
            }
            (None, Some(Host::Tcp(name))) => place(name.parse().ok()),
            (None, Some(Host::Unix(_))) => Place::Socket,
            (None, None) => Place::Network,
        })
        .collect()
}

fn place(address: Option<IpAddr>) -> Place {
    let is_loopback = address.is_some_and(|address| address.to_canonical().is_loopback());
    if is_loopback { Place::Loopback } else { Place::Network }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn tls(address: &str) -> Tls {
        Address::parse(address).map(|address| address.tls).unwrap()
    }

    #[track_caller]
    fn error(address: &str) -> String {
        Address::parse(address).map(|address| address.tls).unwrap_err().to_string()
    }

    #[test]
    fn only_addresses_of_this_machine_have_no_tls_by_default() {
        for address in [
            "postgresql://shop@localhost/shop",
            "postgres://shop@127.0.0.2:5433/shop",
            "postgresql://[::1]/shop",
            "postgresql://[::ffff:127.0.0.1]/shop",
            "postgresql:///shop?host=/var/run/postgresql",
            "postgresql://%2Fvar%2Frun%2Fpostgresql/shop",
            "postgresql://db.example.com/shop?hostaddr=127.0.0.1",
            "host=/var/run/postgresql,LocalHost dbname=shop",
            // A socket never uses TLS.
            "host=/var/run/postgresql sslmode=verify-full",
        ] {
            assert_eq!(tls(address), Tls::Disabled, "{address}");
        }
        for address in [
            "postgresql://shop@db.example.com/shop",
            "postgresql://shop@10.0.0.1/shop",
            "postgresql://localhost,db.example.com/shop",
            "postgresql://localhost/shop?hostaddr=10.0.0.1",
            "postgresql://localhost.example.com/shop",
            "host=db.example.com dbname=shop",
            "postgresql://localhost/shop?sslmode=verify-full",
            "postgresql://localhost/shop?sslrootcert=system",
        ] {
            assert_eq!(tls(address), Tls::Full(None), "{address}");
        }
    }

    #[test]
    fn the_mode_and_the_certificates_are_read_from_both_forms() {
        let file = |path: &str| PathBuf::from(path);
        for (parameters, expected) in [
            ("sslmode=disable", Tls::Disabled),
            ("sslmode=require", Tls::Unverified),
            ("sslmode=require&sslrootcert=/ca.pem", Tls::Authority(file("/ca.pem"))),
            ("sslmode=verify-ca&sslrootcert=/ca.pem", Tls::Authority(file("/ca.pem"))),
            ("sslmode=verify-full&sslrootcert=/ca.pem", Tls::Full(Some(file("/ca.pem")))),
            ("sslrootcert=/ca.pem", Tls::Full(Some(file("/ca.pem")))),
            ("sslrootcert=&sslmode=", Tls::Full(None)),
            ("sslmode=disable&sslmode=verify-full", Tls::Full(None)),
        ] {
            for address in [
                format!("postgresql://shop@db.example.com/shop?{parameters}"),
                format!("postgresql://shop:a?b@db.example.com?{parameters}&connect_timeout=3"),
            ] {
                assert_eq!(tls(&address), expected, "{address}");
            }
            let list = format!("dbname=shop {} host=db.example.com", parameters.replace('&', " "));
            if !parameters.contains("=&") {
                assert_eq!(tls(&list), expected, "{list}");
            }
        }
        let spaces = Tls::Full(Some(file("/my certificates/it's.pem")));
        let quoted = r"host=db.example.com sslrootcert = '/my certificates/it\'s.pem' user=shop";
        assert_eq!(tls(quoted), spaces);
        let escaped = "postgresql://db.example.com/?ssl%72ootcert=/my%20certificates/it%27s.pem";
        assert_eq!(tls(escaped), spaces);
    }

    #[test]
    fn other_parameters_are_left_to_the_driver() {
        for address in [
            "postgresql://shop:se%20cret?@db.example.com:6000/orders?sslmode=disable&options=-c%20a%3Db",
            r"user=shop password='se cret?' sslmode=disable host=db.example.com port = 6000 dbname=orders options=-c\ a=b",
        ] {
            let config = Address::parse(address).map(|address| address.config).unwrap();
            assert_eq!(config.get_user(), Some("shop"));
            assert_eq!(config.get_password(), Some("se cret?".as_bytes()));
            assert_eq!(config.get_hosts(), [Host::Tcp("db.example.com".to_owned())]);
            assert_eq!((config.get_ports(), config.get_dbname()), (&[6000][..], Some("orders")));
            assert_eq!(config.get_options(), Some("-c a=b"));
            assert_eq!(config.get_ssl_mode(), SslMode::Disable);
        }
    }

    #[test]
    fn unsupported_modes_and_unsafe_combinations_are_rejected() {
        for (parameters, expected) in [
            ("sslmode=prefer", "`sslmode=prefer` is not supported"),
            ("sslmode=allow", "use `sslmode=verify-full`"),
            ("sslmode=verify_full", "unknown `sslmode=verify_full`; use `verify-full`"),
            ("sslmode=verify-ca", "add `sslrootcert=FILE`"),
            ("sslmode=verify-ca&sslrootcert=system", "add `sslrootcert=FILE`"),
            ("sslmode=require&sslrootcert=system", "`sslmode=require` does not verify"),
            ("tcp_user_timeout=30s", "`tcp_user_timeout`"),
            ("keepalives_count=-1", "`keepalives_count`"),
        ] {
            let address = format!("postgresql://db.example.com/shop?{parameters}");
            assert!(error(&address).contains(expected), "{}", error(&address));
        }
        // Also where TLS is not used.
        assert!(error("host=/var/run/postgresql sslmode=prefer").contains("not supported"));
        assert!(error("host=/var/run/postgresql,db.example.com").contains("Unix socket"));
        assert!(error("hostaddr=10.0.0.1").contains("add `host=NAME`"));
        assert!(error("postgresql:///shop").contains("has no host"));
        for address in ["mysql://secret@host", "no address", "host='secret", "host=a password"] {
            let error = error(address);
            assert!(error.contains("postgresql://user@host/database"), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn the_address_can_change_the_timeouts() {
        let config = |parameters: &str| {
            Address::parse(&format!("host=localhost {parameters}")).map(|a| a.config).unwrap()
        };
        let seconds = Duration::from_secs;
        let default = config("");
        assert_eq!(default.get_connect_timeout(), Some(&seconds(10)));
        assert_eq!(default.get_keepalives_idle(), seconds(30));
        assert_eq!(default.get_tcp_user_timeout(), Some(&seconds(30)));
        let own = config("connect_timeout=3 keepalives_idle=60 keepalives_count=7");
        assert_eq!(own.get_connect_timeout(), Some(&seconds(3)));
        assert_eq!(own.get_keepalives_idle(), seconds(60));
        assert_eq!(own.get_keepalives_retries(), Some(7));
        // In milliseconds, as in libpq.
        assert_eq!(config("tcp_user_timeout=5000").get_tcp_user_timeout(), Some(&seconds(5)));
        assert_eq!(config("tcp_user_timeout=0").get_tcp_user_timeout(), None);
    }
}
