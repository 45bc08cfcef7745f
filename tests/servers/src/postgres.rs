//! A private PostgreSQL server for one test, in a temporary folder, on a free loopback port. It
//! stops when it is dropped.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A running server.
pub struct Server {
    process: Child,
    programs: PathBuf,
    port: u16,
    folder: tempfile::TempDir,
}

/// Returns the folder with the newest PostgreSQL programs from Debian packages. Without PostgreSQL,
/// the tests that need a server report that they are skipped; in CI that is an error.
#[expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "CI must not skip tests, and a skipped test is reported"
)]
pub fn find() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let found = versions
        .filter_map(|version| Some(version.ok()?.path().join("bin")))
        .filter(|programs| programs.join("initdb").exists());
    let newest = found.max();
    if newest.is_none() {
        let ci = std::env::var("CI").is_ok_and(|value| value == "true");
        assert!(!ci, "PostgreSQL tests need the Debian package `postgresql`");
        eprintln!("skipped: PostgreSQL is not installed");
    }
    newest
}

/// Returns a command for a program of the server's user. PostgreSQL refuses to run as root, so root
/// runs the programs as the user `nobody`.
fn command(program: &Path) -> Command {
    let root = std::fs::metadata("/proc/self").is_ok_and(|own| {
        use std::os::unix::fs::MetadataExt as _;
        own.uid() == 0
    });
    if !root {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups", "--pdeathsig", "KILL"]);
    command.arg(program);
    command
}

/// Runs a command that must succeed.
fn finish(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The role that has to log in with its password. All other roles are trusted.
pub const PASSWORD_ROLE: &str = "password_role";

/// The role that has to use TLS.
pub const TLS_ROLE: &str = "tls_role";

/// The host name in the server's certificate.
const HOST: &str = "localhost";

impl Server {
    /// Creates a database and starts a server without TLS on it.
    pub fn start(programs: &Path) -> Self {
        Self::create(programs, false)
    }

    /// Creates a database and starts a server with TLS on it. Its certificate is for `localhost`.
    pub fn with_tls(programs: &Path) -> Self {
        Self::create(programs, true)
    }

    fn create(programs: &Path, tls: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        let data = folder.path().join("data");
        let options = ["--username=oms", "--auth=trust", "--encoding=UTF8", "--no-locale"];
        finish(
            command(&programs.join("initdb")).args(options).args(["--no-sync", "-D"]).arg(&data),
        );
        // Tests of passwords and of TLS need roles with other rules.
        let hba = data.join("pg_hba.conf");
        let trusting = std::fs::read_to_string(&hba).unwrap();
        let proving = format!(
            "host all {PASSWORD_ROLE} 127.0.0.1/32 scram-sha-256\n\
             hostnossl all {TLS_ROLE} 127.0.0.1/32 reject\nlocal all {TLS_ROLE} reject\n{trusting}"
        );
        std::fs::write(&hba, proving).unwrap();
        if tls {
            use_tls(folder.path());
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = start(programs, folder.path(), port);
        let server = Self { process, programs: programs.to_owned(), port, folder };
        server.wait_until_ready();
        server
    }

    fn wait_until_ready(&self) {
        for _ in 0..200 {
            let ready = Command::new(self.programs.join("pg_isready"))
                .args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()])
                .status()
                .unwrap();
            if ready.success() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("PostgreSQL did not start");
    }

    /// Stops the server as `pg_ctl stop -m immediate` does, like after a crash: open connections
    /// end, and their transactions are not finished.
    pub fn stop(&mut self) {
        let data = self.folder.path().join("data");
        let stop = ["stop", "--mode=immediate", "--silent", "-D"];
        finish(command(&self.programs.join("pg_ctl")).args(stop).arg(data));
        let _reaped = self.process.wait();
    }

    /// Starts the stopped server again, on the same port. It recovers its data first.
    pub fn start_again(&mut self) {
        self.process = start(&self.programs, self.folder.path(), self.port);
        self.wait_until_ready();
    }

    /// Returns the address of the database.
    pub fn address(&self) -> String {
        format!("postgresql://oms@127.0.0.1:{}/postgres", self.port)
    }

    /// Returns the address of the database, with the host name in the server's certificate.
    pub fn named_address(&self) -> String {
        format!("postgresql://oms@{HOST}:{}/postgres", self.port)
    }

    /// Returns the address of the database on a Unix socket.
    pub fn socket_address(&self) -> String {
        let folder = self.folder.path().display();
        format!("host={folder} port={} user=oms dbname=postgres", self.port)
    }

    /// Returns the TCP port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the path of the certificate that a client of a server with TLS has to trust.
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }
}

/// Starts a server on a database.
fn start(programs: &Path, folder: &Path, port: u16) -> Child {
    let sockets = format!("unix_socket_directories={}", folder.display());
    command(&programs.join("postgres"))
        .arg("-D")
        .arg(folder.join("data"))
        .args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1", "-c", &sockets])
        .args(["-c", "fsync=off", "-c", "timezone=UTC"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Creates a self-signed certificate, and enables TLS.
fn use_tls(folder: &Path) {
    let made = rcgen::generate_simple_self_signed(vec![HOST.to_owned()]).unwrap();
    let key = folder.join("key.pem");
    std::fs::write(folder.join("authority.pem"), made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    // The server's user has to own the key.
    let data = folder.join("data");
    let install = || command(Path::new("install"));
    finish(install().args(["-m", "600"]).arg(&key).arg(data.join("server.key")));
    finish(install().arg(folder.join("authority.pem")).arg(data.join("server.crt")));
    let settings = data.join("postgresql.conf");
    let text = std::fs::read_to_string(&settings).unwrap();
    std::fs::write(settings, text + "\nssl = on\n").unwrap();
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGKILL is enough, because no data is kept.
        let _gone = self.process.kill();
        let _reaped = self.process.wait();
    }
}
