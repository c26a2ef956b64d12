//! Runs scripts under `tests/` in Node with the packages of `tests/package.json`.

use std::process::{Command, Output, Stdio};

/// Runs a script and returns its output; the packages must be installed.
pub(crate) fn script(name: &str, arguments: &[&str]) -> Output {
    let folder = super::project().join("tests");
    assert!(
        folder.join("node_modules").is_dir(),
        "the packages of tests/package.json are missing; scripts/install-test-tools installs them"
    );
    Command::new("node")
        .current_dir(folder)
        .arg(name)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("node: {error}; install Node.js 20 or newer"))
}

/// Runs a script, which must succeed.
pub(crate) fn script_well(name: &str, arguments: &[&str]) -> String {
    let output = script(name, arguments);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{name}: {printed}{}", String::from_utf8_lossy(&output.stderr));
    printed
}
