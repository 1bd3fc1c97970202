//! What there is to reflect: the descriptors behind the services of one host pattern, by name.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use tidegate_protojson::Schema;
use tidegate_protojson::wire::{Reader, WireError, WireType};

/// Groups nested deeper than this are no descriptors.
const DEPTH: u32 = 100;

/// The files of some schemas. Of two files with one name, or of two that declare one symbol, the first
/// route's counts.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    schemas: Vec<Arc<Schema>>,
    services: Vec<Box<str>>,
    files: HashMap<Box<str>, File>,
    symbols: HashMap<Box<str>, File>,
    extensions: HashMap<(Box<str>, i32), File>,
}

/// A `FileDescriptorProto`: where it stands in its schema's descriptor set.
#[derive(Clone, Debug)]
struct File {
    schema: usize,
    bytes: Range<usize>,
}

impl Catalog {
    /// The services of some routes, with the schemas that they are served by.
    pub(super) fn compile<'s>(routes: impl Iterator<Item = (&'s str, Arc<Schema>)>) -> Self {
        let mut catalog = Self::default();
        for (service, schema) in routes {
            if !catalog.services.iter().any(|known| **known == *service) {
                catalog.services.push(service.into());
            }
            if !catalog.schemas.iter().any(|known| Arc::ptr_eq(known, &schema)) {
                catalog.schemas.push(Arc::clone(&schema));
                // They were compiled, so that they can be read.
                let _ = catalog.add_files(&schema);
            }
        }
        catalog
    }

    pub(super) fn services(&self) -> impl Iterator<Item = &str> {
        self.services.iter().map(|name| &**name)
    }

    pub(super) fn file(&self, name: &str) -> Option<&[u8]> {
        self.files.get(name).map(|file| self.bytes(file))
    }

    /// The file that declares a symbol: a message, field, oneof, enum, enum value, extension, service or method.
    pub(super) fn file_with(&self, symbol: &str) -> Option<&[u8]> {
        self.symbols.get(symbol.strip_prefix('.').unwrap_or(symbol)).map(|file| self.bytes(file))
    }

    pub(super) fn file_extending(&self, message: &str, number: i32) -> Option<&[u8]> {
        self.extensions.get(&(Box::from(message), number)).map(|file| self.bytes(file))
    }

    pub(super) fn extensions_of(&self, message: &str) -> impl Iterator<Item = i32> {
        self.extensions.keys().filter(move |(extended, _)| **extended == *message).map(|(_, number)| *number)
    }

    fn bytes(&self, file: &File) -> &[u8] {
        &self.schemas[file.schema].descriptor_set()[file.bytes.clone()]
    }

    /// `FileDescriptorSet`
    fn add_files(&mut self, schema: &Schema) -> Result<(), WireError> {
        let mut reader = Reader::new(schema.descriptor_set());
        while !reader.is_empty() {
            match reader.tag()? {
                (1, WireType::Len) => {
                    let file = reader.len_prefixed()?;
                    let end = reader.position();
                    let bytes = end - file.len()..end;
                    self.add_file(file, &File { schema: self.schemas.len() - 1, bytes })?;
                }
                (number, wire_type) => reader.skip(number, wire_type, DEPTH)?,
            }
        }
        Ok(())
    }

    /// `FileDescriptorProto`
    fn add_file(&mut self, wire: &[u8], file: &File) -> Result<(), WireError> {
        let (mut name, mut package) = ("", "");
        each(wire, |number, value| {
            match number {
                1 => name = text(value),
                2 => package = text(value),
                _ => {}
            }
            Ok(())
        })?;
        self.files.entry(name.into()).or_insert_with(|| file.clone());
        each(wire, |number, value| match number {
            4 => self.add_message(value, package, file),
            5 => self.add_enum(value, package, file),
            6 => self.add_parts(value, package, file, &[2]),
            7 => self.add_extension(value, package, file),
            _ => Ok(()),
        })
    }

    /// `DescriptorProto`
    fn add_message(&mut self, wire: &[u8], scope: &str, file: &File) -> Result<(), WireError> {
        let name = join(scope, name(wire)?);
        // Fields and oneofs.
        self.add_parts(wire, scope, file, &[2, 8])?;
        each(wire, |number, value| match number {
            3 => self.add_message(value, &name, file),
            4 => self.add_enum(value, &name, file),
            6 => self.add_extension(value, &name, file),
            _ => Ok(()),
        })
    }

    /// `EnumDescriptorProto`: its values stand beside it, not in it.
    fn add_enum(&mut self, wire: &[u8], scope: &str, file: &File) -> Result<(), WireError> {
        self.add_symbol(join(scope, name(wire)?), file);
        each(wire, |number, value| {
            if number == 2 {
                self.add_symbol(join(scope, name(value)?), file);
            }
            Ok(())
        })
    }

    /// A declaration, and the names of its parts, which are the fields with these numbers.
    fn add_parts(&mut self, wire: &[u8], scope: &str, file: &File, parts: &[u32]) -> Result<(), WireError> {
        let full_name = join(scope, name(wire)?);
        each(wire, |number, value| {
            if parts.contains(&number) {
                self.add_symbol(join(&full_name, name(value)?), file);
            }
            Ok(())
        })?;
        self.add_symbol(full_name, file);
        Ok(())
    }

    /// `FieldDescriptorProto` of an extension.
    fn add_extension(&mut self, wire: &[u8], scope: &str, file: &File) -> Result<(), WireError> {
        let (mut extended, mut field) = ("", 0);
        let mut reader = Reader::new(wire);
        while !reader.is_empty() {
            match reader.tag()? {
                (2, WireType::Len) => extended = text(reader.len_prefixed()?),
                (3, WireType::Varint) => field = i32::try_from(reader.varint()?).unwrap_or(0),
                (number, wire_type) => reader.skip(number, wire_type, DEPTH)?,
            }
        }
        let extended = extended.strip_prefix('.').unwrap_or(extended);
        self.extensions.entry((extended.into(), field)).or_insert_with(|| file.clone());
        self.add_symbol(join(scope, name(wire)?), file);
        Ok(())
    }

    fn add_symbol(&mut self, name: String, file: &File) {
        self.symbols.entry(name.into()).or_insert_with(|| file.clone());
    }
}

/// Field 1 of every declaration.
fn name(wire: &[u8]) -> Result<&str, WireError> {
    let mut name = "";
    each(wire, |number, value| {
        if number == 1 {
            name = text(value);
        }
        Ok(())
    })?;
    Ok(name)
}

/// Hands every length-prefixed field to `take`.
fn each<'w>(wire: &'w [u8], mut take: impl FnMut(u32, &'w [u8]) -> Result<(), WireError>) -> Result<(), WireError> {
    let mut reader = Reader::new(wire);
    while !reader.is_empty() {
        match reader.tag()? {
            (number, WireType::Len) => take(number, reader.len_prefixed()?)?,
            (number, wire_type) => reader.skip(number, wire_type, DEPTH)?,
        }
    }
    Ok(())
}

fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap_or_default()
}

fn join(scope: &str, name: &str) -> String {
    if scope.is_empty() { name.into() } else { format!("{scope}.{name}") }
}
