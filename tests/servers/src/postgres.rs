//! A private PostgreSQL server for one test, in a temporary folder, on a free loopback port. It
//! stops when it is dropped.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A running server.
pub struct Server {
    process: Child,
    port: u16,
    _folder: tempfile::TempDir,
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

/// Returns a command for a PostgreSQL program. The programs refuse to run as root, so root runs
/// them as the user `nobody`.
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

/// The role that has to log in with its password. All other roles are trusted.
pub const PASSWORD_ROLE: &str = "password_role";

impl Server {
    /// Creates a database and starts a server on it.
    pub fn start(programs: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        let data = folder.path().join("data");
        let made = command(&programs.join("initdb"))
            .args([
                "--username=oms",
                "--auth=trust",
                "--encoding=UTF8",
                "--no-locale",
                "--no-sync",
                "-D",
            ])
            .arg(&data)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        // One role needs its password, for tests of passwords.
        let hba = data.join("pg_hba.conf");
        let trusting = std::fs::read_to_string(&hba).unwrap();
        let proving = format!("host all {PASSWORD_ROLE} 127.0.0.1/32 scram-sha-256\n{trusting}");
        std::fs::write(&hba, proving).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = command(&programs.join("postgres"))
            .arg("-D")
            .arg(&data)
            .args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1"])
            .args(["-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "timezone=UTC"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self { process, port, _folder: folder };
        for _ in 0..200 {
            let ready = Command::new(programs.join("pg_isready"))
                .args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()])
                .status()
                .unwrap();
            if ready.success() {
                return server;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("PostgreSQL did not start");
    }

    /// Returns the address of the database.
    pub fn address(&self) -> String {
        format!("postgresql://oms@127.0.0.1:{}/postgres", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGKILL is enough, because no data is kept.
        let _gone = self.process.kill();
        let _reaped = self.process.wait();
    }
}
