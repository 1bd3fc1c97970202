//! Regenerates `src/generated` from the `.proto` files. A developer's tool: built with feature `codegen` only.

use std::{fs, io, path::Path};

use protox::Compiler;

use crate::protos;

/// Writes the Rust code for the shop's `.proto` files into the folder `out`, which is made if need be.
///
/// `shop` is the folder of this package, `bundle` the one that holds `google/api` and `google/rpc`. What is written
/// depends on the inputs alone.
///
/// # Errors
/// A `.proto` file that does not compile, or a folder that cannot be written; the message names it.
pub fn generate(shop: &Path, bundle: &Path, out: &Path) -> io::Result<()> {
    let mut compiler = Compiler::new([shop.join("proto").as_path(), bundle]).map_err(io::Error::other)?;
    compiler.include_imports(true).include_source_info(true);
    for (path, _) in protos::PROTO_FILES {
        compiler.open_file(path).map_err(io::Error::other)?;
    }
    // Not imported by a service, but what its errors carry.
    for path in ["google/rpc/status.proto", "google/rpc/error_details.proto"] {
        compiler.open_file(path).map_err(io::Error::other)?;
    }
    let mut set = compiler.file_descriptor_set();
    // Only options refer to google.api, and options leave no trace in the code.
    set.file.retain(|file| file.package() != "google.api");

    fs::create_dir_all(out)?;
    fs::write(out.join("shop.v1.bin"), descriptors(shop, bundle)?)?;
    tonic_prost_build::configure().out_dir(out).compile_fds(set).map_err(io::Error::other)
}

/// What server reflection serves: the shop's files and all that they import, with their options, without comments.
fn descriptors(shop: &Path, bundle: &Path) -> io::Result<Vec<u8>> {
    let mut compiler = Compiler::new([shop.join("proto").as_path(), bundle]).map_err(io::Error::other)?;
    compiler.include_imports(true).include_source_info(false);
    for (path, _) in protos::PROTO_FILES {
        compiler.open_file(path).map_err(io::Error::other)?;
    }
    Ok(compiler.encode_file_descriptor_set())
}

/// The first file that differs between two folders of generated code, if any does.
///
/// # Errors
/// A folder or file that cannot be read.
pub fn difference(left: &Path, right: &Path) -> io::Result<Option<String>> {
    let (left_names, right_names) = (names(left)?, names(right)?);
    for name in left_names.iter().chain(&right_names) {
        let in_both = left_names.contains(name) && right_names.contains(name);
        if !in_both || fs::read(left.join(name))? != fs::read(right.join(name))? {
            return Ok(Some(name.clone()));
        }
    }
    Ok(None)
}

fn names(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}
