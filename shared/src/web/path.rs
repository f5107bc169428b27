//! Ids in paths.

use axum::RequestPartsExt;
use axum::extract::{FromRequestParts, Path};
use lambda_http::http::request::Parts;

use super::{App, Problem, Result};
use crate::value::Id;

/// The last two ids in the path: a parent resource and the resource itself.
///
/// A malformed id is a 404, like an id that does not exist.
pub struct PathIds<A, B>(pub Id<A>, pub Id<B>);

impl<A, B> FromRequestParts<App> for PathIds<A, B> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self> {
        let Path(segments): Path<Vec<(String, String)>> = parts.extract().await.map_err(|_| Problem::not_found())?;
        let [.., (_, parent), (_, id)] = segments.as_slice() else { return Err(Problem::not_found()) };
        let malformed = |_| Problem::not_found();
        Ok(Self(parent.parse().map_err(malformed)?, id.parse().map_err(malformed)?))
    }
}

/// The last id in the path: the resource of the request.
///
/// A malformed id is a 404, like an id that does not exist.
pub struct PathId<T>(pub Id<T>);

impl<T> FromRequestParts<App> for PathId<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self> {
        let Path(segments): Path<Vec<(String, String)>> = parts.extract().await.map_err(|_| Problem::not_found())?;
        let (_, text) = segments.last().ok_or_else(Problem::not_found)?;
        text.parse().map(Self).map_err(|_| Problem::not_found())
    }
}
