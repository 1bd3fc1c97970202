use std::net::{Ipv4Addr, SocketAddr};

use tidegate_shop::{
    Shop,
    generated::shop::v1::{
        CreateLinkRequest, GetLinkRequest, Link, ResolveLinkRequest, short_links_client::ShortLinksClient,
    },
};
use tonic::{Code, client::Grpc, codegen::http::uri::PathAndQuery, transport::Channel};
use tonic_prost::ProstCodec;

use crate::support::shop;

const LOCALHOST: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

async fn connect(addr: SocketAddr) -> ShortLinksClient<Channel> {
    ShortLinksClient::connect(format!("http://{addr}")).await.unwrap()
}

fn create() -> CreateLinkRequest {
    CreateLinkRequest {
        link: Some(Link { code: "kept".to_owned(), url: "https://example.com".to_owned(), ..Default::default() }),
    }
}

#[tokio::test]
async fn a_shop_in_a_file_keeps_its_state_and_is_seeded_once() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("shop.db");
    let first = Shop::start(Some(&db), LOCALHOST).unwrap();
    let mut links = connect(first.addr()).await;
    let made = links.create_link(create()).await.unwrap().into_inner();
    links.resolve_link(ResolveLinkRequest { code: "docs".to_owned() }).await.unwrap();
    drop(links);
    first.shutdown().await.unwrap();

    let second = Shop::start(Some(&db), LOCALHOST).unwrap();
    let mut links = connect(second.addr()).await;
    let kept = links.get_link(GetLinkRequest { code: "kept".to_owned() }).await.unwrap().into_inner();
    assert_eq!(kept, made);
    let docs = links.get_link(GetLinkRequest { code: "docs".to_owned() }).await.unwrap().into_inner();
    assert_eq!(docs.visits, 1);
    drop(links);
    second.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_address_in_use_is_an_error_and_not_a_second_listener() {
    let first = Shop::start(None, LOCALHOST).unwrap();
    let error = Shop::start(None, first.addr()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    first.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_service_that_is_not_here_is_unimplemented() {
    let mut client = Grpc::new(shop());
    client.ready().await.unwrap();
    let path = PathAndQuery::from_static("/shop.v1.Returns/Open");
    let codec = ProstCodec::<(), ()>::default();
    let status = client.unary(tonic::Request::new(()), path, codec).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Unimplemented, "no service \"shop.v1.Returns\" here"));
}
