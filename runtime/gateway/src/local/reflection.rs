//! `grpc.reflection.v1.ServerReflection` (and `v1alpha`, whose messages are the same), as
//! `grpc/reflection/v1/reflection.proto` has it: a talk of questions about the services that are routed.

use super::catalog::Catalog;
use super::next_message;
use crate::idle::Upload;
use crate::local::MESSAGE_BYTES;
use http_body::Body;
use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tidegate_protojson::wire::{Reader, WireError, WireType, put_len_prefixed, put_tag, put_varint};
use tidegate_transcode::frame::Deframer;
use tidegate_transcode::{Code, Status};
use tidegate_upstream::RequestBody;

/// One client's talk.
#[derive(Debug)]
pub(crate) struct Talk {
    body: RequestBody,
    upload: Upload,
    deframer: Deframer,
    /// What it may learn: the services of the hosts that it came for, the more specific first.
    catalogs: Vec<Arc<Catalog>>,
}

/// `ServerReflectionRequest.message_request`
#[derive(Debug, PartialEq, Eq)]
enum Question<'q> {
    FileByFilename(&'q str),
    FileContainingSymbol(&'q str),
    FileContainingExtension(&'q str, i32),
    AllExtensionNumbersOfType(&'q str),
    ListServices,
}

impl Talk {
    pub(super) fn new(body: RequestBody, upload: Upload, catalogs: Vec<Arc<Catalog>>) -> Self {
        Self { body, upload, deframer: Deframer::new(MESSAGE_BYTES), catalogs }
    }

    pub(super) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Vec<u8>, Status>>> {
        loop {
            match next_message(&mut self.deframer) {
                Ok(Some(message)) => return Poll::Ready(Some(answer(&self.catalogs, &message))),
                Ok(None) => {}
                Err(status) => return Poll::Ready(Some(Err(status))),
            }
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else { continue };
                    self.upload.received(data.len());
                    self.deframer.push(data);
                }
                Some(Err(_)) => {
                    return Poll::Ready(Some(Err(Status::new(Code::Cancelled, "the request ended early"))));
                }
                None => {
                    let ended = self.deframer.finish();
                    let broken = |error| Status::new(Code::Internal, format!("the request: {error}"));
                    return Poll::Ready(ended.err().map(|error| Err(broken(error))));
                }
            }
        }
    }
}

/// The `ServerReflectionResponse` to a `ServerReflectionRequest`.
fn answer(catalogs: &[Arc<Catalog>], request: &[u8]) -> Result<Vec<u8>, Status> {
    let unreadable = |error| Status::new(Code::InvalidArgument, format!("the request: {error}"));
    let (host, question) = read(request).map_err(unreadable)?;
    let mut reply = Vec::with_capacity(request.len() + 64);
    put(&mut reply, 1, host.as_bytes());
    put(&mut reply, 2, request);
    let file = |found: Option<&[u8]>, reply: &mut Vec<u8>| {
        found.map(|file| {
            let mut response = Vec::with_capacity(file.len() + 8);
            put(&mut response, 1, file);
            put(reply, 4, &response);
        })
    };
    let first = |look: &dyn Fn(&Catalog) -> Option<&[u8]>| catalogs.iter().find_map(|catalog| look(catalog));
    let known = match question {
        Some(Question::FileByFilename(name)) => file(first(&|catalog| catalog.file(name)), &mut reply),
        Some(Question::FileContainingSymbol(name)) => file(first(&|catalog| catalog.file_with(name)), &mut reply),
        Some(Question::FileContainingExtension(of, number)) => {
            file(first(&|catalog| catalog.file_extending(of, number)), &mut reply)
        }
        Some(Question::AllExtensionNumbersOfType(name)) => {
            let known = catalogs.iter().any(|catalog| catalog.file_with(name).is_some());
            let numbers: BTreeSet<i32> = catalogs.iter().flat_map(|catalog| catalog.extensions_of(name)).collect();
            known.then(|| put(&mut reply, 5, &extension_numbers(name, &numbers)))
        }
        Some(Question::ListServices) => {
            let names: BTreeSet<&str> = catalogs.iter().flat_map(|catalog| catalog.services()).collect();
            put(&mut reply, 6, &services(&names));
            Some(())
        }
        None => return Err(Status::new(Code::InvalidArgument, "the request asks for nothing")),
    };
    if known.is_none() {
        put(&mut reply, 7, &not_found(&question));
    }
    Ok(reply)
}

/// The host and the question of a request; of several questions the last, as protobuf has it.
fn read(request: &[u8]) -> Result<(&str, Option<Question<'_>>), WireError> {
    let (mut host, mut question) = ("", None);
    let mut reader = Reader::new(request);
    while !reader.is_empty() {
        let (number, wire_type) = reader.tag()?;
        if wire_type != WireType::Len {
            reader.skip(number, wire_type, 100)?;
            continue;
        }
        let value = reader.len_prefixed()?;
        let text = str::from_utf8(value).unwrap_or("?");
        match number {
            1 => host = text,
            3 => question = Some(Question::FileByFilename(text)),
            4 => question = Some(Question::FileContainingSymbol(text)),
            5 => {
                let (of, number) = extension(value)?;
                question = Some(Question::FileContainingExtension(of, number));
            }
            6 => question = Some(Question::AllExtensionNumbersOfType(text)),
            7 => question = Some(Question::ListServices),
            _ => {}
        }
    }
    Ok((host, question))
}

/// `ExtensionRequest`
fn extension(wire: &[u8]) -> Result<(&str, i32), WireError> {
    let (mut of, mut extension) = ("", 0);
    let mut reader = Reader::new(wire);
    while !reader.is_empty() {
        match reader.tag()? {
            (1, WireType::Len) => of = str::from_utf8(reader.len_prefixed()?).unwrap_or("?"),
            // An int32 is sent as the varint of its 64 bits.
            (2, WireType::Varint) => extension = i32::try_from(reader.varint()?).unwrap_or(-1),
            (number, wire_type) => reader.skip(number, wire_type, 100)?,
        }
    }
    Ok((of, extension))
}

/// `ExtensionNumberResponse`
fn extension_numbers(of: &str, numbers: &BTreeSet<i32>) -> Vec<u8> {
    let (mut response, mut packed) = (Vec::new(), Vec::new());
    numbers.iter().for_each(|&number| put_varint(&mut packed, number.unsigned_abs().into()));
    put(&mut response, 1, of.as_bytes());
    put(&mut response, 2, &packed);
    response
}

/// `ListServiceResponse`
fn services(names: &BTreeSet<&str>) -> Vec<u8> {
    let mut response = Vec::new();
    for name in names {
        let mut service = Vec::with_capacity(name.len() + 2);
        put(&mut service, 1, name.as_bytes());
        put(&mut response, 1, &service);
    }
    response
}

/// `ErrorResponse`
fn not_found(question: &Option<Question<'_>>) -> Vec<u8> {
    let message = match question {
        Some(Question::FileByFilename(name)) => format!("there is no file {name}"),
        Some(Question::FileContainingExtension(of, number)) => format!("{of} has no extension {number}"),
        Some(Question::FileContainingSymbol(name) | Question::AllExtensionNumbersOfType(name)) => {
            format!("there is no symbol {name}")
        }
        Some(Question::ListServices) | None => String::new(),
    };
    let mut response = Vec::with_capacity(message.len() + 4);
    put_tag(&mut response, 1, WireType::Varint);
    put_varint(&mut response, Code::NotFound.as_u32().into());
    put(&mut response, 2, message.as_bytes());
    response
}

/// Appends a field of bytes, unless it is empty (proto3, implicit presence).
fn put(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    // A message that is there has its presence even if it is empty.
    if !bytes.is_empty() || number >= 4 {
        put_tag(out, number, WireType::Len);
        put_len_prefixed(out, bytes);
    }
}
