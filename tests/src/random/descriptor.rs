//! The part of `descriptor.proto` that random schemas use, editions included, which prost-types'
//! version of it does not know.

/// `FileDescriptorSet`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Set {
    #[prost(message, repeated, tag = "1")]
    pub(super) file: Vec<File>,
}

/// `FileDescriptorProto`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct File {
    #[prost(string, optional, tag = "1")]
    pub(super) name: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub(super) package: Option<String>,
    #[prost(string, repeated, tag = "3")]
    pub(super) dependency: Vec<String>,
    #[prost(message, repeated, tag = "4")]
    pub(super) message: Vec<Message>,
    #[prost(message, repeated, tag = "5")]
    pub(super) enumeration: Vec<Enum>,
    #[prost(message, repeated, tag = "7")]
    pub(super) extension: Vec<Field>,
    #[prost(message, optional, tag = "8")]
    pub(super) options: Option<FileOptions>,
    #[prost(string, optional, tag = "12")]
    pub(super) syntax: Option<String>,
    #[prost(int32, optional, tag = "14")]
    pub(super) edition: Option<i32>,
}

/// `DescriptorProto`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Message {
    #[prost(string, optional, tag = "1")]
    pub(super) name: Option<String>,
    #[prost(message, repeated, tag = "2")]
    pub(super) field: Vec<Field>,
    #[prost(message, repeated, tag = "3")]
    pub(super) nested: Vec<Message>,
    #[prost(message, repeated, tag = "5")]
    pub(super) extension_range: Vec<Range>,
    #[prost(message, optional, tag = "7")]
    pub(super) options: Option<MessageOptions>,
    #[prost(message, repeated, tag = "8")]
    pub(super) oneof: Vec<Oneof>,
}

/// `DescriptorProto.ExtensionRange`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(super) struct Range {
    #[prost(int32, optional, tag = "1")]
    pub(super) start: Option<i32>,
    #[prost(int32, optional, tag = "2")]
    pub(super) end: Option<i32>,
}

/// `FieldDescriptorProto`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Field {
    #[prost(string, optional, tag = "1")]
    pub(super) name: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub(super) extendee: Option<String>,
    #[prost(int32, optional, tag = "3")]
    pub(super) number: Option<i32>,
    #[prost(int32, optional, tag = "4")]
    pub(super) label: Option<i32>,
    #[prost(int32, optional, tag = "5")]
    pub(super) kind: Option<i32>,
    #[prost(string, optional, tag = "6")]
    pub(super) type_name: Option<String>,
    #[prost(string, optional, tag = "7")]
    pub(super) default_value: Option<String>,
    #[prost(message, optional, tag = "8")]
    pub(super) options: Option<FieldOptions>,
    #[prost(int32, optional, tag = "9")]
    pub(super) oneof_index: Option<i32>,
    #[prost(string, optional, tag = "10")]
    pub(super) json_name: Option<String>,
    #[prost(bool, optional, tag = "17")]
    pub(super) proto3_optional: Option<bool>,
}

/// `OneofDescriptorProto`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(super) struct Oneof {
    #[prost(string, optional, tag = "1")]
    pub(super) name: Option<String>,
}

/// `EnumDescriptorProto`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Enum {
    #[prost(string, optional, tag = "1")]
    pub(super) name: Option<String>,
    #[prost(message, repeated, tag = "2")]
    pub(super) value: Vec<EnumValue>,
    #[prost(message, optional, tag = "3")]
    pub(super) options: Option<EnumOptions>,
}

/// `EnumValueDescriptorProto`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(super) struct EnumValue {
    #[prost(string, optional, tag = "1")]
    pub(super) name: Option<String>,
    #[prost(int32, optional, tag = "2")]
    pub(super) number: Option<i32>,
}

/// `FileOptions`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(super) struct FileOptions {
    #[prost(message, optional, tag = "50")]
    pub(super) features: Option<Features>,
}

/// `MessageOptions`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(super) struct MessageOptions {
    #[prost(bool, optional, tag = "7")]
    pub(super) map_entry: Option<bool>,
}

/// `FieldOptions`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(super) struct FieldOptions {
    #[prost(bool, optional, tag = "2")]
    pub(super) packed: Option<bool>,
    #[prost(message, optional, tag = "21")]
    pub(super) features: Option<Features>,
}

/// `EnumOptions`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(super) struct EnumOptions {
    #[prost(bool, optional, tag = "2")]
    pub(super) allow_alias: Option<bool>,
    #[prost(message, optional, tag = "7")]
    pub(super) features: Option<Features>,
}

/// `FeatureSet`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(super) struct Features {
    /// 1 explicit, 2 implicit, 3 required
    #[prost(int32, optional, tag = "1")]
    pub(super) presence: Option<i32>,
    /// 1 open, 2 closed
    #[prost(int32, optional, tag = "2")]
    pub(super) enumeration: Option<i32>,
    /// 1 packed, 2 expanded
    #[prost(int32, optional, tag = "3")]
    pub(super) repeated: Option<i32>,
    /// 1 length-prefixed, 2 delimited
    #[prost(int32, optional, tag = "5")]
    pub(super) message: Option<i32>,
}
