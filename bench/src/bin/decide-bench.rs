//! One row of decisions about limits of this process: `cargo xtask bench decide` times them in turns, and counts their
//! instructions.

use clap::{Parser, Subcommand};
use tidegate_bench::decide::{Row, Whose, bytes_per_key};

/// The allocator of the gateway.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Decides so many times, and prints the nanoseconds of a decision.
    Decide {
        /// What is decided about.
        #[arg(long)]
        row: Row,
        /// Whose limit.
        #[arg(long)]
        whose: Whose,
        /// How often, on each thread.
        #[arg(long)]
        times: u64,
    },
    /// Decides once about each of a million keys, and prints the bytes that are held for each of them.
    Bytes {
        /// Whose limit.
        #[arg(long)]
        whose: Whose,
        /// Keys are texts, not numbers.
        #[arg(long)]
        texts: bool,
    },
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().what {
        What::Decide { row, whose, times } => println!("{}", row.decide(whose, times)),
        What::Bytes { whose, texts } => println!("{}", bytes_per_key(whose, texts)?),
    }
    Ok(())
}
