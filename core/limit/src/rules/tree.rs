//! Nested descriptors: lists of keys and values, matched from the first to the last.
//!
//! Follows envoyproxy/ratelimit: at each level an exact value goes before patterns, patterns go in the order of the
//! config, and a key without a value comes last; the list must end where the limit stands. What a level chose is not
//! taken back.

/// What a level says about a value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Value {
    /// Any value.
    Any,
    /// This value, or, with `*` anywhere in it, all that fit the pattern.
    Pattern(String),
}

/// Two entries that no list could tell apart.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the same keys and values are there twice")]
pub struct TreeError;

/// Something for lists of keys and values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree<T> {
    levels: Vec<Level<T>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Level<T> {
    key: String,
    value: Value,
    here: Option<T>,
    below: Tree<T>,
}

impl<T> Default for Tree<T> {
    fn default() -> Self {
        Self { levels: Vec::new() }
    }
}

impl<T> Tree<T> {
    /// Nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.levels.is_empty()
    }

    /// Puts something where a path of keys and values leads.
    ///
    /// # Errors
    /// Something is there.
    pub fn insert(&mut self, path: &[(String, Value)], item: T) -> Result<(), TreeError> {
        let Some(((key, value), rest)) = path.split_first() else { return Err(TreeError) };
        let same = |level: &Level<T>| level.key == *key && level.value == *value;
        let index = self.levels.iter().position(same).unwrap_or_else(|| {
            let (key, value) = (key.clone(), value.clone());
            self.levels.push(Level { key, value, here: None, below: Self::default() });
            self.levels.len() - 1
        });
        let level = &mut self.levels[index];
        if !rest.is_empty() {
            return level.below.insert(rest, item);
        }
        if level.here.is_some() {
            return Err(TreeError);
        }
        level.here = Some(item);
        Ok(())
    }

    /// What is there for a list of keys and values.
    #[must_use]
    pub fn find(&self, entries: &[(String, String)]) -> Option<&T> {
        let ((key, value), rest) = entries.split_first()?;
        let level = self.choose(key, value)?;
        if rest.is_empty() { level.here.as_ref() } else { level.below.find(rest) }
    }

    fn choose(&self, key: &str, value: &str) -> Option<&Level<T>> {
        let with = |fits: fn(&Value, &str) -> bool| {
            self.levels.iter().find(|level| level.key == key && fits(&level.value, value))
        };
        with(|pattern, value| matches!(pattern, Value::Pattern(exact) if !exact.contains('*') && exact == value))
            .or_else(|| {
                with(
                    |pattern, value| matches!(pattern, Value::Pattern(star) if star.contains('*') && fits(star, value)),
                )
            })
            .or_else(|| with(|pattern, _| *pattern == Value::Any))
    }
}

/// Whether `value` fits `pattern`, in which a star stands for anything. Linear in the value for each star.
fn fits(pattern: &str, value: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == value };
    let Some(mut left) = value.strip_prefix(first) else { return false };
    let mut pieces: Vec<&str> = rest.split('*').collect();
    let last = pieces.pop().unwrap_or_default();
    for piece in pieces {
        let Some(at) = left.find(piece) else { return false };
        left = &left[at + piece.len()..];
    }
    left.ends_with(last)
}
