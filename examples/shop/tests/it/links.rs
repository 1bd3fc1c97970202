use std::collections::BTreeSet;

use tidegate_shop::generated::shop::v1::{
    CreateLinkRequest, GetLinkRequest, Link, ResolveLinkRequest, ResolveLinkResponse,
    short_links_client::ShortLinksClient,
};

use crate::support::{exists, invalid, not_found, refusal, shop, stamp};

fn create(code: &str, url: &str) -> CreateLinkRequest {
    CreateLinkRequest { link: Some(Link { code: code.to_owned(), url: url.to_owned(), ..Default::default() }) }
}

#[tokio::test]
async fn a_link_leads_where_it_was_made_to_and_counts_its_visits() {
    let mut links = ShortLinksClient::new(shop());
    let made = links.create_link(create("tide", "https://example.com/tide?a=1#b")).await.unwrap().into_inner();
    let link = Link {
        code: "tide".to_owned(),
        url: "https://example.com/tide?a=1#b".to_owned(),
        visits: 0,
        create_time: stamp(0),
    };
    assert_eq!(made, link);
    for _ in 0..2 {
        let resolved = links.resolve_link(ResolveLinkRequest { code: "tide".to_owned() }).await.unwrap();
        let location = resolved.metadata().get("location").map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(
            (location, resolved.into_inner()),
            (Some(link.url.clone()), ResolveLinkResponse { url: link.url.clone() })
        );
    }
    let got = links.get_link(GetLinkRequest { code: "tide".to_owned() }).await.unwrap().into_inner();
    assert_eq!(got, Link { visits: 2, ..link });
}

#[tokio::test]
async fn made_codes_are_short_and_differ_and_chosen_ones_are_kept_apart() {
    let mut links = ShortLinksClient::new(shop());
    let mut codes = BTreeSet::new();
    for _ in 0..200 {
        let link = links.create_link(create("", "http://example.com")).await.unwrap().into_inner();
        assert_eq!(link.code.len(), 6);
        codes.insert(link.code);
    }
    assert_eq!(codes.len(), 200);
    assert_eq!(refusal(links.create_link(create("docs", "http://example.com")).await), exists("Link", "docs"));
    assert_eq!(
        refusal(links.resolve_link(ResolveLinkRequest { code: "nowhere".to_owned() }).await),
        not_found("Link", "nowhere")
    );
}

#[tokio::test]
async fn what_is_no_address_is_no_link() {
    let mut links = ShortLinksClient::new(shop());
    let why = "must be an http(s) address in visible ASCII, at most 2048 characters";
    let long = format!("https://{}", "a".repeat(2048));
    for url in ["", "https://", "javascript:alert(1)", "https://a\r\nx: y", "https://a b", "https://\u{e9}", &long] {
        assert_eq!(refusal(links.create_link(create("", url)).await), invalid(&[("link.url", why)]), "{url}");
    }
    for code in ["ab", "a/b", "a b c", &"a".repeat(33)] {
        assert_eq!(
            refusal(links.create_link(create(code, "https://a")).await),
            invalid(&[("link.code", "must be empty or 3 to 32 of A-Z, a-z, 0-9, _ and -")]),
            "{code}"
        );
    }
}
