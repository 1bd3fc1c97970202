//! Conversations with servers, good and bad; messages are those of another implementation.

use prost::Message as _;
use prost_types::{FileDescriptorProto, FileDescriptorSet, ServiceDescriptorProto};
use std::collections::VecDeque;
use tidegate_schema::reflection::{Asker, BYTES_MAX, FILES_MAX, SERVICES_MAX};
use tidegate_transcode::ports::{Reflection, Reflector};
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest as Question;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse as Answer;
use tonic_reflection::pb::v1::{
    ErrorResponse, ExtensionNumberResponse, FileDescriptorResponse, ListServiceResponse, ServerReflectionRequest,
    ServerReflectionResponse, ServiceResponse,
};

fn begin(services: &[&str]) -> Box<dyn Reflection> {
    let services: Vec<String> = services.iter().map(|name| (*name).to_owned()).collect();
    Asker.begin(&services)
}

/// Talks until all is answered, or one answer is refused. Sends as much as it may before it answers.
fn talk(
    mut conversation: Box<dyn Reflection>,
    mut server: impl FnMut(Question) -> Option<Answer>,
) -> Result<Vec<u8>, String> {
    let mut waiting = VecDeque::new();
    loop {
        while let Some(message) = conversation.request() {
            let request = ServerReflectionRequest::decode(&*message).expect("a request");
            waiting.push_back(request.message_request.expect("a question"));
            assert!(waiting.len() <= 16, "questions on their way are bounded");
        }
        let Some(question) = waiting.pop_front() else { break };
        let response = ServerReflectionResponse { message_response: server(question), ..Default::default() };
        conversation.reply(&response.encode_to_vec()).map_err(|problem| problem.to_string())?;
    }
    assert!(conversation.is_done(), "nothing is left to be asked or answered");
    conversation.finish().map_err(|problem| problem.to_string())
}

/// Talks to a server that ends the stream where others answer with an error, as tonic does.
fn talk_over_streams(
    mut conversation: Box<dyn Reflection>,
    server: impl Fn(Question) -> Option<Answer>,
) -> Result<(Vec<u8>, usize), String> {
    let (mut waiting, mut streams) = (VecDeque::new(), 1);
    while !conversation.is_done() {
        while let Some(message) = conversation.request() {
            let request = ServerReflectionRequest::decode(&*message).expect("a request");
            waiting.push_back(request.message_request.expect("a question"));
        }
        let Some(question) = waiting.pop_front() else { break };
        let taken = match server(question) {
            Some(Answer::ErrorResponse(error)) => {
                waiting.clear();
                streams += 1;
                conversation.refused(error.error_code.cast_unsigned(), &error.error_message)
            }
            answer => {
                let response = ServerReflectionResponse { message_response: answer, ..Default::default() };
                conversation.reply(&response.encode_to_vec())
            }
        };
        taken.map_err(|problem| problem.to_string())?;
    }
    conversation.finish().map(|set| (set, streams)).map_err(|problem| problem.to_string())
}

fn file(name: &str, imports: &[&str], services: &[&str]) -> FileDescriptorProto {
    let service = |name: &&str| ServiceDescriptorProto { name: Some((*name).to_owned()), ..Default::default() };
    FileDescriptorProto {
        name: Some(name.to_owned()),
        package: Some("p".to_owned()),
        dependency: imports.iter().map(|import| (*import).to_owned()).collect(),
        service: services.iter().map(service).collect(),
        ..Default::default()
    }
}

fn files(files: &[FileDescriptorProto]) -> Option<Answer> {
    let file_descriptor_proto = files.iter().map(FileDescriptorProto::encode_to_vec).collect();
    Some(Answer::FileDescriptorResponse(FileDescriptorResponse { file_descriptor_proto }))
}

fn services(names: &[&str]) -> Option<Answer> {
    let service = names.iter().map(|name| ServiceResponse { name: (*name).to_owned() }).collect();
    Some(Answer::ListServicesResponse(ListServiceResponse { service }))
}

fn error(code: i32, message: &str) -> Option<Answer> {
    Some(Answer::ErrorResponse(ErrorResponse { error_code: code, error_message: message.to_owned() }))
}

/// Answers one file per question, as tonic does.
fn server(known: Vec<FileDescriptorProto>) -> impl Fn(Question) -> Option<Answer> {
    move |question| match question {
        Question::ListServices(_) => {
            let names: Vec<String> = known
                .iter()
                .flat_map(|file| file.service.iter().map(|service| format!("p.{}", service.name())))
                .chain(["grpc.reflection.v1.ServerReflection".to_owned()])
                .collect();
            services(&names.iter().map(String::as_str).collect::<Vec<_>>())
        }
        Question::FileContainingSymbol(symbol) => {
            let declares = |file: &&FileDescriptorProto| {
                file.service.iter().any(|service| symbol == format!("p.{}", service.name()))
            };
            known.iter().find(declares).map_or_else(
                || error(5, &format!("symbol '{symbol}' not found")),
                |file| files(std::slice::from_ref(file)),
            )
        }
        Question::FileByFilename(name) => known
            .iter()
            .find(|file| file.name() == name)
            .map_or_else(|| error(5, &format!("file '{name}' not found")), |file| files(std::slice::from_ref(file))),
        other => panic!("nobody asks {other:?}"),
    }
}

