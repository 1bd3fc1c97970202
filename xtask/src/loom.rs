//! `cargo xtask loom`: every order of a few threads' steps, over the state that threads share.

use anyhow::Result;

use crate::proc::{self, Workspace};

/// The cores that have such state.
const CORES: [&str; 2] = ["tidegate-limit", "tidegate-traffic"];

/// Runs the tests of that name under loom. What it compiles has a folder of its own: the flag is one for all crates, and
/// would have everything else compiled anew.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let mut flags = std::env::var_os("RUSTFLAGS").unwrap_or_default();
    flags.push(" --cfg tidegate_loom");
    let mut command = workspace.cargo(["test", "--lib"]);
    command.args(CORES.iter().flat_map(|core| ["-p", core])).arg("loom");
    command.env("RUSTFLAGS", flags).env("CARGO_TARGET_DIR", workspace.root.join("target/loom"));
    proc::run(&mut command)
}
