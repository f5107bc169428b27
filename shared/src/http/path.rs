//! Ids in paths.

use axum::RequestPartsExt;
use axum::extract::{FromRequestParts, Path};
use lambda_http::http::request::Parts;

use crate::value::Id;
use crate::{App, Problem, Result};

/// The last two ids in the path: a thing, and another that belongs to it. A malformed one names nothing: 404.
pub struct PathIds<A, B>(pub Id<A>, pub Id<B>);

impl<A, B> FromRequestParts<App> for PathIds<A, B> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self> {
        let Path(segments): Path<Vec<(String, String)>> = parts.extract().await.map_err(|_| Problem::not_found())?;
        let [.., (_, a), (_, b)] = segments.as_slice() else { return Err(Problem::not_found()) };
        let named = |_| Problem::not_found();
        Ok(Self(a.parse().map_err(named)?, b.parse().map_err(named)?))
    }
}

/// The last id in the path: the thing that the request is about. A malformed one names nothing: 404.
pub struct PathId<T>(pub Id<T>);

impl<T> FromRequestParts<App> for PathId<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self> {
        let Path(segments): Path<Vec<(String, String)>> = parts.extract().await.map_err(|_| Problem::not_found())?;
        let (_, text) = segments.last().ok_or_else(Problem::not_found)?;
        text.parse().map(Self).map_err(|_| Problem::not_found())
    }
}
