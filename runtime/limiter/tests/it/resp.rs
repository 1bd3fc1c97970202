//! `CL.THROTTLE` by Redis' own client, and by bytes.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use tidegate_limiter::Limits;

use crate::{Serving, config};

/// What comes back for these bytes, until the connection ends.
fn say(serving: &Serving, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(serving.resp).expect("it listens");
    stream.write_all(bytes).expect("send");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("text");
    answer
}

/// The bytes of a command, as clients send them.
fn command(arguments: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", arguments.len()).into_bytes();
    for argument in arguments {
        bytes.extend_from_slice(format!("${}\r\n{argument}\r\n", argument.len()).as_bytes());
    }
    bytes
}

/// What comes back for these commands in one pipeline, and QUIT.
fn pipeline(serving: &Serving, commands: &[&[&str]]) -> String {
    let mut bytes: Vec<u8> = commands.iter().flat_map(|arguments| command(arguments)).collect();
    bytes.extend_from_slice(&command(&["QUIT"]));
    say(serving, &bytes)
}

#[test]
fn a_bucket_is_as_large_as_its_burst_and_one() {
    let serving = Serving::start(&config(vec![]), Limits::Local);
    let throttle: &[&str] = &["cl.throttle", "user:1", "2", "1", "86400"];
    let answers = pipeline(&serving, &[throttle; 4]);
    let admitted = |left: u32, reset: u32| format!("*5\r\n:0\r\n:3\r\n:{left}\r\n:-1\r\n:{reset}\r\n");
    let refused = "*5\r\n:1\r\n:3\r\n:0\r\n:86400\r\n:259200\r\n+OK\r\n";
    assert_eq!(answers, admitted(2, 86_400) + &admitted(1, 172_800) + &admitted(0, 259_200) + refused);
    let of = |quantity| ["CL.THROTTLE", "user:2", "2", "1", "86400", quantity];
    let answers = pipeline(&serving, &[&of("0"), &of("3"), &of("0"), &of("1"), &of("4")]);
    let wanted = "*5\r\n:0\r\n:3\r\n:3\r\n:-1\r\n:0\r\n*5\r\n:0\r\n:3\r\n:0\r\n:-1\r\n:259200\r\n\
                  *5\r\n:0\r\n:3\r\n:0\r\n:-1\r\n:259200\r\n*5\r\n:1\r\n:3\r\n:0\r\n:86400\r\n:259200\r\n\
                  *5\r\n:1\r\n:3\r\n:0\r\n:-1\r\n:259200\r\n+OK\r\n";
    assert_eq!(answers, wanted);
}

#[test]
fn numbers_that_are_no_limit_are_told() {
    let serving = Serving::start(&config(vec![]), Limits::Local);
    let cases: [(&[&str], &str); 9] = [
        (&["k"], "wrong number of arguments for 'cl.throttle' command"),
        (&["k", "1", "1", "1", "1", "1"], "wrong number of arguments for 'cl.throttle' command"),
        (&["k", "-1", "1", "60"], "max_burst must be a whole number that is not negative"),
        (&["k", "1", "x", "60"], "count must be a whole number that is not negative"),
        (&["k", "1", "1", "1e3"], "period must be a whole number that is not negative"),
        (&["k", "1", "1", "60", "18446744073709551615"], "quantity must be a whole number that is not negative"),
        (&["k", "1", "0", "60"], "count and period must be at least 1"),
        (
            &["k", "9223372036854775807", "1", "60"],
            "a burst of 9223372036854775808 at this rate takes more than 366 days to refill",
        ),
        (&["k", "1", "1", "9223372036854775807"], "the period of a rate is at most 366 days, not 31622401s"),
    ];
    for (arguments, why) in cases {
        let arguments = [&["CL.THROTTLE"], arguments].concat();
        assert_eq!(pipeline(&serving, &[&arguments]), format!("-ERR {why}\r\n+OK\r\n"), "{arguments:?}");
    }
    let huge = ["CL.THROTTLE", "k", "9", "9223372036854775807", "1", "9223372036854775807"];
    assert_eq!(pipeline(&serving, &[&huge]), "*5\r\n:1\r\n:10\r\n:10\r\n:-1\r\n:0\r\n+OK\r\n");
}

#[test]
fn what_clients_say_first_is_answered() {
    let serving = Serving::start(&config(vec![]), Limits::Local);
    let greetings: [&[&str]; 8] = [
        &["PING"],
        &["ping", "a"],
        &["HELLO", "3", "SETNAME", "me"],
        &["CLIENT", "SETINFO", "LIB-NAME", "x"],
        &["SELECT", "0"],
        &["SELECT", "1"],
        &["HELLO", "4"],
        &["NOPE", "a"],
    ];
    let wanted = "+PONG\r\n$1\r\na\r\n%4\r\n$6\r\nserver\r\n$8\r\ntidegate\r\n$7\r\nversion\r\n$5\r\n7.0.0\r\n\
                  $5\r\nproto\r\n:3\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n+OK\r\n+OK\r\n-ERR DB index is out of range\r\n\
                  -NOPROTO unsupported protocol version\r\n-ERR unknown command 'NOPE'\r\n+OK\r\n";
    assert_eq!(pipeline(&serving, &greetings), wanted);
    assert_eq!(say(&serving, b"ping\r\n\r\nquit\n"), "+PONG\r\n+OK\r\n");
}

#[test]
fn a_password_comes_first_where_there_is_one() {
    let mut config = config(vec![]);
    config.resp_password = Some("secret".to_owned());
    let serving = Serving::start(&config, Limits::Local);
    let throttle: &[&str] = &["CL.THROTTLE", "k", "0", "1", "60"];
    let answers = pipeline(&serving, &[throttle, &["AUTH", "secres"], &["AUTH", "secret"], throttle]);
    let wanted = "-NOAUTH Authentication required.\r\n\
                  -WRONGPASS invalid username-password pair or user is disabled.\r\n+OK\r\n\
                  *5\r\n:0\r\n:1\r\n:0\r\n:-1\r\n:60\r\n+OK\r\n";
    assert_eq!(answers, wanted);
    let answers = pipeline(&serving, &[&["HELLO", "2", "AUTH", "default", "secret"], &["PING"]]);
    assert!(answers.starts_with("*8\r\n") && answers.ends_with("+PONG\r\n+OK\r\n"), "{answers}");
}

#[test]
fn who_does_not_keep_to_the_protocol_is_told_once_and_cut_off() {
    let serving = Serving::start(&config(vec![]), Limits::Local);
    let cases: [(&[u8], &str); 7] = [
        (b"*x\r\n", "invalid multibulk length"),
        (b"*65\r\n", "too many arguments"),
        (b"*1\r\n+PING\r\n", "expected '$'"),
        (b"*1\r\n$-1\r\n", "invalid bulk length: an argument has at most 65536 bytes"),
        (b"*1\r\n$65537\r\n", "invalid bulk length: an argument has at most 65536 bytes"),
        (b"*1\r\n$4\r\nPINGxx", "expected the end of an argument"),
        (&[b'a'; 5000], "too big inline request"),
    ];
    for (bytes, why) in cases {
        assert_eq!(say(&serving, bytes), format!("-ERR Protocol error: {why}\r\n"), "{why}");
    }
    let many: Vec<u8> = command(&["CL.THROTTLE", "k", "5000", "1", "60"]).repeat(3000);
    let answer = say(&serving, &[many, command(&["QUIT"])].concat());
    assert_eq!(answer.matches("*5\r\n:0\r\n:5001\r\n").count(), 3000, "more than one turn of a pipeline");
}
