//! gRPC server reflection: from a server's answers to a descriptor set.
//!
//! ```text
//! list_services ──► a symbol for each service ──► a file for each import that is missing ──► set
//! ```

mod message;

use crate::in_process;
use message::{Answer, Question};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::OnceLock;
use tidegate_protojson::schema::FileDescriptor;
use tidegate_transcode::Code;
use tidegate_transcode::ports::{Reflection, ReflectionProblem, Reflector};

/// Files of one server. Large monorepos have a few hundred behind one service.
pub const FILES_MAX: usize = 4_096;
/// Bytes of all files of one server.
pub const BYTES_MAX: usize = 64 << 20;
/// Services that a server may list.
pub const SERVICES_MAX: usize = 4_096;
/// Questions that are on their way at a time: enough to hide the way's delay, few enough for a server
/// that reads one answer's worth ahead.
const PIPELINED: usize = 16;
/// Characters of a server's own words that are passed on.
const QUOTED: usize = 200;
/// Characters of a complaint, the names in it included.
const PROBLEM_MAX: usize = 1000;

/// Services of every server's own platform: they are asked for only if they are routed.
const PLATFORM: [&str; 3] = ["grpc.reflection.", "grpc.health.", "grpc.channelz."];

/// Asks servers; files of `google/` that a server leaves out are taken from those that come with the
/// gateway.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asker;

impl Reflector for Asker {
    fn begin(&self, services: &[String]) -> Box<dyn Reflection> {
        Box::new(Conversation {
            wanted: services.iter().cloned().collect(),
            to_ask: VecDeque::from([Question::Services]),
            asked: VecDeque::new(),
            known: BTreeSet::new(),
            files: BTreeMap::new(),
            bytes: 0,
        })
    }
}

/// What is known of one server so far.
#[derive(Debug)]
struct Conversation {
    /// Services that routes name.
    wanted: BTreeSet<String>,
    to_ask: VecDeque<Question>,
    /// Asked and not answered yet, oldest first.
    asked: VecDeque<Question>,
    /// Files that came, or that were or will be asked for.
    known: BTreeSet<String>,
    files: BTreeMap<String, File>,
    bytes: usize,
}

#[derive(Debug)]
struct File {
    dependencies: Vec<String>,
    bytes: Vec<u8>,
}

// === impl Conversation ===

impl Reflection for Conversation {
    fn request(&mut self) -> Option<Vec<u8>> {
        if self.asked.len() >= PIPELINED {
            return None;
        }
        // What came in the meantime need not be asked for.
        while let Some(question) = self.to_ask.pop_front() {
            if !matches!(&question, Question::File { name, .. } if self.files.contains_key(name)) {
                let wire = question.to_wire();
                self.asked.push_back(question);
                return Some(wire);
            }
        }
        None
    }

    fn reply(&mut self, message: &[u8]) -> Result<(), ReflectionProblem> {
        let Some(question) = self.asked.pop_front() else { return problem("it answers without being asked") };
        let Ok(answer) = Answer::from_wire(message) else {
            return problem(format!("its answer about {question} is no ServerReflectionResponse"));
        };
        self.take_answer(question, answer)
    }

    fn refused(&mut self, code: u32, message: &str) -> Result<(), ReflectionProblem> {
        let Some(question) = self.asked.pop_front() else { return problem(said(code, message)) };
        while let Some(later) = self.asked.pop_back() {
            self.to_ask.push_front(later);
        }
        self.take_answer(question, Answer::Error { code, message: message.to_owned() })
    }

    fn is_done(&self) -> bool {
        self.to_ask.is_empty() && self.asked.is_empty()
    }

    fn finish(self: Box<Self>) -> Result<Vec<u8>, ReflectionProblem> {
        if !self.is_done() {
            return problem("it ends the conversation before it has answered everything");
        }
        in_order(&self.files)
    }
}

impl Conversation {
    fn take_answer(&mut self, question: Question, answer: Answer<'_>) -> Result<(), ReflectionProblem> {
        match (question, answer) {
            (Question::Services, Answer::Services(services)) => self.listed(services),
            // A server need not list what it has.
            (Question::Services, Answer::Error { code, message }) if self.wanted.is_empty() => {
                problem(format!("it does not list its services: {}", said(code, &message)))
            }
            (Question::Services, Answer::Error { .. }) => self.listed(Vec::new()),
            (Question::Service { .. }, Answer::Files(files)) => self.take(&files),
            // What is not there is reported by whoever needs it; a service that nobody routes by nobody.
            (Question::Service { name }, Answer::Error { code, message }) => {
                if code == Code::NotFound.as_u32() || !self.wanted.contains(&name) {
                    return Ok(());
                }
                problem(format!("it answers about the service `{name}`: {}", said(code, &message)))
            }
            (Question::File { name, importer }, Answer::Files(files)) => {
                self.take(&files)?;
                if self.files.contains_key(&name) {
                    return Ok(());
                }
                self.fill_in(&name, &importer, "it answers with another file")
            }
            (Question::File { name, importer }, Answer::Error { code, message }) => {
                self.fill_in(&name, &importer, &said(code, &message))
            }
            (question, Answer::Services(_) | Answer::Files(_) | Answer::Other) => {
                problem(format!("it answers about {question} with something else"))
            }
        }
    }

