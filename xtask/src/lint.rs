//! `cargo xtask lint`: what must be clean before a change is looked at.

use anyhow::Result;

use crate::proc::Workspace;
use crate::steps::Steps;

/// Formatting, clippy and rustdoc over the whole workspace, warnings as errors.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let mut steps = Steps::default();
    steps.command("formatting", &mut workspace.cargo(["fmt", "--all", "--check"]));
    steps.command(
        "clippy",
        &mut workspace.cargo(["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"]),
    );
    steps.command(
        "rustdoc",
        workspace.cargo(["doc", "--workspace", "--no-deps", "--quiet"]).env("RUSTDOCFLAGS", "-D warnings"),
    );
    steps.finish()
}
