//! The `google/api` and `google/rpc` files that come with the gateway.

use protox::file::{File, FileResolver};

/// Import path and text. `google/protobuf` comes with the compiler.
pub(crate) const FILES: &[(&str, &str)] = &[
    ("google/api/annotations.proto", include_str!("../proto/google/api/annotations.proto")),
    ("google/api/client.proto", include_str!("../proto/google/api/client.proto")),
    ("google/api/field_behavior.proto", include_str!("../proto/google/api/field_behavior.proto")),
    ("google/api/field_info.proto", include_str!("../proto/google/api/field_info.proto")),
    ("google/api/http.proto", include_str!("../proto/google/api/http.proto")),
    ("google/api/httpbody.proto", include_str!("../proto/google/api/httpbody.proto")),
    ("google/api/launch_stage.proto", include_str!("../proto/google/api/launch_stage.proto")),
    ("google/api/resource.proto", include_str!("../proto/google/api/resource.proto")),
    ("google/api/routing.proto", include_str!("../proto/google/api/routing.proto")),
    ("google/api/visibility.proto", include_str!("../proto/google/api/visibility.proto")),
    ("google/rpc/code.proto", include_str!("../proto/google/rpc/code.proto")),
    ("google/rpc/error_details.proto", include_str!("../proto/google/rpc/error_details.proto")),
    ("google/rpc/status.proto", include_str!("../proto/google/rpc/status.proto")),
];

/// The `google/protobuf` files that the compiler brings.
pub(crate) const OF_PROTOBUF: &[&str] = &[
    "google/protobuf/any.proto",
    "google/protobuf/api.proto",
    "google/protobuf/compiler/plugin.proto",
    "google/protobuf/descriptor.proto",
    "google/protobuf/duration.proto",
    "google/protobuf/empty.proto",
    "google/protobuf/field_mask.proto",
    "google/protobuf/source_context.proto",
    "google/protobuf/struct.proto",
    "google/protobuf/timestamp.proto",
    "google/protobuf/type.proto",
    "google/protobuf/wrappers.proto",
];

/// Those that every schema has, imported or not: what replies of the gateway's own are made of.
pub(crate) const ALWAYS: &[&str] = &[
    "google/rpc/status.proto",
    "google/rpc/error_details.proto",
    "google/rpc/code.proto",
    "google/api/annotations.proto",
    "google/api/httpbody.proto",
];

/// Resolves imports of bundled files.
pub(crate) struct Resolver;

impl FileResolver for Resolver {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        match FILES.iter().find(|(path, _)| *path == name) {
            Some((_, text)) => File::from_source(name, text),
            None => Err(protox::Error::file_not_found(name)),
        }
    }
}
