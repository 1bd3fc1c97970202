//! The program says what it takes.

use std::process::Command;

#[test]
fn without_a_case_it_shows_how_it_is_called() {
    let output = Command::new(env!("CARGO_BIN_EXE_interop-tonic")).output().expect("it can be run");
    let said = String::from_utf8(output.stderr).expect("text");
    assert_eq!((output.status.code(), said.as_str()), (Some(2), "usage: interop-tonic ADDRESS CASE\n"));
}
