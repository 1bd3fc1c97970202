//! A newer C library beside the system's, for a program that needs one: no root, nothing installed.
//!
//! Debian 13's `libc6`, `libstdc++6` and `libgcc-s1`, fetched by an apt of our own ([`apt`]).

use std::fs;
use std::path::PathBuf;

use anyhow::Result;

use crate::apt;
use crate::cache;
use crate::proc::Workspace;

/// The suite whose libraries are new enough.
const SUITE: &str = "trixie";
const PACKAGES: [&str; 3] = ["libc6", "libstdc++6", "libgcc-s1"];

/// The folder with the loader and the libraries.
pub(crate) fn libraries(workspace: &Workspace) -> Result<PathBuf> {
    let home = cache::folder(workspace)?.join("apt");
    let root = home.join(SUITE);
    let libraries = root.join("usr/lib/x86_64-linux-gnu");
    if libraries.join("ld-linux-x86-64.so.2").is_file() {
        return Ok(libraries);
    }
    println!("fetching {} of Debian {SUITE}", PACKAGES.join(", "));
    let beside = cache::fresh(&home.join(format!("{SUITE}.partial")))?;
    apt::unpack(&home.join("state"), SUITE, &PACKAGES, &beside)?;
    fs::rename(&beside, &root)?;
    Ok(libraries)
}
