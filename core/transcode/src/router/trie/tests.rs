//! How much of a tree a search visits.

use super::{Search, Trie};
use crate::template::Template;
use http::Method;

fn trie(templates: impl IntoIterator<Item = String>) -> Trie {
    let mut trie = Trie::default();
    for (index, template) in templates.into_iter().enumerate() {
        let template = Template::parse(&template).expect("the template is well-formed");
        assert_eq!(trie.insert(&template.segments, Some(&Method::GET), index), Ok(()));
    }
    trie
}

/// Nodes visited in vain for a path that every template refuses by its method.
fn visits(trie: &Trie, path: &str) -> usize {
    let mut search = Search::new(&Method::POST, false);
    assert_eq!(trie.find(Some(path), &mut search), None);
    search.visits
}

#[test]
fn backtracking_visits_each_node_at_most_once() {
    // Every way to write ten segments as `a` or `*`: 2¹¹ - 1 nodes, all of which match.
    let all = |n: u32| (0..10).map(move |bit| if n >> bit & 1 == 0 { "/a" } else { "/*" }).collect::<String>();
    let trie = trie((0..1024).map(all));
    assert_eq!(trie.nodes.len(), 2047);
    assert_eq!(visits(&trie, "a/a/a/a/a/a/a/a/a/a"), 2047);
    assert_eq!(visits(&trie, "a/a/a/a/a/a/a/a/a/a/a"), 2047);
    assert_eq!(visits(&trie, "b/b/b/b/b/b/b/b/b/b"), 11);
}

#[test]
fn a_long_path_is_walked_no_deeper_than_the_templates() {
    let trie = trie(["/*/*/*".into(), "/**".into(), "/a/**".into(), "/*/*/**".into()]);
    assert_eq!(visits(&trie, &"a/".repeat(65536)), 5);
    assert_eq!(visits(&trie, &"/".repeat(65536)), 1);
}
