//! `cargo run -p tidegate-shop --features codegen --bin shop-codegen [-- --check]`: renews `src/generated`, or with
//! `--check` fails if that would change it.

use std::{env, fs, io, path::Path, process};

use tidegate_shop::codegen;

fn main() -> io::Result<()> {
    let shop = Path::new(env!("CARGO_MANIFEST_DIR"));
    let bundle = shop.join("../../adapters/schema/proto");
    let checked_in = shop.join("src/generated");
    match env::args().nth(1).as_deref() {
        None => codegen::generate(shop, &bundle, &checked_in),
        Some("--check") => {
            let fresh = env::temp_dir().join(format!("shop-codegen-{}", process::id()));
            let compared =
                codegen::generate(shop, &bundle, &fresh).and_then(|()| codegen::difference(&fresh, &checked_in));
            fs::remove_dir_all(&fresh)?;
            match compared? {
                None => Ok(()),
                Some(file) => Err(io::Error::other(format!("src/generated/{file} is out of date"))),
            }
        }
        Some(other) => Err(io::Error::other(format!("unknown argument {other:?}"))),
    }
}
