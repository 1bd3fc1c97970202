//! `tidegate breakers`: breakers of a running gateway are shown and told what to do.

use crate::running::Running;
use crate::{CONFIG, done, folder, program};
use tempfile::TempDir;

struct Gateway {
    running: Running,
    folder: TempDir,
}

impl Gateway {
    /// One whose route has this breaker.
    fn with(breaker: &str) -> Self {
        let config = CONFIG.replace("upstream: echo }", &format!("upstream: echo, breaker: {{ {breaker} }} }}"));
        let config = format!("{config}admin: {{ bind: 127.0.0.1:0, token: s3cret }}\n");
        let folder = folder(&[("tidegate.yaml", &config)]);
        let running = Running::start_with(&mut program(folder.path(), &["run"]), 2);
        Self { running, folder }
    }

    /// What the command did; of what it printed every line without the time of the last change.
    fn breakers(&self, arguments: &[&str]) -> (i32, Vec<String>, String) {
        let mut all = vec!["breakers", "--admin", &self.running.addresses[1]];
        all.extend(arguments);
        let mut command = program(self.folder.path(), &all);
        let (code, out, err) = done(command.env("TIDEGATE_ADMIN_TOKEN", "s3cret").output().expect("it can be run"));
        let line = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let timed = |word: &&&str| !(word.ends_with('Z') && word.contains('T'));
            words.iter().filter(timed).copied().collect::<Vec<_>>().join(" ")
        };
        (code, out.lines().map(line).collect(), err)
    }

    /// The status line and the body of what one tenant is told.
    fn told(&self, tenant: &str) -> (String, String) {
        let request =
            format!("GET /v1/say/hi HTTP/1.1\r\nhost: localhost\r\nx-tenant: {tenant}\r\nconnection: close\r\n\r\n");
        let answer = self.running.ask(0, &request);
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
        (head.lines().next().unwrap_or_default().to_owned(), body.to_owned())
    }
}

const HEAD: &str = "BREAKER STATE REFUSED BY SINCE";

#[test]
fn one_key_is_kept_away_and_gets_the_answer_of_the_fallback() {
    let gateway = Gateway::with("key: 'header:x-tenant', fallback: { body: { text: sorry }, methods: [Say] }");
    let before = (0, vec![HEAD.to_owned(), "demo.v1.Echo/echo closed 0 header:x-tenant -".into()], String::new());
    assert_eq!(gateway.breakers(&[]), before);
    let open = gateway.breakers(&["open", "demo.v1.Echo/echo", "--key", "acme"]);
    let of_all = |refused: u32| format!("demo.v1.Echo/echo closed {refused} header:x-tenant by command (acme)");
    assert_eq!(open, (0, vec![HEAD.to_owned(), of_all(0), "acme forced_open 0".into()], String::new()));
    assert_eq!(gateway.told("acme"), ("HTTP/1.1 200 OK".to_owned(), r#"{"text":"sorry"}"#.to_owned()));
    assert_eq!(gateway.told("other").0, "HTTP/1.1 503 Service Unavailable", "nobody listens there");
    let shown = (0, vec![HEAD.to_owned(), of_all(1), "acme forced_open 1".into()], String::new());
    assert_eq!(gateway.breakers(&[]), shown);
}

#[test]
fn what_cannot_be_done_is_told() {
    let gateway = Gateway::with("min_calls: 7");
    let failed = |message: &str| (1, Vec::new(), format!("error: {message}\n"));
    let unknown = failed("there is no breaker `other`; see /api/v1/breakers");
    assert_eq!(gateway.breakers(&["open", "other"]), unknown);
    let keyed = gateway.breakers(&["close", "demo.v1.Echo/echo", "--key", "acme"]);
    assert_eq!(keyed, failed("this breaker has no keys"));
    assert_eq!(gateway.breakers(&["open"]).0, 2, "which one?");
    assert_eq!(gateway.breakers(&["shut", "demo.v1.Echo/echo"]).0, 2);
    let shut = gateway.breakers(&["open", "demo.v1.Echo/echo"]);
    assert_eq!(shut.1[1], "demo.v1.Echo/echo forced_open 0 upstream by command");
}