fn names(set: &[u8]) -> Vec<String> {
    let set = FileDescriptorSet::decode(set).expect("a set");
    set.file.into_iter().map(|file| file.name.unwrap_or_default()).collect()
}

#[test]
fn a_set_has_every_service_and_what_it_imports_before_it() {
    let known = vec![
        file("z.proto", &["c.proto", "b.proto"], &["Z"]),
        file("a.proto", &["c.proto"], &["A", "Other"]),
        file("c.proto", &["b.proto"], &[]),
        file("b.proto", &[], &[]),
        file("unused.proto", &[], &[]),
    ];
    let mut reversed = known.clone();
    reversed.reverse();
    let set = talk(begin(&[]), server(known)).expect("it is right");
    assert_eq!(names(&set), ["b.proto", "c.proto", "a.proto", "z.proto"]);
    assert_eq!(talk(begin(&["p.Z"]), server(reversed)), Ok(set), "the order of answers changes nothing");
}

#[test]
fn a_server_that_ends_the_stream_instead_of_an_error_is_asked_on_over_another_one() {
    let known = || {
        vec![
            file("a.proto", &["google/api/annotations.proto", "b.proto", "google/protobuf/any.proto"], &["A"]),
            file("b.proto", &["google/protobuf/any.proto"], &["B"]),
        ]
    };
    let wanted = ["p.B", "p.A", "p.Missing"];
    let (set, streams) = talk_over_streams(begin(&wanted), server(known())).expect("it is right");
    // For the missing service, two files of google, and the two that the first of them imports.
    assert_eq!(streams, 1 + 5);
    assert_eq!(talk(begin(&wanted), server(known())), Ok(set));
    let missing = vec![file("a.proto", &["b.proto"], &["A"])];
    assert_eq!(
        talk_over_streams(begin(&[]), server(missing)).expect_err("it is wrong"),
        "it does not have the file `b.proto` that `a.proto` imports: NOT_FOUND: file 'b.proto' not found"
    );
}

#[test]
fn answers_may_bring_imports_and_bring_them_again() {
    let (a, b) = (file("a.proto", &["b.proto"], &["A"]), file("b.proto", &[], &[]));
    let all = [a, b];
    let mut asked = Vec::new();
    let set = talk(begin(&[]), |question| match &question {
        Question::ListServices(_) => services(&["p.A", "p.B"]),
        _ => {
            asked.push(question);
            files(&all)
        }
    });
    assert_eq!(set.map(|set| names(&set)), Ok(vec!["b.proto".to_owned(), "a.proto".to_owned()]));
    let symbols = ["p.A", "p.B"].map(|name| Question::FileContainingSymbol(name.to_owned()));
    assert_eq!(asked, symbols, "what came is not asked for");
}

#[test]
fn files_of_google_that_a_server_leaves_out_are_those_that_come_with_the_gateway() {
    let known = vec![file("a.proto", &["google/api/annotations.proto", "google/protobuf/wrappers.proto"], &["A"])];
    let set = talk(begin(&["p.A"]), server(known)).expect("it is right");
    let descriptor = "google/protobuf/descriptor.proto";
    let api = ["google/api/http.proto", "google/api/annotations.proto"];
    assert_eq!(names(&set), [api[0], descriptor, api[1], "google/protobuf/wrappers.proto", "a.proto"]);
}

#[test]
fn a_service_that_is_not_listed_is_asked_for_and_one_that_is_not_there_left_out() {
    let answer = server(vec![file("a.proto", &[], &["A"])]);
    for list in [services(&[]), error(12, "no list")] {
        let set = talk(begin(&["p.A", "p.Missing"]), |question| match question {
            Question::ListServices(_) => list.clone(),
            other => answer(other),
        });
        assert_eq!(set.map(|set| names(&set)), Ok(vec!["a.proto".to_owned()]));
    }
    // Listed, but the server cannot show it: nobody routes it.
    let set = talk(begin(&["p.A"]), |question| match question {
        Question::ListServices(_) => services(&["p.Broken", "p.A"]),
        Question::FileContainingSymbol(name) if name == "p.Broken" => error(13, "no descriptor"),
        other => answer(other),
    });
    assert_eq!(set.map(|set| names(&set)), Ok(vec!["a.proto".to_owned()]));
}

#[test]
fn platform_services_are_asked_for_only_if_they_are_routed() {
    let list = || services(&["grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection"]);
    let ask = |services: &[&str]| {
        let mut asked = Vec::new();
        talk(begin(services), |question| match question {
            Question::ListServices(_) => list(),
            Question::FileContainingSymbol(symbol) => {
                asked.push(symbol);
                files(&[])
            }
            other => panic!("nobody asks {other:?}"),
        })
        .expect("nothing is an answer");
        asked
    };
    assert_eq!(ask(&[]), [""; 0]);
    assert_eq!(ask(&["grpc.health.v1.Health"]), ["grpc.health.v1.Health"]);
}

