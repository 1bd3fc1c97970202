//! Query parameters.

use crate::harness::{check, check_with};
use tidegate_transcode::{Repeated, Strictness, TranscodeOptions};

/// Checks a query under `GET /a`.
#[track_caller]
fn query(query: &str, want: &str) {
    check("get: /a", &format!("GET /a?{query}"), want);
}

/// Checks that a query under `GET /a` is refused.
#[track_caller]
fn bad(text: &str, name: &str, want: &str) {
    query(text, &format!("400 query parameter `{name}`: {want}"));
}

#[test]
fn parameters_set_fields() {
    query("name=x&page_size=3&ratio=0.5&flag=true", r#"Do {"name":"x","pageSize":3,"flag":true,"ratio":0.5}"#);
    query("pageSize=3", r#"Do {"pageSize":3}"#);
    query("", "Do {}");
    query("&&name=x&", r#"Do {"name":"x"}"#);
    query("name=", "Do {}");
    query("name", "Do {}");
    query("name=a=b", r#"Do {"name":"a=b"}"#);
    query("flag=false", r#"Do {"flag":false}"#);
}

#[test]
fn names_and_values_are_decoded_and_plus_is_a_space() {
    query("name=a+b%2Bc%26d%3De", r#"Do {"name":"a b+c&d=e"}"#);
    query("n%61me=x", r#"Do {"name":"x"}"#);
    query("name=%E2%82%AC", r#"Do {"name":"€"}"#);
    query("name=a;b", r#"Do {"name":"a;b"}"#);
    query("nested%2Etext=x", r#"Do {"nested":{"text":"x"}}"#);
    bad("name=%zz", "name", "`%` without two hexadecimal digits");
    bad("name=%ff", "name", "the percent-decoded bytes are not UTF-8");
    bad("name=%4", "name", "`%` without two hexadecimal digits");
    bad("n%zz=1", "n%zz", "its name: `%` without two hexadecimal digits");
    bad("n%ff=1", "n%ff", "its name: the percent-decoded bytes are not UTF-8");
}

#[test]
fn nested_fields_are_named_by_their_path_in_either_spelling() {
    query("nested.text=a&nested.number=5", r#"Do {"nested":{"text":"a","number":5}}"#);
    query(
        "nested.deeper.deeper.text=a&nested.text=b",
        r#"Do {"nested":{"text":"b","deeper":{"deeper":{"text":"a"}}}}"#,
    );
    query("nested.deeper.text=a&nested.deeper.number=1", r#"Do {"nested":{"deeper":{"text":"a","number":1}}}"#);
    query("at.seconds=5", r#"Do {"at":"1970-01-01T00:00:05Z"}"#);
    check(
        "Old get: /a",
        "GET /a?id=y&part.text=x&part.inner.number=5",
        r#"Old {"id":"y","part":{"text":"x","inner":{"number":5}}}"#,
    );
    check("Old get: /a", "GET /a?[old.extra]=x&id=y", r#"Old {"id":"y","[old.extra]":"x"}"#);
}

#[test]
fn lists_of_scalars_are_repeated() {
    query("tags=a&tags=b&tags=a", r#"Do {"tags":["a","b","a"]}"#);
    query("numbers=1&name=x&numbers=2&numbers=0", r#"Do {"name":"x","numbers":[1,2,0]}"#);
    query("tags=", r#"Do {"tags":[""]}"#);
    query("manyKinds=KIND_ROUND&many_kinds=2", r#"Do {"manyKinds":["KIND_ROUND","KIND_SQUARE"]}"#);
    query("nested.words=a&nested.words=b", r#"Do {"nested":{"words":["a","b"]}}"#);
    check("Old get: /a", "GET /a?id=x&packed=1&packed=2", r#"Old {"id":"x","packed":[1,2]}"#);
}

#[test]
fn maps_are_written_with_their_key_in_brackets() {
    query("labels[a]=1&labels[b]=2", r#"Do {"labels":{"a":"1","b":"2"}}"#);
    query("labels%5Ba%5D=1", r#"Do {"labels":{"a":"1"}}"#);
    query("labels[a.b[c]]=1", r#"Do {"labels":{"a.b[c]":"1"}}"#);
    query("labels[]=1", r#"Do {"labels":{"":"1"}}"#);
    query("kinds[-7]=KIND_ROUND&kinds[8]=2", r#"Do {"kinds":{"-7":"KIND_ROUND","8":"KIND_SQUARE"}}"#);
    bad("labels=1", "labels", "`labels` is a map: write labels[key]");
    bad("labels[a=1", "labels[a", "`labels` is a map: write labels[key]");
    bad("labels.a=1", "labels.a", "`labels` is a map: write labels[key]");
    bad("kinds[x]=1", "kinds[x]", r#"its key: expected int32, found "x""#);
    bad("children[a]=1", "children[a]", "is a t.v1.Nested: give its fields one by one");
    bad("labels[a]=1&labels[a]=2", "labels[a]", "is given twice");
    bad("kinds[1]=1&kinds[1.0]=2", "kinds[1.0]", "is given twice");
}

#[test]
fn messages_with_a_text_are_one_parameter() {
    query("at=2026-01-02T03:04:05.678Z", r#"Do {"at":"2026-01-02T03:04:05.678Z"}"#);
    query("wait=3s", r#"Do {"wait":"3s"}"#);
    query("mask=a,b.c", r#"Do {"mask":"a,b.c"}"#);
    query("nickname=x&count=0", r#"Do {"nickname":"x","count":"0"}"#);
    query("nested.mask=a", r#"Do {"nested":{"mask":"a"}}"#);
}

#[test]
fn messages_without_one_are_refused() {
    bad("nested=1", "nested", "is a t.v1.Nested: give its fields one by one");
    bad("anything=1", "anything", "is a google.protobuf.Struct: give its fields one by one");
    bad("items=1", "items", "is a list of messages, which a query cannot say");
    bad("items.text=1", "items.text", "`items` is a list of messages, which a query cannot say");
    bad("times=2026-01-02T03:04:05Z", "times", "is a list of messages, which a query cannot say");
}

#[test]
fn values_that_their_field_cannot_hold_are_refused() {
    bad("page_size=abc", "page_size", r#"expected int32, found "abc""#);
    bad("page_size=", "page_size", r#"expected int32, found """#);
    bad("page_size=2147483648", "page_size", r#""2147483648" is out of range of int32"#);
    bad("big=-1", "big", r#""-1" is out of range of uint64"#);
    bad("flag=True", "flag", r#"expected bool, found "True""#);
    bad("flag=1", "flag", r#"expected bool, found "1""#);
    bad("kind=ROUND", "kind", r#""ROUND" is no value of enum t.v1.Kind"#);
    bad(
        "at=yesterday",
        "at",
        r#""yesterday" is no google.protobuf.Timestamp (a string as "2006-01-02T15:04:05.999Z", years 1 to 9999)"#,
    );
    query("kind=99", r#"Do {"kind":99}"#);
    query("small=3.4028235677973366e38", r#"Do {"small":3.4028235e+38}"#);
}

#[test]
fn unknown_parameters_are_refused() {
    bad("zzz=1", "zzz", "t.v1.Request has no field `zzz`");
    bad("page_zise=1", "page_zise", "t.v1.Request has no field `page_zise`, did you mean `page_size`?");
    bad("nested.txt=1", "nested.txt", "t.v1.Nested has no field `txt`, did you mean `text`?");
    bad("name.x=1", "name.x", "`name` has no fields");
    bad("name.=1", "name.", "`name` has no fields");
    bad(".name=1", ".name", "t.v1.Request has no field ``");
    bad("nested.=1", "nested.", "t.v1.Nested has no field ``");
    bad("name[a]=1", "name[a]", "`name` has no fields");
    bad("Name=1", "Name", "t.v1.Request has no field `Name`, did you mean `name`?");
    bad("=1", "", "t.v1.Request has no field ``");
    let options = TranscodeOptions { unknown_query: Strictness::Ignore, ..TranscodeOptions::default() };
    check_with(&options, "get: /a", "GET /a?nothing=1&name=x&nested.nothing=2", r#"Do {"name":"x"}"#);
    check_with(
        &options,
        "get: /a",
        "GET /a?page_size=x",
        r#"400 query parameter `page_size`: expected int32, found "x""#,
    );
}

#[test]
fn a_singular_field_is_given_once() {
    bad("name=a&name=b", "name", "is given twice");
    bad("page_size=1&pageSize=2", "pageSize", "is given twice");
    bad("nested.text=a&nested.text=a", "nested.text", "is given twice");
    bad("at=2026-01-02T03:04:05Z&at.seconds=5", "at.seconds", "is given twice");
}

#[test]
fn the_last_one_can_win() {
    let options = TranscodeOptions { repeated_query: Repeated::LastWins, ..TranscodeOptions::default() };
    let query = |query: &str, want: &str| check_with(&options, "get: /a", &format!("GET /a?{query}"), want);
    query("name=a&name=b", r#"Do {"name":"b"}"#);
    query("page_size=1&id=x&page_size=0", r#"Do {"id":"x"}"#);
    query("mask=a&id=x&mask=b&name=y&mask=c", r#"Do {"name":"y","id":"x","mask":"c"}"#);
    query(
        "at=2026-01-02T03:04:05.5Z&wait=1s&at=2026-01-02T03:04:05Z&wait=2s",
        r#"Do {"at":"2026-01-02T03:04:05Z","wait":"2s"}"#,
    );
    query("at=2026-01-02T03:04:05.5Z&at.seconds=5", "400 query parameter `at.seconds`: is given twice");
    query("mask.paths=a&mask.paths=b&mask=c", "400 query parameter `mask`: is given twice");
    query("tags=a&name=x&numbers=1&tags=b&name=y&numbers=2", r#"Do {"name":"y","tags":["a","b"],"numbers":[1,2]}"#);
    query("labels[a]=1&labels[b]=2&labels[a]=3", r#"Do {"labels":{"b":"2","a":"3"}}"#);
    query("tags=a&tags=b", r#"Do {"tags":["a","b"]}"#);
    query("left=a&right=1", "400 query parameter `right`: another member of its oneof is given");
}

#[test]
fn members_of_one_oneof_exclude_each_other() {
    bad("left=a&right=1", "right", "another member of its oneof is given");
    bad("left=a&both.text=b", "both.text", "another member of its oneof is given");
    bad("both.this=a&both.that=b", "both.that", "another member of its oneof is given");
    query("both.this=a&both.text=b", r#"Do {"both":{"text":"b","this":"a"}}"#);
    query("nested.this=a&both.that=b", r#"Do {"nested":{"this":"a"},"both":{"that":"b"}}"#);
}

#[test]
fn a_field_of_the_path_is_no_parameter() {
    let carried = "the path carries this field";
    check("get: /a/{id}", "GET /a/7?id=8", &format!("400 query parameter `id`: {carried}"));
    check("get: /a/{id}", "GET /a/7?id=7", &format!("400 query parameter `id`: {carried}"));
    check("get: /a/{nested.text}", "GET /a/7?nested.text=8", &format!("400 query parameter `nested.text`: {carried}"));
    check("get: /a/{nested.text}", "GET /a/7?nested.number=8", r#"Do {"nested":{"text":"7","number":8}}"#);
    check(
        "get: /a/{at}",
        "GET /a/2026-01-02T03:04:05Z?at.seconds=1",
        &format!("400 query parameter `at.seconds`: {carried}"),
    );
    check(
        "get: /a/{left}",
        "GET /a/7?right=8",
        "400 query parameter `right`: the path carries another member of its oneof",
    );
    let options = TranscodeOptions { overlapping_query: Strictness::Ignore, ..TranscodeOptions::default() };
    check_with(&options, "get: /a/{id}", "GET /a/7?id=8&name=x", r#"Do {"name":"x","id":"7"}"#);
}

#[test]
fn a_field_of_the_body_is_no_parameter() {
    let rule = "post: /a body: nested";
    check(rule, "POST /a?nested.text=8 {}", "400 query parameter `nested.text`: the body carries this field");
    check(rule, "POST /a?nested.text=8", "400 query parameter `nested.text`: the body carries this field");
    check(rule, r#"POST /a?name=8 {"text":"x"}"#, r#"Do {"name":"8","nested":{"text":"x"}}"#);
    check("post: /a body: tags", r#"POST /a?tags=8 ["x"]"#, "400 query parameter `tags`: the body carries this field");
    check(
        "post: /a body: both",
        r#"POST /a?left=8 {"text":"x"}"#,
        "400 query parameter `left`: the body carries another member of its oneof",
    );
    let options = TranscodeOptions { overlapping_query: Strictness::Ignore, ..TranscodeOptions::default() };
    check_with(&options, rule, r#"POST /a?nested.text=8&id=1 {"text":"x"}"#, r#"Do {"id":"1","nested":{"text":"x"}}"#);
}

#[test]
fn beside_a_whole_body_there_are_no_parameters() {
    let refused = "this method takes its request from path and body alone";
    check("post: /a body: *", "POST /a?name=x {}", &format!("400 query parameter `name`: {refused}"));
    check("post: /a body: *", "POST /a?nothing {}", &format!("400 query parameter `nothing`: {refused}"));
    check("post: /a body: *", "POST /a? {}", "Do {}");
    check("post: /a body: *", "POST /a?& {}", "Do {}");
    let options = TranscodeOptions { query_beside_body: Strictness::Ignore, ..TranscodeOptions::default() };
    check_with(&options, "post: /a body: *", r#"POST /a?name=x {"id":"1"}"#, r#"Do {"id":"1"}"#);
}

#[test]
fn depth_and_number_are_limited() {
    let deep = |levels: usize| format!("nested{}.text=x", ".deeper".repeat(levels));
    let name = deep(99).replace("=x", "");
    bad(&deep(99), &name[..100], "is nested too deeply");
    let many: String = (0..513).map(|n| format!("labels[{n}]=x&")).collect();
    bad(&many, "labels[512]", "more than 512 different parameters");
    let long: String = (0..3000).map(|n| format!("numbers={n}&")).collect();
    let want: Vec<String> = (0..3000).map(|n| n.to_string()).collect();
    query(&long, &format!(r#"Do {{"numbers":[{}]}}"#, want.join(",")));
}