    fn listed(&mut self, services: Vec<String>) -> Result<(), ReflectionProblem> {
        if services.len() > SERVICES_MAX {
            return problem(format!("it lists {} services; {SERVICES_MAX} is the most", services.len()));
        }
        let of_platform = |name: &String| PLATFORM.iter().any(|prefix| name.starts_with(prefix));
        let mut names = self.wanted.clone();
        names.extend(services.into_iter().filter(|name| !of_platform(name)));
        self.to_ask.extend(names.into_iter().map(|name| Question::Service { name }));
        Ok(())
    }

    /// Takes files that came, and notes what they import.
    fn take(&mut self, files: &[&[u8]]) -> Result<(), ReflectionProblem> {
        let mut imports = Vec::new();
        for bytes in files {
            let Ok(file) = FileDescriptor::read(bytes) else { return problem("one of its files is no descriptor") };
            if file.name.is_empty() {
                return problem("one of its files has no name");
            }
            // Servers repeat what others import; of two versions the first counts, as within one set.
            if self.files.contains_key(&file.name) {
                continue;
            }
            self.bytes += bytes.len();
            if self.files.len() == FILES_MAX {
                return problem(format!("it has more than {FILES_MAX} files"));
            }
            if self.bytes > BYTES_MAX {
                return problem(format!("its files have more than {BYTES_MAX} bytes"));
            }
            imports.extend(file.dependencies.iter().map(|name| (name.clone(), file.name.clone())));
            self.known.insert(file.name.clone());
            self.files.insert(file.name, File { dependencies: file.dependencies, bytes: bytes.to_vec() });
        }
        // After all of them: an answer may bring what its first file imports.
        for (name, importer) in imports {
            if self.known.len() > 2 * FILES_MAX {
                return problem(format!("its files import more than {FILES_MAX} others"));
            }
            if self.known.insert(name.clone()) {
                self.to_ask.push_back(Question::File { name, importer });
            }
        }
        Ok(())
    }

    /// The server does not have a file: takes the one that comes with the gateway.
    fn fill_in(&mut self, name: &str, importer: &str, why: &str) -> Result<(), ReflectionProblem> {
        let bundled = bundled().iter().find(|file| file.name == name);
        let Some(bundled) = bundled else {
            return problem(format!("it does not have the file `{name}` that `{importer}` imports: {why}"));
        };
        self.take(&[bundled.bytes])
    }
}

/// The files with each behind those that it imports, otherwise by name.
fn in_order(files: &BTreeMap<String, File>) -> Result<Vec<u8>, ReflectionProblem> {
    let mut set = Vec::with_capacity(files.values().map(|file| file.bytes.len() + 8).sum());
    let mut waits: BTreeMap<&str, usize> = BTreeMap::new();
    let mut importers: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, file) in files {
        let imports: BTreeSet<&str> = file.dependencies.iter().map(String::as_str).collect();
        waits.insert(name, imports.len());
        for import in imports {
            importers.entry(import).or_default().push(name);
        }
    }
    let mut ready: BTreeSet<&str> = waits.iter().filter(|(_, count)| **count == 0).map(|(name, _)| *name).collect();
    while let Some(name) = ready.pop_first() {
        waits.remove(name);
        let Some(file) = files.get(name) else { continue };
        FileDescriptor { name: String::new(), dependencies: Vec::new(), bytes: &file.bytes }.append_to(&mut set);
        for importer in importers.get(name).into_iter().flatten() {
            if let Some(count) = waits.get_mut(importer) {
                *count -= 1;
                if *count == 0 {
                    ready.insert(importer);
                }
            }
        }
    }
    match waits.keys().next() {
        None => Ok(set),
        Some(first) => {
            // As many steps as there are files lead from any of them into a circle.
            let step = |name: &&str| {
                let imports = files.get(*name).map(|file| &*file.dependencies).unwrap_or_default();
                imports.iter().map(String::as_str).find(|import| waits.contains_key(import))
            };
            let name = std::iter::successors(Some(*first), step).nth(waits.len()).unwrap_or(first);
            problem(format!("its files import each other in a circle, `{name}` among them"))
        }
    }
}

/// Every file that comes with the gateway.
fn bundled() -> &'static [FileDescriptor<'static>] {
    static SET: OnceLock<Vec<u8>> = OnceLock::new();
    static FILES: OnceLock<Vec<FileDescriptor<'static>>> = OnceLock::new();
    FILES.get_or_init(|| {
        let set = SET.get_or_init(in_process::everything_bundled);
        FileDescriptor::of_set(set).unwrap_or_default()
    })
}

/// An error in the server's own words, cut and without line breaks: it may end in a log.
fn said(code: u32, message: &str) -> String {
    let message: String = message.chars().filter(|c| !c.is_control()).take(QUOTED).collect();
    format!("{}: {message}", Code::from_u32(code).name())
}

/// Names in it are the server's: cut, and nothing that a terminal obeys.
fn problem<T>(message: impl AsRef<str>) -> Result<T, ReflectionProblem> {
    let plain = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    Err(ReflectionProblem(message.as_ref().chars().map(plain).take(PROBLEM_MAX).collect()))
}
