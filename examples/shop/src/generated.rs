//! Code generated from `proto/` and the bundled `google/rpc`; checked in. `cargo xtask gen` renews it.

/// Package `google`.
pub mod google {
    /// Package `google.rpc`: what errors carry.
    #[expect(rustdoc::invalid_html_tags, reason = "the published comments write <placeholders>")]
    pub mod rpc {
        include!("generated/google.rpc.rs");
    }
}

/// Package `shop`.
pub mod shop {
    /// Package `shop.v1`: the shop's API, clients and servers.
    #[expect(
        unused_qualifications,
        clippy::allow_attributes,
        clippy::allow_attributes_without_reason,
        clippy::too_many_lines,
        reason = "written by tonic-prost-build"
    )]
    pub mod v1 {
        include!("generated/shop.v1.rs");
    }
}
