use super::Place;

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn etcd(endpoints: &[&str], key: &str) -> Result<Place, String> {
    let (endpoints, key) = (strings(endpoints), key.to_owned());
    Ok(Place::Etcd(tidegate_etcd::Config { endpoints, key, credentials: None, tls: None }))
}

#[test]
fn a_place_in_etcd_is_read() {
    for (text, expected) in [
        ("etcd://127.0.0.1:2379/tidegate/", etcd(&["127.0.0.1:2379"], "/tidegate/")),
        ("etcd://a,b:1,[::1],[::1]:2/x", etcd(&["a:2379", "b:1", "[::1]:2379", "[::1]:2"], "/x")),
        ("etcd://a/the%20key", etcd(&["a:2379"], "/the key")),
    ] {
        assert_eq!(text.parse::<Place>(), expected, "{text}");
    }
}

#[test]
fn a_place_in_apollo_is_read() {
    let config = tidegate_apollo::Config {
        servers: strings(&["meta:8080", "other:81"]),
        discover: true,
        app: "gateway".into(),
        cluster: "default".into(),
        namespaces: strings(&["tidegate.yaml", "routes.yml"]),
        secret: None,
        tls: None,
    };
    let text = "apollo://meta,other:81/gateway/tidegate.yaml,routes.yml";
    assert_eq!(text.parse(), Ok(Place::Apollo(config.clone())));
    let tls = Some(tidegate_apollo::Tls::default());
    let over_tls = tidegate_apollo::Config { servers: strings(&["meta:443", "other:81"]), tls, ..config.clone() };
    assert_eq!(text.replace("apollo:", "apollos:").parse(), Ok(Place::Apollo(over_tls)));
    let elsewhere = tidegate_apollo::Config { cluster: "shang hai".into(), discover: false, ..config };
    assert_eq!(format!("{text}?cluster=shang%20hai&discover=false").parse(), Ok(Place::Apollo(elsewhere)));
}

#[test]
fn what_is_wrong_with_a_place_is_told() {
    let expected =
        "expected `etcd://HOST:PORT/KEY` or `apollo://HOST:PORT/APP/NAMESPACE`; for TLS `etcds://…` or `apollos://…`";
    let form = "expected `apollo://HOST:PORT/APP/NAMESPACE`";
    for (text, message) in [
        ("tidegate.yaml", expected),
        ("consul://a/b", expected),
        ("apollo+tls://a/b/c.yaml", expected),
        ("etcd://a:1", "the key is missing: `etcd://HOST:PORT/KEY`, or `etcd://HOST:PORT/FOLDER/` for all below it"),
        ("etcd:///key", "`` is no HOST:PORT"),
        ("etcd://a:x/key", "`a:x` is no HOST:PORT"),
        ("etcd://::1/key", "`::1` is no HOST:PORT"),
        ("etcd://a/%ff", "`/%ff` is no UTF-8 text"),
        (
            "etcd://root:secret@a/key",
            "credentials do not belong into arguments: set TIDEGATE_ETCD_USER and TIDEGATE_ETCD_PASSWORD in the \
             environment",
        ),
        (
            "apollo://key@a/app/x.yaml",
            "credentials do not belong into arguments: set TIDEGATE_APOLLO_SECRET in the environment",
        ),
        ("apollo://a/app", form),
        ("apollo://a//x.yaml", form),
        ("apollo://a/app/x.yaml,", form),
        (
            "apollo://a/app/application",
            "the namespace `application` is a list of properties: name one with a format, such as `application.yaml`",
        ),
        ("apollo://a/app/x.yaml?clutser=b", "`clutser=b`: expected `cluster=NAME` or `discover=false`"),
    ] {
        assert_eq!(text.parse::<Place>(), Err(message.to_owned()), "{text}");
    }
}

#[test]
fn credentials_come_from_the_environment_and_are_whole_or_missing() {
    let place: Place = "etcd://a/b".parse().expect("a place");
    let open = |known: &[&str]| {
        let variable = |name: &str| known.contains(&name).then(|| "x".to_owned());
        place.open(variable).map(|opened| opened.source.name().to_owned())
    };
    let (user, password) = ("TIDEGATE_ETCD_USER", "TIDEGATE_ETCD_PASSWORD");
    assert_eq!(open(&[]), Ok("etcd://a:2379/b".to_owned()));
    assert_eq!(open(&[user, password]), Ok("etcd://a:2379/b".to_owned()));
    let tls: Place = "etcds://a/b".parse().expect("a place");
    let open_tls = |known: &[(&str, &str)]| {
        let variable = |name: &str| known.iter().find(|pair| pair.0 == name).map(|pair| pair.1.to_owned());
        tls.open(variable).map(|opened| opened.source.name().to_owned())
    };
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    assert_eq!(
        open_tls(&[]),
        Err("TIDEGATE_ETCD_CA is not set: it names the file with the certificates that sign those of etcd".to_owned())
    );
    assert_eq!(
        open_tls(&[("TIDEGATE_ETCD_CA", "no/such/file")]),
        Err("TIDEGATE_ETCD_CA: cannot read `no/such/file`: No such file or directory (os error 2)".to_owned())
    );
    assert_eq!(
        open_tls(&[("TIDEGATE_ETCD_CA", manifest)]),
        Err(format!("TIDEGATE_ETCD_CA: `{manifest}` is no PEM file"))
    );
    assert_eq!(open(&[user]), Err("TIDEGATE_ETCD_USER is set, but TIDEGATE_ETCD_PASSWORD is not".to_owned()));
    assert_eq!(open(&[password]), Err("TIDEGATE_ETCD_PASSWORD is set, but TIDEGATE_ETCD_USER is not".to_owned()));
}
