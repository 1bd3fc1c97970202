//! What every source is tested against: a story of writes, and what has to be told after each.
//!
//! The story is data, because a core waits for nothing: the test of an adapter makes the writes with the
//! tools of its own system and asks [`ConfigSource::next`](crate::ConfigSource::next) in between.

/// A step of the story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// What the step is about, for the message of a test that fails.
    pub about: &'static str,
    /// Writes, in this order: the part's name, and its content; `None` removes it.
    pub writes: &'static [(&'static str, Option<&'static str>)],
    /// What `next` gives in the end, without the prefix that the system puts before names. States in
    /// between may come before it.
    pub told: &'static [(&'static str, &'static str)],
}

/// A config of several parts that changes. Sources of one part (a file) skip the steps that write another.
pub const STORY: &[Step] = &[
    Step { about: "the first state is told at once", writes: &[("a.yaml", Some("one"))], told: &[("a.yaml", "one")] },
    Step { about: "a change is told", writes: &[("a.yaml", Some("two"))], told: &[("a.yaml", "two")] },
    Step {
        about: "of several changes the last one is told",
        writes: &[("a.yaml", Some("three")), ("a.yaml", Some("four")), ("a.yaml", Some("five"))],
        told: &[("a.yaml", "five")],
    },
    Step {
        about: "what is written again is no change: the next thing told is another",
        writes: &[("a.yaml", Some("five")), ("a.yaml", Some("six"))],
        told: &[("a.yaml", "six")],
    },
    Step {
        about: "a second part joins in the order of names",
        writes: &[("B.yaml", Some("b"))],
        told: &[("B.yaml", "b"), ("a.yaml", "six")],
    },
    Step { about: "a part that is removed is gone", writes: &[("a.yaml", None)], told: &[("B.yaml", "b")] },
    Step {
        about: "characters of any language pass as they are",
        writes: &[("B.yaml", Some("grüße: \"端点\"\n"))],
        told: &[("B.yaml", "grüße: \"端点\"\n")],
    },
];
