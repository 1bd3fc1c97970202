use super::read;
use crate::config::CertificateFile;
use crate::diagnostics::Source;
use std::fs;
use std::sync::Arc;
use tidegate_gateway::config::Place;

const PEM: &[u8] = b"-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";

#[test]
fn what_is_no_file_with_certificates_is_told_where_the_config_names_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |name: &str, content: &[u8]| fs::write(folder.path().join(name), content).expect("written");
    write("good.pem", PEM);
    write("key.pem", b"-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n");
    write("large.pem", &[PEM, &vec![b'\n'; 1 << 20]].concat());
    fs::create_dir(folder.path().join("folder")).expect("made");
    let source = Arc::new(Source::new("tidegate.yaml", "ca: x\n"));
    let told = |name: &str| {
        let path = folder.path().join(name);
        let shown = path.display().to_string();
        let mut file = CertificateFile { path, pem: Vec::new(), place: Place { line: 1, column: 5 } };
        read(&mut file, &source).map(|()| file.pem).map_err(|report| report.in_one_line().replace(&shown, name))
    };
    assert_eq!(told("good.pem"), Ok(PEM.to_vec()));
    for (name, message) in [
        ("missing.pem", "there is no file `missing.pem`"),
        ("folder", "cannot read `folder`: it is no file"),
        ("key.pem", "`key.pem` has no certificate in PEM"),
        ("large.pem", "`large.pem` has more than 1048576 bytes"),
    ] {
        assert_eq!(told(name), Err(format!("tidegate.yaml:1:5: {message}")), "{name}");
    }
}
