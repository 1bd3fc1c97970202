//! `shop.v1.ShortLinks`.

use tonic::{Request, Response, Status, async_trait, metadata::MetadataValue};

use super::Context;
use crate::{
    check::Check,
    generated::shop::v1::{
        CreateLinkRequest, GetLinkRequest, Link, ResolveLinkRequest, ResolveLinkResponse, short_links_server,
    },
    store::links as rows,
};

/// The service.
pub(crate) struct ShortLinks(pub(crate) Context);

// === impl ShortLinks ===

#[async_trait]
impl short_links_server::ShortLinks for ShortLinks {
    async fn create_link(&self, request: Request<CreateLinkRequest>) -> Result<Response<Link>, Status> {
        let Link { code, url, .. } = request.into_inner().link.unwrap_or_default();
        let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).unwrap_or_default();
        Check::default()
            // It goes out as a header: nothing but visible ASCII may be in it.
            .that(
                !host.is_empty() && url.len() <= 2048 && url.bytes().all(|byte| byte.is_ascii_graphic()),
                "link.url",
                "must be an http(s) address in visible ASCII, at most 2048 characters",
            )
            .that(
                code.is_empty()
                    || (3..=32).contains(&code.len())
                        && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')),
                "link.code",
                "must be empty or 3 to 32 of A-Z, a-z, 0-9, _ and -",
            )
            .done()?;
        let now = self.0.now();
        let link = self.0.store.write(move |tx| rows::insert(tx, now, code, url)).await?;
        Ok(Response::new(link))
    }

    async fn resolve_link(
        &self,
        request: Request<ResolveLinkRequest>,
    ) -> Result<Response<ResolveLinkResponse>, Status> {
        let code = request.into_inner().code;
        let link = self.0.store.write(move |tx| rows::visit(tx, &code)).await?;
        let location = MetadataValue::try_from(link.url.as_str());
        let mut response = Response::new(ResolveLinkResponse { url: link.url });
        if let Ok(location) = location {
            response.metadata_mut().insert("location", location);
        }
        Ok(response)
    }

    async fn get_link(&self, request: Request<GetLinkRequest>) -> Result<Response<Link>, Status> {
        let code = request.into_inner().code;
        let link = self.0.store.read(move |tx| rows::get(tx, &code)).await?;
        Ok(Response::new(link))
    }
}
