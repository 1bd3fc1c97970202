//! Server reflection, v1 and v1alpha: the shop tells its own schema, `google.api.http` rules included.

use std::collections::BTreeMap;

use tonic_reflection::server::Builder;

use super::Handler;

/// The shop's files and all that they import, as the generator of `src/generated` wrote them.
const DESCRIPTORS: &[u8] = include_bytes!("../generated/shop.v1.bin");

/// Adds both versions.
///
/// # Panics
/// If the descriptors that were compiled in are damaged.
pub(super) fn add(services: &mut BTreeMap<&'static str, Handler>) {
    let builder = || {
        Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    super::add(services, builder().build_v1().expect("a descriptor set"));
    super::add(services, builder().build_v1alpha().expect("a descriptor set"));
}
