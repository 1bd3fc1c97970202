//! `cargo run -p tidegate-shop --release --bin shop-keyset -- [ORDERS] [FOLDER]`: what a page of the order listing
//! costs, first and ten thousandth, and whether a reader among moving orders sees each once.
//!
//! ORDERS is 10 000 000 unless given and needs about 250 bytes of disk each; the database is made in FOLDER (the
//! system's folder for temporary files unless given) and removed at the end.

use std::{env, fs, io, path::PathBuf, process};

fn main() -> io::Result<()> {
    let mut args = env::args_os().skip(1);
    let orders = match args.next().map(|arg| arg.to_string_lossy().parse::<u64>()) {
        None => 10_000_000,
        Some(Ok(orders)) => orders,
        Some(Err(error)) => return Err(io::Error::other(format!("ORDERS: {error}"))),
    };
    let folder = args.next().map_or_else(env::temp_dir, PathBuf::from);
    let folder = folder.join(format!("tidegate-keyset-{}", process::id()));
    fs::create_dir_all(&folder)?;
    let pages = (orders / 4).clamp(1, 10_000);
    let marks: Vec<u64> = [1, 2, 10, 100, 1_000, 9_999, 10_000].into_iter().filter(|mark| *mark <= pages).collect();
    let report = tidegate_shop::keyset::measure(&folder.join("shop.db"), orders, pages, &marks);
    fs::remove_dir_all(&folder)?;
    print!("{}", report?);
    Ok(())
}
