//! The two gateways' config files, saying the same.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::cache;
use crate::proc::{self, Workspace};
use crate::subject::Subject;

/// Compiles the bench's service, with its imports, for both.
pub(crate) fn descriptors(workspace: &Workspace, folder: &Path) -> Result<PathBuf> {
    let package = cache::pypi(workspace, cache::PROTOC)?;
    let set = folder.join("items.pb");
    proc::output(
        Command::new(cache::program(&package, "protoc/_bin/protoc")?)
            .arg("--include_imports")
            .arg("-I")
            .arg(workspace.root.join("bench/proto"))
            .arg("-I")
            .arg(workspace.root.join("adapters/schema/proto"))
            .arg("-I")
            .arg(package.join("protoc/include"))
            .arg("-o")
            .arg(&set)
            .arg("tidegate/bench/v1/items.proto"),
    )?;
    Ok(set)
}

/// Ours: everything that is not named is at its default.
pub(super) fn ours(address: &str, upstream: &str, descriptors: &Path) -> String {
    let descriptors = descriptors.display();
    format!(
        "workers: 1
listeners:
  - bind: {address}
upstreams:
  items:
    endpoints: [{upstream}]
    schema: {{ descriptor_set: {descriptors} }}
routes:
  - {{ service: tidegate.bench.v1.Items, upstream: items }}
telemetry:
  access_log: off
"
    )
}

/// The same with what decides where a request goes, and what its headers are called.
pub(super) fn ours_with_traffic(address: &str, upstream: &str, descriptors: &Path) -> String {
    let descriptors = descriptors.display();
    format!(
        r#"workers: 1
listeners:
  - bind: {address}
    identity_headers: [x-account]
upstreams:
  items:
    endpoints: [{upstream}]
    schema: {{ descriptor_set: {descriptors} }}
  items-next:
    endpoints: [{upstream}]
    schema: {{ like: items }}
  web:
    endpoints: [{upstream}]
routes:
  - service: tidegate.bench.v1.Items
    upstream: items
    canary:
      - {{ to: items-next, hash: {{ header: x-user-id, below: 10% }} }}
  - {{ path: /plain/*, upstream: web }}
metadata:
  map: {{ x-request-id: request-id, x-env: env, x-user-id: user_id }}
  set: {{ canary: "%CANARY%", edge: tidegate }}
telemetry:
  access_log: off
"#
    )
}

/// Envoy's.
#[derive(Debug)]
pub(crate) struct Envoy<'a> {
    /// The descriptor set; without one it routes and translates nothing.
    pub descriptors: Option<&'a Path>,
    /// The upstream's addresses.
    pub endpoints: &'a [&'a str],
    /// How calls are spread over them, in Envoy's word.
    pub balance: &'a str,
}

impl Envoy<'_> {
    /// Starts this program with it, on one worker, its config in this file.
    pub(crate) fn start(&self, name: &'static str, program: &Path, file: &Path) -> Result<Subject> {
        Subject::on_free_port(name, |address| {
            std::fs::write(file, self.text(address))?;
            let mut command = Command::new(program);
            command.args(["--concurrency", "1", "--disable-hot-restart", "--log-level", "error", "-c"]).arg(file);
            Ok(command)
        })
    }

    /// The static bootstrap. The print options are spelled out although they are the defaults,
    /// since the comparison stands on them.
    fn text(&self, address: &str) -> String {
        let transcoder = self.descriptors.map(transcoder).unwrap_or_default();
        let (host, port) = split(address);
        let Self { balance, .. } = self;
        let endpoints: String = self.endpoints.iter().copied().map(endpoint).collect();
        format!(
            r#"static_resources:
  listeners:
  - name: front
    address: {{ socket_address: {{ address: {host}, port_value: {port} }} }}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: front
          codec_type: AUTO
          use_remote_address: true
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match: {{ prefix: /plain/ }}
                route: {{ cluster: web, timeout: 15s }}
              - match: {{ prefix: / }}
                route: {{ cluster: items, timeout: 15s }}
          http_filters:
{transcoder}          - name: envoy.filters.http.router
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
  clusters:
  - name: items
    type: STATIC
    lb_policy: {balance}
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: {{ http2_protocol_options: {{}} }}
    load_assignment:
      cluster_name: items
      endpoints:
      - lb_endpoints:
{endpoints}  - name: web
    type: STATIC
    load_assignment:
      cluster_name: web
      endpoints:
      - lb_endpoints:
{endpoints}"#
        )
    }
}

fn endpoint(address: &str) -> String {
    let (host, port) = split(address);
    format!(
        "        - endpoint:
            address: {{ socket_address: {{ address: {host}, port_value: {port} }} }}
"
    )
}

fn transcoder(descriptors: &Path) -> String {
    let descriptors = descriptors.display();
    format!(
        r#"          - name: envoy.filters.http.grpc_json_transcoder
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder
              proto_descriptor: {descriptors}
              services: [tidegate.bench.v1.Items]
              convert_grpc_status: true
              print_options:
                add_whitespace: false
                always_print_primitive_fields: false
                always_print_enums_as_ints: false
                preserve_proto_field_names: false
"#
    )
}

fn split(address: &str) -> (&str, &str) {
    address.rsplit_once(':').unwrap_or((address, "0"))
}
