//! The inner service of a layer, for a call that outlives the borrow.

/// The one that was said to be ready is the one that is called; what stays behind has to be asked again.
pub(crate) fn take_ready<S: Clone>(inner: &mut S) -> S {
    let next = inner.clone();
    std::mem::replace(inner, next)
}
