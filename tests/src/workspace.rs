//! The workspace as cargo describes it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The folder of the root `Cargo.toml`.
#[must_use]
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("tests/ stands in the root").to_path_buf()
}

/// A crate of the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// `tidegate-protojson`
    pub name: String,
    /// Its folder from the root, with `/`.
    pub folder: String,
    /// Names of the packages that it uses itself, without those for its tests or build script.
    pub uses: BTreeSet<String>,
    /// Names of all packages that come with it, directly or not, without those for tests.
    pub brings: BTreeSet<String>,
    /// The root files of its library and programs, from the workspace's root.
    pub roots: Vec<String>,
}

/// All crates of the workspace, by `cargo metadata`.
///
/// # Panics
/// Cargo cannot be run, or describes the workspace in a form that is not its documented one.
#[must_use]
pub fn members() -> Vec<Member> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .current_dir(root())
        .args(["metadata", "--format-version", "1", "--filter-platform"])
        .arg(host())
        .output()
        .expect("cargo runs");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo metadata: {complaint}");
    let metadata = serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON");
    read(&metadata)
}

fn host() -> String {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("-vV").output().expect("rustc runs");
    let text = String::from_utf8(output.stdout).expect("rustc prints text");
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.expect("rustc -vV names the host").to_owned()
}

fn read(metadata: &Value) -> Vec<Member> {
    let root = text(&metadata["workspace_root"]);
    let packages: BTreeMap<&str, &Value> =
        list(&metadata["packages"]).map(|package| (text(&package["id"]), package)).collect();
    let edges: BTreeMap<&str, Vec<&str>> =
        list(&metadata["resolve"]["nodes"]).map(|node| (text(&node["id"]), edges(node))).collect();
    let name = |id: &str| text(&packages[id]["name"]).to_owned();
    list(&metadata["workspace_members"])
        .map(|id| {
            let id = text(id);
            let package = packages[id];
            let manifest = Path::new(text(&package["manifest_path"]));
            let folder = manifest.parent().expect("a manifest stands in a folder");
            let relative = |path: &Path| {
                let path = path.strip_prefix(root).expect("members are below the root");
                path.to_str().expect("paths here are text").to_owned()
            };
            Member {
                name: name(id),
                folder: relative(folder),
                uses: edges[id].iter().map(|id| name(id)).collect(),
                brings: reached(id, &edges).into_iter().map(name).collect(),
                roots: list(&package["targets"])
                    .filter(|target| list(&target["kind"]).any(|kind| matches!(text(kind), "lib" | "bin")))
                    .map(|target| relative(Path::new(text(&target["src_path"]))))
                    .collect(),
            }
        })
        .collect()
}

/// Packages that a node needs to run: those with a normal (`null`) kind.
fn edges(node: &Value) -> Vec<&str> {
    list(&node["deps"])
        .filter(|dep| list(&dep["dep_kinds"]).any(|kind| kind["kind"].is_null()))
        .map(|dep| text(&dep["pkg"]))
        .collect()
}

fn reached<'a>(from: &'a str, edges: &BTreeMap<&'a str, Vec<&'a str>>) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut open = edges[from].clone();
    while let Some(id) = open.pop() {
        if reached.insert(id) {
            open.extend(&edges[id]);
        }
    }
    reached
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().expect("cargo metadata has text here")
}
