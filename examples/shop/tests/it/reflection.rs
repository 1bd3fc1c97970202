use std::collections::{BTreeMap, BTreeSet};

use prost::Message;
use prost_types::FileDescriptorProto;
use tidegate_shop::PROTO_FILES;
use tokio_stream::iter;
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};
use tonic_reflection::pb::v1alpha;

use crate::support::shop;

async fn ask(question: MessageRequest) -> MessageResponse {
    let mut client = ServerReflectionClient::new(shop());
    let request = ServerReflectionRequest { host: String::new(), message_request: Some(question) };
    let mut answers = client.server_reflection_info(iter([request])).await.unwrap().into_inner();
    answers.message().await.unwrap().unwrap().message_response.unwrap()
}

#[tokio::test]
async fn all_services_are_listed_in_both_versions() {
    let MessageResponse::ListServicesResponse(list) = ask(MessageRequest::ListServices(String::new())).await else {
        panic!("no list");
    };
    let mut names: BTreeSet<String> = list.service.into_iter().map(|service| service.name).collect();
    assert!(names.remove("grpc.reflection.v1.ServerReflection"));
    let expected = ["Customers", "Faults", "Inventory", "Orders", "Payments", "Shipping", "ShortLinks"];
    let mut expected: BTreeSet<String> = expected.iter().map(|name| format!("shop.v1.{name}")).collect();
    expected.insert("grpc.health.v1.Health".to_owned());
    assert_eq!(names, expected);

    let mut old = v1alpha::server_reflection_client::ServerReflectionClient::new(shop());
    let question = v1alpha::server_reflection_request::MessageRequest::ListServices(String::new());
    let request = v1alpha::ServerReflectionRequest { host: String::new(), message_request: Some(question) };
    let mut answers = old.server_reflection_info(iter([request])).await.unwrap().into_inner();
    let answer = answers.message().await.unwrap().unwrap().message_response.unwrap();
    let v1alpha::server_reflection_response::MessageResponse::ListServicesResponse(list) = answer else {
        panic!("no list");
    };
    assert_eq!(list.service.len(), expected.len() + 1);
}

#[tokio::test]
async fn every_file_is_had_with_all_that_it_imports_and_its_http_rules() {
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut wanted: Vec<String> = PROTO_FILES.iter().map(|(path, _)| (*path).to_owned()).collect();
    while let Some(path) = wanted.pop() {
        if files.contains_key(&path) {
            continue;
        }
        let answer = ask(MessageRequest::FileByFilename(path.clone())).await;
        let MessageResponse::FileDescriptorResponse(found) = answer else { panic!("no {path}: {answer:?}") };
        assert_eq!(found.file_descriptor_proto.len(), 1, "{path}");
        let file = FileDescriptorProto::decode(found.file_descriptor_proto[0].as_slice()).unwrap();
        wanted.extend(file.dependency);
        files.extend([path].into_iter().zip(found.file_descriptor_proto));
    }
    assert!(files.contains_key("google/api/http.proto"), "{:?}", files.keys());
    // Options that the server's own code does not know came along.
    let orders = &files["shop/v1/orders.proto"];
    let path = b"/v1/tenants/{tenant_id}/orders:watch";
    assert!(orders.windows(path.len()).any(|window| window == path));
}
