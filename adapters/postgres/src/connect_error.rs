//! Why a database address cannot be used. The messages contain no part of an address that may be a
//! password.

use std::path::PathBuf;

/// Why a database address cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address is invalid.
    #[error("invalid PostgreSQL address; use the form `postgresql://user@host/database`")]
    Address(#[source] tokio_postgres::Error),
    /// The address has no host.
    #[error(
        "the PostgreSQL address has no host; add it, as in `postgresql://localhost/database`, or add the directory of the Unix socket, \
         as in `postgresql:///database?host=/var/run/postgresql`"
    )]
    NoHost,
    /// A parameter must be a number.
    #[error("invalid value of the parameter `{0}`; use a number")]
    Number(&'static str),
    /// The mode does not guarantee encryption.
    #[error(
        "`sslmode={0}` is not supported, because it may connect without TLS; use `sslmode=verify-full`, or `sslmode=disable` in a private \
         network"
    )]
    Opportunistic(String),
    /// The mode is unknown.
    #[error("unknown `sslmode={0}`; use `verify-full`, `verify-ca`, `require` or `disable`")]
    Mode(String),
    /// The mode requires a file of certificates, because it does not verify the host name.
    #[error(
        "`sslmode={0}` does not verify the host name, so it would accept every publicly trusted certificate; add `sslrootcert=FILE` with your \
         own authority's certificate, or use `sslmode=verify-full`"
    )]
    PublicRoots(&'static str),
    /// A socket cannot use TLS.
    #[error(
        "a Unix socket cannot use TLS; remove the socket from the hosts of the PostgreSQL address, or add `sslmode=disable`"
    )]
    Socket,
    /// TLS needs a host name.
    #[error(
        "TLS requires a host name; add `host=NAME` next to `hostaddr` in the PostgreSQL address"
    )]
    NoHostName,
    /// The certificates cannot be read.
    #[error("cannot read the certificates of `sslrootcert` in `{}`", path.display())]
    Roots {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The file contains no certificates.
    #[error("`{}` contains no certificates; `sslrootcert` requires a file in PEM format", .0.display())]
    NoRoots(PathBuf),
    /// TLS cannot be set up.
    #[error("cannot set up TLS")]
    Tls(#[source] tokio_rustls::rustls::Error),
    /// The connection pool cannot be created.
    #[error("cannot create the connection pool")]
    Pool(#[source] deadpool_postgres::BuildError),
}
