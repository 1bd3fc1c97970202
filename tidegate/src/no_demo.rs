//! `tidegate demo` in a build without the feature `demo`.

use crate::exit::Exit;
use std::sync::Arc;
use tidegate_control::admin::LogLevel;

/// The command is not shown in the help.
pub(crate) const HIDDEN: bool = true;

/// None.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {}

/// Says that there is no demo.
pub(crate) fn run(_: &Arguments, _: Arc<dyn LogLevel>) -> Exit {
    eprintln!("error: this build has no demo; build with the feature `demo`");
    Exit::Usage
}
