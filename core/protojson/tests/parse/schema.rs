//! Descriptors → tables. Editions are written by hand, byte by byte: compilers in Rust know none.

use crate::support::{PROTO2, PROTO3, check_as, g, m, refuse_as, s, schema, v};
use tidegate_protojson::Schema;
use tidegate_protojson::schema::{Cardinality, Field, FileDescriptor, Kind, Presence, WellKnown};

// === descriptor.proto, field by field ===

const OPTIONAL: i64 = 1;
const REQUIRED: i64 = 2;
const REPEATED: i64 = 3;
const INT32: i64 = 5;
const STRING: i64 = 9;
const MESSAGE: i64 = 11;
const ENUM: i64 = 14;

/// A file of an edition, with what else it has.
fn edition(number: i64, parts: &[Vec<u8>]) -> Vec<u8> {
    m(1, &[s(1, "e.proto"), s(2, "e"), s(12, "editions"), v(14, number), parts.concat()])
}

fn message(name: &str, parts: &[Vec<u8>]) -> Vec<u8> {
    m(4, &[s(1, name), parts.concat()])
}

fn field(name: &str, number: i64, label: i64, kind: i64, parts: &[Vec<u8>]) -> Vec<u8> {
    m(2, &[s(1, name), v(3, number), v(4, label), v(5, kind), parts.concat()])
}

fn type_name(name: &str) -> Vec<u8> {
    s(6, name)
}

fn enumeration(name: &str, parts: &[Vec<u8>]) -> Vec<u8> {
    m(5, &[s(1, name), m(2, &[s(1, "ZERO"), v(2, 0)]), parts.concat()])
}

/// The options of a field, message, enum, oneof or file, with these features.
fn features(options: u64, at: u64, set: &[(u64, i64)]) -> Vec<u8> {
    let set: Vec<Vec<u8>> = set.iter().map(|(number, value)| v(*number, *value)).collect();
    m(options, &[m(at, &set)])
}

fn field_features(set: &[(u64, i64)]) -> Vec<u8> {
    features(8, 21, set)
}

const PRESENCE: u64 = 1;
const ENUM_TYPE: u64 = 2;
const ENCODING: u64 = 3;
const UTF8: u64 = 4;
const MESSAGES: u64 = 5;

fn compile(set: &[u8]) -> Schema {
    Schema::compile(&[set]).unwrap_or_else(|error| panic!("{error}"))
}

#[track_caller]
fn broken(set: &[u8], want: &str) {
    assert_eq!(Schema::compile(&[set]).map(drop).map_err(|error| error.to_string()), Err(want.to_owned()));
}

fn find<'s>(schema: &'s Schema, path: &str) -> &'s Field {
    let (message, name) = path.rsplit_once('/').expect("message/field");
    let id = schema.find_message(message).unwrap_or_else(|| panic!("no message {message}"));
    schema.field(schema.find_field(id, name).unwrap_or_else(|| panic!("no field {name}")))
}

/// What features decide of a field: presence, packed, UTF-8 checked, delimited.
fn traits(field: &Field) -> (Presence, bool, bool, bool) {
    (field.presence, field.packed, field.verify_utf8, matches!(field.kind, Kind::Group(_)))
}

/// A file with one field of each sort, with these options of the file and of the message.
fn sorts(number: i64, file: &[u8], holder: &[u8]) -> Schema {
    let entry = [
        s(1, "MapEntry"),
        field("key", 1, OPTIONAL, STRING, &[]),
        field("value", 2, OPTIONAL, MESSAGE, &[type_name(".e.Inner")]),
        m(7, &[v(7, 1)]),
    ];
    compile(&edition(
        number,
        &[
            file.to_vec(),
            message("Inner", &[]),
            message(
                "M",
                &[
                    holder.to_vec(),
                    field("plain", 1, OPTIONAL, STRING, &[]),
                    field("list", 2, REPEATED, INT32, &[]),
                    field("inner", 3, OPTIONAL, MESSAGE, &[type_name(".e.Inner")]),
                    field("map", 4, REPEATED, MESSAGE, &[type_name(".e.M.MapEntry")]),
                    field("kind", 5, OPTIONAL, ENUM, &[type_name(".e.M.Kind")]),
                    m(3, &entry),
                    m(4, &[s(1, "Kind"), m(2, &[s(1, "ZERO"), v(2, 0)])]),
                ],
            ),
            enumeration("Outer", &[]),
        ],
    ))
}

