//! Which traces are kept.
//!
//! Of a caller that is trusted its own decision holds, so that a trace is whole or not there. For all
//! others a share of the traces is drawn. What is not kept by either is kept all the same if it ends in
//! an error, if the sampler is [told so](Sampler::errors): then the spans of the gateway alone, because those that it
//! called were told meanwhile that the trace is not kept.

/// The most that a share can be.
const WHOLE: f64 = 18_446_744_073_709_551_616.0;

/// Decides which traces are kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampler {
    /// Random bits below this are kept.
    below: Below,
    /// Whether what ends in an error is kept.
    pub errors: bool,
}

/// A share of 2⁶⁴.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Below {
    Of(u64),
    All,
}

/// What the caller of a request says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// It has no trace.
    None,
    /// It has one, and may say so: whether it keeps it.
    Trusted(bool),
    /// It has one, but whether it is kept is not for it to say.
    Untrusted,
}

impl Sampler {
    /// Keeps `share` of the traces, from 0 to 1; what is beyond counts as the end it is beyond.
    #[must_use]
    pub fn new(share: f64, errors: bool) -> Self {
        let below = if share >= 1.0 { Below::All } else { Below::Of((share.max(0.0) * WHOLE) as u64) };
        Self { below, errors }
    }

    /// Whether the trace of a request is kept; `random` are 64 random bits.
    ///
    /// They are not those of the trace id: an untrusted caller chooses that one.
    #[must_use]
    pub fn keeps(&self, caller: Caller, random: u64) -> bool {
        match (caller, self.below) {
            (Caller::Trusted(keeps), _) => keeps,
            (_, Below::All) => true,
            (_, Below::Of(below)) => random < below,
        }
    }
}
