//! What the documentation shows is what the program says: its configs load, and its errors are real.

use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tidegate_control::{Loaded, Report, Source};

/// A fenced block of a page.
#[derive(Debug)]
struct Block {
    /// `docs/config.md:17`
    place: String,
    /// What stands behind the opening fence: `yaml` is a whole config, `yaml wrong` one that is refused
    /// with the `text` that follows, `yaml rules` a file for `schema.http_rules`, `yaml descriptors` one for
    /// `rate_limit_service.config`.
    kind: String,
    text: String,
}

/// The blocks of a page of the repository, in their order.
fn blocks(page: &str) -> Vec<Block> {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "..", "..", page].iter().collect();
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{page}: {error}"));
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (number, line) in (1..).zip(text.lines()) {
        match (line.strip_prefix("```"), &mut open) {
            (Some(kind), None) => {
                open = Some(Block { place: format!("{page}:{number}"), kind: kind.to_owned(), text: String::new() });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some(block)) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    blocks
}

/// A folder with everything that the configs name.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::create_dir(folder.path().join("proto")).expect("create a folder");
    fs::write(folder.path().join("billing.pb"), "").expect("write a file");
    let rules = blocks("docs/config.md").into_iter().find(|block| block.kind == "yaml rules");
    let rules = rules.expect("docs/config.md shows a file of rules");
    fs::write(folder.path().join("rules.yaml"), rules.text).expect("write a file");
    let rules = blocks("docs/mesh.md").into_iter().find(|block| block.kind == "yaml descriptors");
    let rules = rules.expect("docs/mesh.md shows rules of limits");
    fs::create_dir(folder.path().join("ratelimit")).expect("create a folder");
    fs::write(folder.path().join("ratelimit/edge.yaml"), rules.text).expect("write a file");
    folder
}

fn parse(folder: &Path, text: &str) -> Result<Loaded, Report> {
    let environment = |name: &str| (name == "TIDEGATE_ADMIN_TOKEN").then(|| "secret".to_owned());
    tidegate_control::parse(Source::new("tidegate.yaml", text), folder, &environment)
}

#[test]
fn every_config_that_is_shown_loads_without_a_warning() {
    let folder = folder();
    for (page, at_least) in [
        ("README.md", 1),
        ("docs/canary.md", 1),
        ("docs/routing.md", 1),
        ("docs/config.md", 3),
        ("docs/proxying.md", 1),
        ("docs/headers.md", 2),
        ("docs/stores.md", 1),
        ("docs/mesh.md", 2),
    ] {
        let configs: Vec<Block> = blocks(page).into_iter().filter(|block| block.kind == "yaml").collect();
        assert!(configs.len() >= at_least, "{page} shows {} configs", configs.len());
        for config in configs {
            let report = match parse(folder.path(), &config.text) {
                Ok(loaded) => loaded.warnings.to_string(),
                Err(report) => report.to_string(),
            };
            assert_eq!(report, "", "the config at {}", config.place);
        }
    }
}

#[test]
fn the_rules_that_are_shown_override_three_methods() {
    let folder = folder();
    let config = blocks("docs/config.md").into_iter().filter(|block| block.kind == "yaml");
    let config = config.max_by_key(|block| block.text.len()).expect("docs/config.md shows configs");
    let loaded = parse(folder.path(), &config.text).unwrap_or_else(|report| panic!("{report}"));
    let files = loaded.config.upstreams.iter().flat_map(|upstream| &upstream.schema.http_rules);
    let selectors: Vec<&str> = files.flat_map(|(_, rules)| rules).map(|rule| rule.selector.as_str()).collect();
    assert_eq!(selectors, ["shop.v1.Orders.GetOrder", "shop.v1.Orders.SetOrderLabels", "shop.v1.Orders.CancelOrder"]);
}

#[test]
fn errors_are_shown_as_they_are() {
    let folder = folder();
    let blocks = blocks("docs/config.md");
    let wrong: Vec<_> = blocks.windows(2).filter(|pair| pair[0].kind == "yaml wrong").collect();
    assert_eq!(wrong.len(), 1, "configs that are wrong");
    for pair in wrong {
        let report = match parse(folder.path(), &pair[0].text) {
            Ok(_) => panic!("the config at {} was taken", pair[0].place),
            Err(report) => report.to_string(),
        };
        assert_eq!(report.trim_end(), pair[1].text.trim_end(), "the report at {}", pair[1].place);
    }
}
