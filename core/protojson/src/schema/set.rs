//! `google.protobuf.FileDescriptorSet`, file by file.

use super::descriptor;
use super::error::{SchemaError, SchemaErrorKind};
use crate::wire::{WireType, put_len_prefixed, put_tag};

/// `FileDescriptorSet.file`.
const FILE: u32 = 1;

/// One file of a descriptor set: what it is called and what it imports. The rest stays in its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileDescriptor<'a> {
    /// Its import path.
    pub name: String,
    /// The import paths that it depends on.
    pub dependencies: Vec<String>,
    /// A serialized `google.protobuf.FileDescriptorProto`.
    pub bytes: &'a [u8],
}

impl<'a> FileDescriptor<'a> {
    /// Reads one serialized `google.protobuf.FileDescriptorProto`.
    ///
    /// # Errors
    /// The bytes are none, or a name is not UTF-8.
    pub fn read(bytes: &'a [u8]) -> Result<Self, SchemaError> {
        let (mut name, mut dependencies) = (String::new(), Vec::new());
        let read = descriptor::each(bytes, |number, value| {
            match number {
                1 => name = value.text()?,
                3 => dependencies.push(value.text()?),
                _ => {}
            }
            Ok(())
        });
        match read {
            Ok(()) => Ok(Self { name, dependencies, bytes }),
            Err(kind) => Err(SchemaError::new(&name, "", kind)),
        }
    }

    /// The files of a serialized `google.protobuf.FileDescriptorSet`, in its order.
    ///
    /// # Errors
    /// The bytes are none, or a name is not UTF-8.
    pub fn of_set(set: &'a [u8]) -> Result<Vec<Self>, SchemaError> {
        raw_files(set).map_err(|kind| SchemaError::new("", "", kind))?.into_iter().map(Self::read).collect()
    }

    /// Appends the file to a serialized `google.protobuf.FileDescriptorSet`.
    pub fn append_to(&self, set: &mut Vec<u8>) {
        append(set, self.bytes);
    }
}

/// The serialized files of a set.
pub(super) fn raw_files(set: &[u8]) -> Result<Vec<&[u8]>, SchemaErrorKind> {
    let mut files = Vec::new();
    descriptor::each(set, |number, value| {
        if number == FILE {
            files.push(value.bytes());
        }
        Ok(())
    })?;
    Ok(files)
}

/// Appends a serialized file to a set.
pub(super) fn append(set: &mut Vec<u8>, file: &[u8]) {
    put_tag(set, FILE, WireType::Len);
    put_len_prefixed(set, file);
}
