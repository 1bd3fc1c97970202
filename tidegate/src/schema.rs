//! `tidegate schema`.

mod list;
mod print;

use crate::exit::{self, Exit};
use crate::follow;
use crate::load::{self, Failure};
use clap::{Args, ValueEnum};
use list::Shown;
use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use tidegate_control::Diagnostic;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The config file. Paths in it are relative to its folder.
    #[arg(short, long, value_name = "FILE", default_value = "tidegate.yaml")]
    config: PathBuf,

    /// Only the schema of this upstream.
    #[arg(long, value_name = "NAME", conflicts_with = "from")]
    upstream: Option<String>,

    /// Ask this server by reflection; no config is read.
    #[arg(long, value_name = "grpc://HOST:PORT", value_parser = list::server)]
    from: Option<tidegate_upstream::Endpoint>,

    /// Write to this file. Without `--format` that is a descriptor set, as `schema: { descriptor_set: … }`
    /// reads it.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// What to write. [default: summary; descriptor with --output]
    #[arg(long, value_enum)]
    format: Option<Format>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Services with their methods and http rules, then files, for people.
    Summary,
    /// The names of the .proto files, one a line.
    ProtoList,
    /// The same as the summary, for programs.
    Json,
    /// A serialized google.protobuf.FileDescriptorSet.
    Descriptor,
}

/// Prints or writes what the gateway would use.
pub(crate) fn schema(arguments: &Arguments) -> Exit {
    match show(arguments) {
        Ok(exit) => exit,
        Err(failure) => failure.tell(),
    }
}

fn show(arguments: &Arguments) -> Result<Exit, Failure> {
    let shown = match &arguments.from {
        Some(server) => vec![list::of_server(server)?],
        None => of_config(arguments)?,
    };
    let default = if arguments.output.is_some() { Format::Descriptor } else { Format::Summary };
    let bytes = match arguments.format.unwrap_or(default) {
        Format::Summary => print::summary(&shown).into_bytes(),
        Format::ProtoList => print::files(&shown).into_bytes(),
        Format::Json => print::json(&shown).into_bytes(),
        Format::Descriptor => descriptor_set(arguments, &shown)?,
    };
    let Some(path) = &arguments.output else {
        return Ok(exit::print_bytes(&bytes));
    };
    let written = std::fs::File::create(path).and_then(|mut file| file.write_all(&bytes));
    written
        .map_err(|error| Failure::runtime(Diagnostic::error(format!("cannot write `{}`: {error}", path.display()))))?;
    Ok(Exit::Success)
}

/// The schemas of a config, or of one of its upstreams.
fn of_config(arguments: &Arguments) -> Result<Vec<Shown>, Failure> {
    let sources = load::sources(&arguments.config)?;
    let told = follow::ask_all(&sources)?;
    let mut shown = list::of_config(&sources, &told)?;
    if let Some(name) = &arguments.upstream {
        let known: Vec<String> = shown.iter().map(|shown| format!("`{}`", shown.upstream)).collect();
        shown.retain(|shown| shown.upstream == *name);
        if shown.is_empty() {
            let message = format!("no upstream `{name}` with a schema");
            let help = format!("`{}` has {}", arguments.config.display(), known.join(", "));
            return Err(usage(Diagnostic::error(message).help(help)));
        }
    }
    Ok(shown)
}

fn descriptor_set(arguments: &Arguments, shown: &[Shown]) -> Result<Vec<u8>, Failure> {
    let [one] = shown else {
        let names: Vec<String> = shown.iter().map(|shown| format!("`{}`", shown.upstream)).collect();
        let diagnostic = Diagnostic::error("a descriptor set is that of one upstream");
        return Err(usage(diagnostic.help(format!("name it with `--upstream`: there is {}", names.join(", ")))));
    };
    if arguments.output.is_none() && std::io::stdout().is_terminal() {
        let diagnostic = Diagnostic::error("a descriptor set is not for a terminal");
        return Err(usage(diagnostic.help("write it to a file: `-o schema.pb`")));
    }
    Ok(one.schema.descriptor_set().to_vec())
}

fn usage(diagnostic: Diagnostic) -> Failure {
    Failure { exit: Exit::Usage, ..Failure::runtime(diagnostic) }
}
