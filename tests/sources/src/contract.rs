//! What every source has to do, as code that waits: the story of [`tidegate_source::contract`].

use crate::PATIENCE;
use std::future::Future;
use std::time::Duration;
use tidegate_source::contract::{STORY, Step};
use tidegate_source::{ConfigSource, Document, SourceError, Why};
use tokio::time::timeout;

/// A system with a place for configs.
pub trait Fixture {
    /// What the system puts before the names of parts; none for a place of its own in each test.
    const PREFIX: &str;

    /// Parts come and go. Otherwise there is `a.yaml` alone, and steps about others are skipped.
    const MANY: bool;

    /// The name of a part without what the system puts before it.
    fn own_name(name: &str) -> Option<&str> {
        name.strip_prefix(Self::PREFIX)
    }

    /// A source that reads this place.
    fn source(&self) -> Box<dyn ConfigSource>;

    /// Writes a part, or removes it.
    fn write(&mut self, name: &str, content: Option<&str>);
}

/// The names and contents of a document, without what the system puts before the names.
///
/// # Panics
/// A name does not begin with that, or content is no text.
#[must_use]
pub fn parts<F: Fixture>(document: &Document) -> Vec<(String, String)> {
    let part = |part: &tidegate_source::Part| {
        let name = F::own_name(&part.name).expect("the name begins with the prefix");
        (name.to_owned(), String::from_utf8(part.text.clone()).expect("what was written is text"))
    };
    document.parts.iter().map(part).collect()
}

/// Waits, but not for ever.
///
/// # Panics
/// It takes longer than [`PATIENCE`].
pub async fn soon<T>(about: &str, what: impl Future<Output = T>) -> T {
    timeout(PATIENCE, what).await.unwrap_or_else(|_| panic!("{about}: nothing came"))
}

/// Waits until the source tells these parts. States in between and errors may come before.
///
/// # Panics
/// They do not come.
pub async fn told<F: Fixture>(source: &mut dyn ConfigSource, about: &str, expected: &[(&str, &str)]) {
    let expected: Vec<_> = expected.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    let mut last = None;
    let came = async {
        loop {
            let found = source.next().await;
            let found = found.map(|document| parts::<F>(&document)).map_err(|error| error.to_string());
            if found.as_ref() == Ok(&expected) {
                return;
            }
            if found.is_err() {
                // The caller of a source has to pause.
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            last = Some(found);
        }
    };
    let in_time = timeout(PATIENCE, came).await;
    assert!(in_time.is_ok(), "{about}: {expected:?} did not come; the last was {last:?}");
}

/// Plays the story.
///
/// # Panics
/// The source does not tell it.
pub async fn tells_the_story<F: Fixture>(fixture: &mut F) {
    let mut source = fixture.source();
    for step in steps::<F>() {
        write(fixture, step);
        told::<F>(&mut *source, step.about, step.told).await;
    }
}

/// Plays the story to a caller that asks and goes away, again and again.
///
/// # Panics
/// Something is lost by that.
pub async fn loses_nothing_if_dropped<F: Fixture>(fixture: &mut F) {
    let mut source = fixture.source();
    for step in steps::<F>() {
        write(fixture, step);
        let expected: Vec<_> = step.told.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        let came = async {
            for round in 0_u64.. {
                // Every time a little longer, so that it gets through on a machine of any speed.
                let asked = timeout(Duration::from_micros(100 * round), source.next()).await;
                if asked.is_ok_and(|found| found.is_ok_and(|document| parts::<F>(&document) == expected)) {
                    return;
                }
            }
        };
        soon(step.about, came).await;
    }
}

/// A state that was told is told again if it is asked for, and not otherwise.
///
/// # Panics
/// It is not, or it is.
pub async fn tells_again_when_asked<F: Fixture>(fixture: &mut F) {
    fixture.write("a.yaml", Some("one"));
    let mut source = fixture.source();
    let first = soon("the first state", source.next()).await;
    source.again();
    assert_eq!(soon("the same state", source.next()).await, first);
    fixture.write("a.yaml", Some("one"));
    fixture.write("a.yaml", Some("two"));
    told_next::<F>(&mut *source, "only what changed", &[("a.yaml", "two")]).await;
}

/// A place without a config says so, and tells the config when there is one.
///
/// # Panics
/// It does not.
pub async fn says_that_there_is_none<F: Fixture>(fixture: &mut F) -> SourceError {
    let mut source = fixture.source();
    let error = soon("that there is none", source.next()).await.expect_err("there is no config");
    assert!(error.why == Why::Absent, "{error:?}");
    fixture.write("a.yaml", Some("one"));
    told::<F>(&mut *source, "the first config", &[("a.yaml", "one")]).await;
    error
}

/// The very next state is this one.
async fn told_next<F: Fixture>(source: &mut dyn ConfigSource, about: &str, expected: &[(&str, &str)]) {
    let document = soon(about, source.next()).await.expect("a state");
    let found = parts::<F>(&document);
    let found: Vec<_> = found.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    assert_eq!(found, expected, "{about}");
}

fn steps<F: Fixture>() -> impl Iterator<Item = &'static Step> {
    STORY.iter().filter(|step| F::MANY || step.writes.iter().all(|write| matches!(write, ("a.yaml", Some(_)))))
}

fn write(fixture: &mut impl Fixture, step: &Step) {
    for (name, content) in step.writes {
        fixture.write(name, *content);
    }
}