// === features ===

#[test]
fn defaults_of_the_editions() {
    for number in [1000, 1001] {
        let schema = sorts(number, &[], &[]);
        assert_eq!(traits(find(&schema, "e.M/plain")), (Presence::Explicit, false, true, false));
        assert_eq!(traits(find(&schema, "e.M/list")), (Presence::Implicit, true, true, false));
        assert_eq!(traits(find(&schema, "e.M/inner")), (Presence::Explicit, false, true, false));
        assert_eq!(find(&schema, "e.M/map").cardinality, Cardinality::Map);
        for name in ["e.M.Kind", "e.Outer"] {
            assert!(!schema.enumeration(schema.find_enum(name).expect("the enum")).closed);
        }
    }
}

#[test]
fn features_of_a_file_reach_all_that_is_in_it() {
    let all = [(PRESENCE, 2), (ENUM_TYPE, 2), (ENCODING, 2), (UTF8, 3), (MESSAGES, 2)];
    let schema = sorts(1000, &features(8, 50, &all), &[]);
    assert_eq!(traits(find(&schema, "e.M/plain")), (Presence::Implicit, false, false, false));
    assert_eq!(traits(find(&schema, "e.M/list")), (Presence::Implicit, false, false, false));
    assert_eq!(traits(find(&schema, "e.M/inner")), (Presence::Explicit, false, false, true));
    for name in ["e.M.Kind", "e.Outer"] {
        assert!(schema.enumeration(schema.find_enum(name).expect("the enum")).closed);
    }
    // Maps and the messages in them keep their lengths.
    assert_eq!(find(&schema, "e.M/map").cardinality, Cardinality::Map);
    assert!(matches!(find(&schema, "e.M/map").kind, Kind::Message(_)));
    assert!(matches!(find(&schema, "e.M.MapEntry/value").kind, Kind::Message(_)));
}

#[test]
fn features_of_a_message_reach_its_fields_and_enums_but_no_others() {
    let schema = sorts(1001, &[], &features(7, 12, &[(PRESENCE, 2), (ENUM_TYPE, 2), (MESSAGES, 2)]));
    assert_eq!(traits(find(&schema, "e.M/plain")), (Presence::Implicit, false, true, false));
    assert_eq!(traits(find(&schema, "e.M/inner")), (Presence::Explicit, false, true, true));
    assert!(schema.enumeration(schema.find_enum("e.M.Kind").expect("the enum")).closed);
    assert!(!schema.enumeration(schema.find_enum("e.Outer").expect("the enum")).closed);
}

