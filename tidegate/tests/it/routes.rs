//! `tidegate routes`.
use crate::{CONFIG, check, folder};

#[test]
fn routes_are_a_table() {
    let folder = folder(&[("tidegate.yaml", CONFIG)]);
    check(
        folder.path(),
        &["routes"],
        (
            0,
            r#"
METHOD  PATH            RPC               UPSTREAM
POST    /v1/say         demo.v1.Echo/Say  echo
GET     /v1/say/{text}  demo.v1.Echo/Say  echo
"#,
            "",
        ),
    );
}

#[test]
fn hosts_are_shown_where_routes_have_them() {
    let config = format!("{CONFIG}  - {{ service: demo.v1.Echo, host: \"*.example.com\", upstream: echo }}\n");
    check(
        folder(&[("tidegate.yaml", &config)]).path(),
        &["routes"],
        (
            0,
            r#"
METHOD  PATH            RPC               UPSTREAM  HOST
POST    /v1/say         demo.v1.Echo/Say  echo      *.example.com
GET     /v1/say/{text}  demo.v1.Echo/Say  echo      *.example.com
POST    /v1/say         demo.v1.Echo/Say  echo      *
GET     /v1/say/{text}  demo.v1.Echo/Say  echo      *
"#,
            "",
        ),
    );
}
