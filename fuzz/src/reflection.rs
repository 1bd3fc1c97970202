//! Answers of a server that tells what it serves.

use std::collections::BTreeSet;
use tidegate_protojson::Schema;
use tidegate_protojson::schema::FileDescriptor;
use tidegate_schema::reflection::{Asker, BYTES_MAX, FILES_MAX};
use tidegate_transcode::RouterBuilder;
use tidegate_transcode::ports::{Reflection, ReflectionProblem, Reflector};

/// Questions that may be on their way.
const PIPELINED: usize = 64;
/// Bytes of one complaint.
const COMPLAINT: usize = 4096;

/// A conversation: each answer behind two bytes of its length. With the top bit set it is a stream that ends
/// instead, with the code in its first byte.
///
/// The conversation ends, in a set or in a complaint that can be printed. Files of a set differ in name, and none
/// imports a later one. A set compiles, or the complaint can be printed; so do its rules.
pub fn reflection(data: &[u8]) {
    match converse(Asker.begin(&["p.A".to_owned()]), data) {
        Ok(Some(set)) => check(&set),
        Ok(None) => {}
        Err(problem) => printable(&problem.0),
    }
}

/// `None` if the answers are used up before everything is answered.
fn converse(mut conversation: Box<dyn Reflection>, mut data: &[u8]) -> Result<Option<Vec<u8>>, ReflectionProblem> {
    let mut asked = 0_usize;
    loop {
        while conversation.request().is_some() {
            asked += 1;
            assert!(asked <= PIPELINED, "questions without end");
        }
        if conversation.is_done() {
            return conversation.finish().map(Some);
        }
        let Some((head, rest)) = data.split_first_chunk::<2>() else {
            assert!(conversation.finish().is_err(), "a set before everything is answered");
            return Ok(None);
        };
        let head = u16::from_be_bytes(*head);
        let (answer, rest) = rest.split_at(rest.len().min(usize::from(head & 0x7fff)));
        data = rest;
        if head & 0x8000 == 0 {
            conversation.reply(answer)?;
            asked -= 1;
        } else {
            let (code, message) = answer.split_first().unwrap_or((&5, b""));
            conversation.refused(u32::from(*code), &String::from_utf8_lossy(message))?;
            asked = 0;
        }
    }
}

fn check(set: &[u8]) {
    let files = FileDescriptor::of_set(set).expect("a set of descriptors");
    assert!(files.len() <= FILES_MAX && set.len() <= BYTES_MAX + 16 * FILES_MAX);
    let mut before = BTreeSet::new();
    for file in &files {
        assert!(file.dependencies.iter().all(|import| before.contains(import)), "an import of {} is late", file.name);
        assert!(before.insert(file.name.clone()), "{} is there twice", file.name);
    }
    let schema = match Schema::compile(&[set]) {
        Ok(schema) => schema,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    assert_eq!(schema.descriptor_set(), set);
    let mut router = RouterBuilder::new();
    for service in schema.services() {
        // What is wrong with one is no reason to leave out the next.
        drop(router.add_service(&schema, &service.full_name, &[], 0));
    }
    drop(router.build());
}

fn printable(text: &str) {
    assert!(!text.is_empty() && text.len() <= COMPLAINT, "{} bytes", text.len());
    assert!(!text.chars().any(char::is_control), "{text:?}");
}