#[test]
fn features_of_fields_enums_and_oneofs() {
    let schema = compile(&edition(
        1000,
        &[
            features(8, 50, &[(PRESENCE, 2)]),
            message("Inner", &[]),
            enumeration("Open", &[]),
            enumeration("Closed", &[features(3, 7, &[(ENUM_TYPE, 2)])]),
            message(
                "M",
                &[
                    field("implicit", 1, OPTIONAL, INT32, &[]),
                    field("explicit", 2, OPTIONAL, INT32, &[field_features(&[(PRESENCE, 1)])]),
                    field("needed", 3, OPTIONAL, INT32, &[field_features(&[(PRESENCE, 3)])]),
                    field("packed", 4, REPEATED, INT32, &[]),
                    field("expanded", 5, REPEATED, INT32, &[field_features(&[(ENCODING, 2)])]),
                    field("grouped", 6, OPTIONAL, MESSAGE, &[type_name(".e.Inner"), field_features(&[(MESSAGES, 2)])]),
                    field("groups", 7, REPEATED, MESSAGE, &[type_name(".e.Inner"), field_features(&[(MESSAGES, 2)])]),
                    field("raw", 8, OPTIONAL, STRING, &[field_features(&[(UTF8, 3)])]),
                    field("member", 9, OPTIONAL, STRING, &[v(9, 0)]),
                    m(8, &[s(1, "choice"), features(2, 1, &[(UTF8, 3)])]),
                ],
            ),
        ],
    ));
    assert_eq!(find(&schema, "e.M/implicit").presence, Presence::Implicit);
    assert_eq!(find(&schema, "e.M/explicit").presence, Presence::Explicit);
    assert_eq!(find(&schema, "e.M/needed").presence, Presence::Required);
    assert!(find(&schema, "e.M/packed").packed);
    assert!(!find(&schema, "e.M/expanded").packed);
    assert!(matches!(find(&schema, "e.M/grouped").kind, Kind::Group(_)));
    assert!(matches!(find(&schema, "e.M/groups").kind, Kind::Group(_)));
    assert!(!find(&schema, "e.M/raw").verify_utf8);
    // A member of a oneof has presence, and inherits from the oneof.
    assert_eq!(traits(find(&schema, "e.M/member")), (Presence::Explicit, false, false, false));
    assert!(!schema.enumeration(schema.find_enum("e.Open").expect("the enum")).closed);
    assert!(schema.enumeration(schema.find_enum("e.Closed").expect("the enum")).closed);

    check_as(&schema, "e.M", r#"{"implicit":0,"explicit":0,"needed":0}"#, &[v(2, 0), v(3, 0)]);
    check_as(
        &schema,
        "e.M",
        r#"{"needed":1,"packed":[1],"expanded":[1],"grouped":{},"groups":[{},{}],"member":""}"#,
        &[v(3, 1), s(4, [1]), v(5, 1), g(6, &[]), g(7, &[]), g(7, &[]), s(9, "")],
    );
    refuse_as(&schema, "e.M", b"{}", "required fields of e.M are missing: needed (byte 0)");
}

#[test]
fn features_of_an_extension_are_those_of_where_it_is_declared() {
    let extension = |at: u64, name: &str, number: i64| {
        m(at, &[s(1, name), s(2, ".e.M"), v(3, number), v(4, OPTIONAL), v(5, MESSAGE), type_name(".e.Inner")])
    };
    let schema = compile(&edition(
        1000,
        &[
            message("Inner", &[]),
            message("M", &[]),
            message("Scope", &[features(7, 12, &[(MESSAGES, 2)]), extension(6, "inside", 101)]),
            extension(7, "outside", 100),
        ],
    ));
    assert!(matches!(find(&schema, "e.M/[e.outside]").kind, Kind::Message(_)));
    assert!(matches!(find(&schema, "e.M/[e.Scope.inside]").kind, Kind::Group(_)));
}

#[test]
fn proto2_and_proto3() {
    let plain = find(&PROTO2, "t2.M/text");
    assert_eq!(traits(plain), (Presence::Explicit, false, false, false));
    assert_eq!(traits(find(&PROTO2, "t2.M/loose")), (Presence::Implicit, false, false, false));
    assert_eq!(traits(find(&PROTO2, "t2.M/packed")), (Presence::Implicit, true, false, false));
    assert_eq!(traits(find(&PROTO2, "t2.M/part")), (Presence::Explicit, false, false, true));
    assert_eq!(traits(find(&PROTO2, "t2.Needs/id")), (Presence::Required, false, false, false));
    assert_eq!(traits(find(&PROTO3, "t.M/text")), (Presence::Implicit, false, true, false));
    assert_eq!(traits(find(&PROTO3, "t.M/maybe")), (Presence::Explicit, false, true, false));
    assert_eq!(traits(find(&PROTO3, "t.M/inner")), (Presence::Explicit, false, true, false));
    assert_eq!(traits(find(&PROTO3, "t.M/ints")), (Presence::Implicit, true, true, false));
    assert_eq!(traits(find(&PROTO3, "t.M/loose")), (Presence::Implicit, false, true, false));
    assert!(PROTO2.enumeration(PROTO2.find_enum("t2.Kind").expect("the enum")).closed);
    assert!(!PROTO3.enumeration(PROTO3.find_enum("t.Kind").expect("the enum")).closed);
}

#[test]
fn other_editions_are_refused() {
    broken(&edition(1002, &[]), "e.proto: edition 1002 is not supported (proto2, proto3, editions 2023 and 2024 are)");
    broken(&edition(0, &[]), "e.proto: edition 0 is not supported (proto2, proto3, editions 2023 and 2024 are)");
    let proto4 = m(1, &[s(1, "a.proto"), s(12, "proto4")]);
    broken(&proto4, "a.proto: syntax proto4 is not supported (proto2, proto3, editions 2023 and 2024 are)");
}

// === names, numbers, oneofs ===

#[test]
fn oneofs_are_those_that_were_written() {
    let message = PROTO3.message(PROTO3.find_message("t.M").expect("the message"));
    assert_eq!(message.oneofs().collect::<Vec<_>>(), ["choice", "_other"]);
    assert_eq!(find(&PROTO3, "t.M/one").oneof, Some(0));
    assert_eq!(find(&PROTO3, "t.M/anyJson").oneof, Some(0));
    assert_eq!(find(&PROTO3, "t.M/lone").oneof, Some(1));
    assert_eq!(find(&PROTO3, "t.M/maybe").oneof, None);
}

#[test]
fn fields_are_found_by_every_name_and_number() {
    for (path, number, json_name) in [
        ("t.M/twoWords", 19, "twoWords"),
        ("t.M/two_words", 19, "twoWords"),
        ("t.M/@other name\"", 20, "@other name\""),
        ("t.M/renamed", 20, "@other name\""),
        ("t.Wide/a66", 536_870_911, "a66"),
        ("t.Wide/a64", 300, "a64"),
    ] {
        let field = find(&PROTO3, path);
        assert_eq!((field.number, &*field.json_name), (number, json_name));
        let by_number = PROTO3.field_by_number(field.message, number).expect("the number");
        assert_eq!(PROTO3.field(by_number).json_name, field.json_name);
    }
    let id = PROTO3.find_message("t.Wide").expect("the message");
    for number in [0, 65, 255, 256, 299, 304, 536_870_910, u32::MAX] {
        assert_eq!(PROTO3.field_by_number(id, number), None, "{number}");
    }
    assert_eq!(PROTO3.find_field(id, "a67"), None);
    assert_eq!(PROTO3.find_message("t.Missing"), None);
    assert_eq!(find(&PROTO2, "t2.M/[t2.Scope.local]").number, 103);
    assert_eq!(find(&PROTO2, "t2.M/part").name, "part".into());
}

#[test]
fn a_descriptor_without_json_names_gets_the_usual_ones() {
    let names = ["foo", "foo_bar", "_foo", "foo__bar_", "foo_1a", "fooBar", "FOO_bar", "__x"];
    let fields: Vec<Vec<u8>> =
        (1..).zip(names).map(|(number, name)| field(name, number, OPTIONAL, INT32, &[])).collect();
    let schema = compile(&edition(1000, &[message("M", &fields)]));
    let id = schema.find_message("e.M").expect("the message");
    let got: Vec<&str> = schema.fields(id).map(|(_, field)| &*field.json_name).collect();
    assert_eq!(got, ["foo", "fooBar", "Foo", "fooBar", "foo1a", "fooBar", "FOOBar", "X"]);
}

#[test]
fn enums_know_their_values_and_aliases() {
    let kind = PROTO3.enumeration(PROTO3.find_enum("t.Kind").expect("the enum"));
    assert_eq!(kind.values().collect::<Vec<_>>(), [(-1, "BAD"), (0, "NONE"), (1, "GOOD")]);
    assert_eq!(kind.names().collect::<Vec<_>>(), ["NONE", "GOOD", "FINE", "BAD"]);
    assert_eq!([kind.number("FINE"), kind.number("BAD"), kind.number("good")], [Some(1), Some(-1), None]);
    assert_eq!([kind.name(1), kind.name(-1), kind.name(2)], [Some("GOOD"), Some("BAD"), None]);
    assert_eq!(kind.default, 0);
    assert_eq!(PROTO2.enumeration(PROTO2.find_enum("t2.Kind").expect("the enum")).default, 1);
}

#[test]
fn well_known_messages_are_known_by_name() {
    let kind_of = |name: &str| PROTO3.message(PROTO3.find_message(name).expect("the message")).well_known;
    assert_eq!(kind_of("google.protobuf.Any"), WellKnown::Any);
    assert_eq!(kind_of("google.protobuf.Timestamp"), WellKnown::Timestamp);
    assert_eq!(kind_of("google.protobuf.UInt64Value"), WellKnown::Wrapper);
    assert_eq!(kind_of("google.protobuf.Empty"), WellKnown::Empty);
    assert_eq!(kind_of("t.M"), WellKnown::None);
}

#[test]
fn services_keep_their_methods_and_options() {
    let schema = schema(
        r#"syntax = "proto3"; package p;
        import "google/protobuf/empty.proto";
        message In {}
        service S {
          rpc One(In) returns (google.protobuf.Empty) { option deprecated = true; }
          rpc Two(stream In) returns (In);
          rpc Three(stream .p.In) returns (stream In);
        }
        service T {}"#,
    );
    let service = schema.find_service("p.S").expect("the service");
    assert_eq!((&*service.full_name, &*service.file), ("p.S", "test.proto"));
    let methods: Vec<(&str, &str, &str, bool, bool, &[u8])> = (service.methods.iter())
        .map(|method| {
            let name = |id| &*schema.message(id).full_name;
            let (input, output) = (name(method.input), name(method.output));
            (&*method.name, input, output, method.client_streaming, method.server_streaming, &*method.options)
        })
        .collect();
    assert_eq!(
        methods,
        [
            ("One", "p.In", "google.protobuf.Empty", false, false, &v(33, 1)[..]),
            ("Two", "p.In", "p.In", true, false, &[]),
            ("Three", "p.In", "p.In", true, true, &[]),
        ]
    );
    assert_eq!(schema.services().len(), 2);
    assert!(schema.find_service("p.U").is_none());
}

#[test]
fn of_a_file_in_two_sets_the_first_counts() {
    let first = edition(1000, &[message("M", &[field("a", 1, OPTIONAL, INT32, &[])])]);
    let second = edition(1000, &[message("M", &[field("b", 1, OPTIONAL, INT32, &[])])]);
    let other = m(1, &[s(1, "f.proto"), message("N", &[field("m", 1, OPTIONAL, MESSAGE, &[type_name(".e.M")])])]);
    let schema = Schema::compile(&[&first, &[second, other].concat()]).expect("they compile");
    assert_eq!(find(&schema, "e.M/a").number, 1);
    assert_eq!(find(&schema, "N/m").number, 1);
}

// === what cannot be compiled ===

#[test]
fn broken_descriptors_are_named() {
    let one = |parts: &[Vec<u8>]| edition(1000, &[message("M", parts)]);
    broken(&[0xff], "not a FileDescriptorSet");
    broken(&one(&[field("a", 0, OPTIONAL, INT32, &[])]), "e.proto: e.M.a: field number 0 is invalid or used twice");
    broken(
        &one(&[field("a", 1 << 29, OPTIONAL, INT32, &[])]),
        "e.proto: e.M.a: field number 536870912 is invalid or used twice",
    );
    broken(
        &one(&[field("a", 7, OPTIONAL, INT32, &[]), field("b", 7, OPTIONAL, INT32, &[])]),
        "e.proto: e.M: field number 7 is invalid or used twice",
    );
    broken(&one(&[field("a", 1, OPTIONAL, 0, &[])]), "e.proto: e.M.a: field type 0 is unknown");
    broken(&one(&[field("a", 1, OPTIONAL, 19, &[])]), "e.proto: e.M.a: field type 19 is unknown");
    broken(
        &one(&[field("a", 1, OPTIONAL, MESSAGE, &[type_name(".e.N")])]),
        "e.proto: e.M.a: type e.N is not in the descriptor set; build it with --include_imports",
    );
    broken(
        &one(&[field("a", 1, OPTIONAL, ENUM, &[type_name(".e.M")])]),
        "e.proto: e.M.a: type e.M is not in the descriptor set; build it with --include_imports",
    );
    broken(&edition(1000, &[message("M", &[]), message("M", &[])]), "e.proto: e.M: declared twice");
    broken(&edition(1000, &[m(5, &[s(1, "K")])]), "e.proto: e.K: an enum needs a value");
    broken(&one(&[m(7, &[v(7, 1)])]), "e.proto: e.M: a map entry needs key = 1 and value = 2");
    broken(&edition(1000, &[message("M", &[]), s(2, [0xff])]), "a name is not UTF-8");
    broken(
        &edition(1000, &[m(6, &[s(1, "S"), m(2, &[s(1, "Get"), s(2, ".e.In"), s(3, ".e.In")])])]),
        "e.proto: e.S.Get: type e.In is not in the descriptor set; build it with --include_imports",
    );
}

#[test]
fn required_is_seen_through_messages_that_hold_each_other() {
    // A required field is checked behind lists, maps, groups and cycles.
    let schema = schema(
        r#"syntax = "proto2"; package p;
        message A { optional B b = 1; map<string, A> more = 2; }
        message B { repeated A a = 1; optional C c = 2; }
        message C { required int32 id = 1; }"#,
    );
    refuse_as(
        &schema,
        "p.A",
        br#"{"b":{"a":[{"more":{"k":{"b":{"c":{}}}}}]}}"#,
        "b.a[0].more[\"k\"].b.c: required fields of p.C are missing: id (byte 34)",
    );
    check_as(&schema, "p.A", r#"{"b":{"a":[{}]}}"#, &[m(1, &[s(1, "")])]);
}

#[test]
fn required_by_label_too() {
    let set = m(1, &[s(1, "a.proto"), message("M", &[field("a", 1, REQUIRED, INT32, &[])])]);
    refuse_as(&compile(&set), "M", b"{}", "required fields of M are missing: a (byte 0)");
}

#[test]
fn descriptors_that_lie_do_no_harm() {
    // Well-known names with other fields, maps with keys that no map has.
    let lies = |name: &str, parts: &[Vec<u8>]| {
        let file = [s(1, "l.proto"), s(2, "google.protobuf"), s(12, "proto3"), message(name, parts)];
        compile(&m(1, &file))
    };
    for name in ["Any", "Struct", "Value", "ListValue", "Timestamp", "Int32Value", "Empty", "FieldMask"] {
        let full = format!("google.protobuf.{name}");
        let schema = lies(name, &[]);
        for json in ["{}", "[]", "1", "\"x\"", "null", r#"{"a":[1,{}]}"#, r#"{"value":1}"#] {
            let _ = crate::support::translate(
                &schema,
                &full,
                json.as_bytes(),
                &tidegate_protojson::ParseOptions::default(),
            );
        }
    }
    let entry =
        [s(1, "Entry"), field("key", 1, OPTIONAL, 1, &[]), field("value", 2, OPTIONAL, INT32, &[]), m(7, &[v(7, 1)])];
    let file =
        [s(1, "l.proto"), message("M", &[field("map", 1, REPEATED, MESSAGE, &[type_name(".M.Entry")]), m(3, &entry)])];
    let schema = compile(&m(1, &file));
    refuse_as(&schema, "M", br#"{"map":{"1":1}}"#, "map[\"1\"]: expected double, found string \"1\" (byte 8)");
}

#[test]
fn a_set_cut_anywhere_does_not_panic() {
    let set = crate::support::descriptors(include_str!("proto2.proto"));
    for len in 0..set.len() {
        let _ = Schema::compile(&[&set[..len]]);
    }
    for place in 0..set.len() {
        let mut broken = set.clone();
        broken[place] ^= 0x55;
        let _ = Schema::compile(&[&broken]);
    }
}

#[test]
fn the_descriptors_that_it_was_compiled_from_stay_each_file_once() {
    let file = |name: &str, parts: &[Vec<u8>]| m(1, &[s(1, name), parts.concat()]);
    let first = [file("a.proto", &[s(2, "a")]), file("b.proto", &[s(3, "a.proto"), s(3, "c.proto")])].concat();
    let second = [file("a.proto", &[s(2, "other")]), file("c.proto", &[])].concat();
    let schema = Schema::compile(&[&first, &second]).expect("files without types");
    assert_eq!(schema.descriptor_set(), [first, file("c.proto", &[])].concat());
    let files = FileDescriptor::of_set(schema.descriptor_set()).expect("a set");
    let names: Vec<_> = files.iter().map(|file| (file.name.as_str(), file.dependencies.clone())).collect();
    let b = ["a.proto", "c.proto"].map(String::from).to_vec();
    assert_eq!(names, [("a.proto", vec![]), ("b.proto", b), ("c.proto", vec![])]);
    let mut again = Vec::new();
    files.iter().for_each(|file| file.append_to(&mut again));
    assert_eq!(again, schema.descriptor_set());
}
