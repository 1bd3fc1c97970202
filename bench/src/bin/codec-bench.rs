//! One piece of the codec's work, so many times: `cargo xtask bench codec` counts its instructions.

use std::hint::black_box;

use clap::Parser;
use tidegate_bench::codec::{Case, Shape, Work};

#[derive(Debug, Parser)]
struct Cli {
    /// The message.
    #[arg(long)]
    shape: Shape,
    /// What is done to it.
    #[arg(long)]
    work: Work,
    /// How often.
    #[arg(long)]
    times: u32,
}

fn main() {
    let cli = Cli::parse();
    let case = Case::new(cli.shape);
    let mut out = Vec::new();
    for _ in 0..cli.times {
        black_box(&case).work(cli.work, &mut out);
        black_box(&out);
    }
    // The length that figures are given for: the JSON's, whichever way.
    println!("{}", case.json.len());
}