/// What is said of a server that lists `p.A` and answers this to all else.
fn refusal(answer: impl Fn(Question) -> Option<Answer>) -> String {
    talk(begin(&["p.A"]), |question| match question {
        Question::ListServices(_) => services(&["p.A"]),
        other => answer(other),
    })
    .expect_err("it is wrong")
}

#[test]
fn answers_that_cannot_be_used_are_told_with_what_was_asked() {
    let by_symbol = |symbol: Option<Answer>, file: Option<Answer>| {
        refusal(move |question| match question {
            Question::FileContainingSymbol(_) => symbol.clone(),
            _ => file.clone(),
        })
    };
    let importing = || files(&[file("a.proto", &["x/b.proto"], &["A"])]);
    let raw = |bytes: &[u8]| {
        Some(Answer::FileDescriptorResponse(FileDescriptorResponse { file_descriptor_proto: vec![bytes.to_vec()] }))
    };
    let circle = |name: &str| files(&[file("a.proto", &["b.proto"], &["A"]), file("b.proto", &[name], &[])]);
    let cases = [
        (
            by_symbol(error(13, "pool\n\u{1b}[31mbroken"), None),
            "it answers about the service `p.A`: INTERNAL: pool[31mbroken",
        ),
        (by_symbol(services(&[]), None), "it answers about the service `p.A` with something else"),
        (by_symbol(None, None), "it answers about the service `p.A` with something else"),
        (
            by_symbol(Some(Answer::AllExtensionNumbersResponse(ExtensionNumberResponse::default())), None),
            "it answers about the service `p.A` with something else",
        ),
        (by_symbol(raw(b"\xff"), None), "one of its files is no descriptor"),
        (by_symbol(raw(b""), None), "one of its files has no name"),
        (
            by_symbol(importing(), error(5, "who?")),
            "it does not have the file `x/b.proto` that `a.proto` imports: NOT_FOUND: who?",
        ),
        (
            by_symbol(importing(), importing()),
            "it does not have the file `x/b.proto` that `a.proto` imports: it answers with another file",
        ),
        (by_symbol(importing(), services(&[])), "it answers about the file `x/b.proto` with something else"),
        (by_symbol(circle("a.proto"), None), "its files import each other in a circle, `a.proto` among them"),
        (by_symbol(circle("b.proto"), None), "its files import each other in a circle, `b.proto` among them"),
    ];
    for (told, want) in cases {
        assert_eq!(told, want);
    }
    let listed = |answer: Option<Answer>| talk(begin(&[]), |_| answer.clone()).expect_err("it is wrong");
    assert_eq!(listed(error(7, "not you")), "it does not list its services: PERMISSION_DENIED: not you");
    assert_eq!(listed(files(&[])), "it answers about its services with something else");
}

#[test]
fn a_server_without_end_is_cut_off() {
    let mut count = 0;
    let endless = talk(begin(&["p.A"]), |question| match question {
        Question::ListServices(_) => services(&["p.A"]),
        Question::FileContainingSymbol(_) => files(&[file("0.proto", &["1.proto"], &["A"])]),
        Question::FileByFilename(name) => {
            count += 1;
            files(&[file(&name, &[&format!("{}.proto", count + 1)], &[])])
        }
        other => panic!("nobody asks {other:?}"),
    });
    assert_eq!(endless, Err(format!("it has more than {FILES_MAX} files")));
    assert_eq!(count, FILES_MAX);

    let imports: Vec<String> = (0..=2 * FILES_MAX).map(|i| format!("{i}.proto")).collect();
    let imports: Vec<&str> = imports.iter().map(String::as_str).collect();
    let wide = refusal(|_| files(&[file("a.proto", &imports, &["A"])]));
    assert_eq!(wide, format!("its files import more than {FILES_MAX} others"));

    let long = "x".repeat(BYTES_MAX / 4);
    let fat = refusal(|_| {
        let fat = |name: &str| FileDescriptorProto { syntax: Some(long.clone()), ..file(name, &[], &[]) };
        files(&["1", "2", "3", "4"].map(fat))
    });
    assert_eq!(fat, format!("its files have more than {BYTES_MAX} bytes"));

    let names: Vec<String> = (0..=SERVICES_MAX).map(|i| format!("p.S{i}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let many = talk(begin(&[]), |_| services(&names));
    assert_eq!(many, Err(format!("it lists {} services; {SERVICES_MAX} is the most", SERVICES_MAX + 1)));
}

#[test]
fn what_is_not_asked_or_not_answered_is_refused() {
    let mut conversation = begin(&[]);
    let told = |problem: tidegate_transcode::ports::ReflectionProblem| problem.to_string();
    assert_eq!(conversation.reply(b"").map_err(told), Err("it answers without being asked".to_owned()));
    assert!(conversation.request().is_some());
    let garbage = "its answer about its services is no ServerReflectionResponse";
    assert_eq!(conversation.reply(b"\xff").map_err(told), Err(garbage.to_owned()));

    let early = "it ends the conversation before it has answered everything";
    assert_eq!(begin(&[]).finish().map_err(told), Err(early.to_owned()));
}
