//! The layers around every public route, outermost first.
//!
//! Order matters: what stands higher also sees what the lower ones answer.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use tower::ServiceBuilder;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{And, NotForContentType, Predicate, SizeAbove};

use super::dialect::Streaming;
use super::{Api, cors, edge, error};

pub(super) fn apply(router: Router<Api>, api: &Api) -> Router<Api> {
    let router = router.fallback(error::not_found).method_not_allowed_fallback(error::method_not_allowed);
    let layers = ServiceBuilder::new()
        // Names the request, measures it, answers for a panic, and puts the common headers on.
        .layer(from_fn_with_state(api.clone(), edge::surround))
        // Answers preflights and marks answers, so that pages may read errors too.
        .option_layer(cors::layer(&api.0.settings.allowed_origins))
        // A page of another site costs nothing unless it may call.
        .layer(from_fn_with_state(api.clone(), cors::refuse_strangers))
        // Bodies are bounded where they are read, each by its own setting.
        .layer(DefaultBodyLimit::disable())
        // Compresses JSON; a stream must arrive piece by piece.
        .layer(CompressionLayer::new().compress_when(compressible()));
    router.layer(layers)
}

const SMALLEST_COMPRESSED_BYTES: u64 = 860;

fn compressible() -> And<And<SizeAbove, NotForContentType>, NotForStreams> {
    SizeAbove::new(SMALLEST_COMPRESSED_BYTES).and(NotForContentType::SSE).and(NotForStreams)
}

/// Compression would hold pieces back until it has a block full of them.
#[derive(Debug, Clone, Copy)]
struct NotForStreams;

impl Predicate for NotForStreams {
    fn should_compress<B: http_body::Body>(&self, response: &http::Response<B>) -> bool {
        response.extensions().get::<Streaming>().is_none()
    }
}
