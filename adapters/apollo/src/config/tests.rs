use super::{Config, Secret};

#[test]
fn neither_the_name_nor_the_debug_form_tells_the_secret() {
    let config = Config {
        servers: vec!["a:8080".into(), "b:8080".into()],
        discover: true,
        app: "gateway".into(),
        cluster: "default".into(),
        namespaces: vec!["tidegate.yaml".into(), "routes.yaml".into()],
        secret: Some(Secret("hush".into())),
        tls: None,
    };
    assert_eq!(config.name(), "apollo://a:8080,b:8080/gateway/tidegate.yaml,routes.yaml");
    assert!(!format!("{config:?}").contains("hush"), "{config:?}");
    let elsewhere = Config { cluster: "shanghai".into(), ..config };
    assert_eq!(elsewhere.name(), "apollo://a:8080,b:8080/gateway/tidegate.yaml,routes.yaml?cluster=shanghai");
}
