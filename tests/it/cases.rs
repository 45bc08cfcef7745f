//! Runs every folder of `tests/cases/`: small inputs that the program once handled wrongly.
//!
//! A case is a folder with a script `run.sh` and the file `expected`, which holds the script's
//! output. The script runs in a scratch copy of the folder, with `oms` on `PATH` and `ROOT` set to
//! the workspace. `OMS_CASE` selects the cases whose names contain its value. `OMS_UPDATE=1`
//! rewrites the expected output.

use std::process::Command;
use std::sync::Mutex;

use crate::harness::{Scratch, command, copy, root, setting};

#[test]
fn every_case_prints_the_expected_output() {
    let filter = setting("OMS_CASE").unwrap_or_default();
    let mut names: Vec<String> = std::fs::read_dir(root().join("tests/cases"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().unwrap().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .filter(|name| name.contains(&filter))
        .collect();
    names.sort_by(|a, b| b.cmp(a));
    assert!(!names.is_empty(), "no case name contains `{filter}`");
    let (queue, failed) = (Mutex::new(names), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let Some(name) = queue.lock().unwrap().pop() else { return };
                    match difference(&name) {
                        None => eprintln!("ok       {name}"),
                        Some(difference) => {
                            eprintln!("differs  {name}\n{difference}");
                            failed.lock().unwrap().push(name);
                        }
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "the output of these cases differs: {failed:?}");
}

/// Runs a case. If it fails, returns the expected and the actual output.
fn difference(name: &str) -> Option<String> {
    let folder = root().join("tests/cases").join(name);
    let scratch = Scratch::new();
    let work = scratch.path(name);
    copy(&folder, &work);
    let bin = scratch.path("bin");
    std::fs::create_dir(&bin).unwrap();
    let program = command().get_args().nth(2).unwrap().to_owned();
    std::os::unix::fs::symlink(&program, bin.join("oms")).unwrap();
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", bin.display());
    let output = Command::new("bash")
        .args(["-u", "run.sh"])
        .current_dir(&work)
        .env("PATH", path)
        .env("ROOT", root())
        .env("NO_COLOR", "1")
        .env_remove("CLICOLOR_FORCE")
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).replace(&*work.to_string_lossy(), ".");
    if setting("OMS_UPDATE").is_some() {
        std::fs::write(folder.join("expected"), &printed).unwrap();
        return None;
    }
    let expected = std::fs::read_to_string(folder.join("expected"));
    let as_expected = expected.as_ref().is_ok_and(|expected| *expected == printed);
    let as_expected = as_expected && output.status.success();
    let expected = expected.unwrap_or_else(|_| "(the file does not exist)\n".to_owned());
    (!as_expected).then(|| {
        format!(
            "--- expected\n{expected}--- printed ({})\n{printed}--- stderr\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        )
    })
}
