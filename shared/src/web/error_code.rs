//! The codes of all problems. They are stable and part of the API.
//!
//! The doc comment of a code is its description in the OpenAPI document.

use lambda_http::http::StatusCode;
use strum::{EnumIter, EnumMessage, EnumString, IntoStaticStr};

/// The code of a problem; `snake_case` in JSON.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EnumIter, EnumMessage, EnumString, IntoStaticStr,
)]
#[strum(serialize_all = "snake_case")]
pub enum ErrorCode {
    /// The body is not valid JSON, or an object has a duplicate member.
    InvalidJson,
    /// The body cannot be read.
    UnreadableBody,
    /// The query string cannot be parsed.
    InvalidQuery,
    /// The cursor was not returned by this list with these filters.
    InvalidCursor,
    /// `If-Match` is neither a list of entity tags nor `*`.
    InvalidIfMatch,
    /// `Idempotency-Key` is not 1 to 255 visible ASCII characters.
    InvalidIdempotencyKey,
    /// The file is not text, or not in the charset of its media type.
    InvalidCsv,
    /// The access token is missing, invalid or expired.
    Unauthenticated,
    /// The email or the password is wrong, or the user may not sign in.
    WrongCredentials,
    /// The refresh token is invalid or expired.
    InvalidRefreshToken,
    /// The caller's role does not permit this operation.
    Forbidden,
    /// The origin of the page is not one of the client's domains.
    DomainNotAuthorized,
    /// The CAPTCHA was not solved, or its response has expired.
    CaptchaFailed,
    /// The caller cannot grant a role above their own.
    RoleAboveOwn,
    /// The caller cannot change their own role.
    OwnRole,
    /// The resource does not exist, or the caller cannot access it.
    NotFound,
    /// The resource does not support this method; `Allow` lists the supported ones.
    MethodNotAllowed,
    /// Too many concurrent changes of the resource. Retry the request.
    ConcurrentChange,
    /// The resource is not empty: delete or move its children first.
    NotEmpty,
    /// Other resources refer to the resource.
    InUse,
    /// Another user or contact has this email. `existingId` is the id of the contact.
    EmailTaken,
    /// Another tag of the client has this name.
    NameTaken,
    /// The client already has this domain.
    DomainTaken,
    /// The last active admin cannot be removed.
    LastAdmin,
    /// The user does not have the status `INVITED`.
    NotInvited,
    /// The current status does not permit this change.
    InvalidTransition,
    /// The start time is not available.
    SlotUnavailable,
    /// The contact has too many open appointments in the future (5), or the source address booked too many (10).
    TooManyBookings,
    /// There are appointments in this time. `appointments` has their ids, `total` their number.
    TimeBooked,
    /// The default pipeline cannot be deleted while the client has other pipelines.
    DefaultPipeline,
    /// The stage or pipeline is being deleted: its deals are being moved.
    BeingDeleted,
    /// There is no position left between these deals.
    NoRoom,
    /// The contact has the maximum number of tags (30).
    TooManyTags,
    /// The client has the maximum number of tags (1,000).
    TooManyClientTags,
    /// The pipeline has the maximum number of stages (50).
    TooManyStages,
    /// The client has the maximum number of pipelines (100).
    TooManyPipelines,
    /// The client has the maximum number of staff members (100).
    TooManyStaff,
    /// The staff member has the maximum number of time-off entries that have not ended (200).
    TooManyTimesOff,
    /// The client has the maximum number of domains (50).
    TooManyDomains,
    /// The resource has changed: `If-Match` does not list its current version.
    PreconditionFailed,
    /// The body is too large (at most 1 MiB, or 5 MiB for a CSV file).
    BodyTooLarge,
    /// The media type of the body is not supported.
    UnsupportedMediaType,
    /// Fields or parameters are invalid. `errors` lists them.
    Invalid,
    /// The `Idempotency-Key` was already used with a different body.
    IdempotencyKeyReused,
    /// The file has too many rows (at most 20,000).
    TooManyRows,
    /// A quoted cell of the file is not closed.
    UnclosedQuote,
    /// Too many attempts. Retry after the number of seconds in `Retry-After`.
    TooManyAttempts,
    /// Too many starts are held: 3 from one source address, or 20 on one day of a staff member. Retry later.
    TooManyHolds,
    /// The form was submitted within 2 seconds. Retry after the number of seconds in `Retry-After`.
    TooFast,
    /// Too many deletions are in progress. Retry later.
    TooManyDeletions,
    /// The client has the maximum number of imports in progress (4). Retry later.
    TooManyImports,
    /// Internal error. `requestId` identifies the request in the log.
    Internal,
    /// The service is temporarily unavailable. Retry the request.
    Unavailable,
}

impl ErrorCode {
    /// The code in JSON.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The description of the code, a sentence.
    pub fn sentence(self) -> &'static str {
        self.get_documentation().unwrap_or_default()
    }

    /// The HTTP status.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::InvalidJson
            | Self::UnreadableBody
            | Self::InvalidQuery
            | Self::InvalidCursor
            | Self::InvalidIfMatch
            | Self::InvalidIdempotencyKey
            | Self::InvalidCsv => StatusCode::BAD_REQUEST,
            Self::Unauthenticated | Self::WrongCredentials | Self::InvalidRefreshToken => StatusCode::UNAUTHORIZED,
            Self::Forbidden | Self::DomainNotAuthorized | Self::CaptchaFailed | Self::RoleAboveOwn | Self::OwnRole => {
                StatusCode::FORBIDDEN
            }
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::ConcurrentChange
            | Self::NotEmpty
            | Self::InUse
            | Self::EmailTaken
            | Self::NameTaken
            | Self::DomainTaken
            | Self::LastAdmin
            | Self::NotInvited
            | Self::InvalidTransition
            | Self::SlotUnavailable
            | Self::TooManyBookings
            | Self::TimeBooked
            | Self::DefaultPipeline
            | Self::BeingDeleted
            | Self::NoRoom
            | Self::TooManyTags
            | Self::TooManyClientTags
            | Self::TooManyStages
            | Self::TooManyPipelines
            | Self::TooManyStaff
            | Self::TooManyTimesOff
            | Self::TooManyDomains => StatusCode::CONFLICT,
            Self::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Invalid | Self::IdempotencyKeyReused | Self::TooManyRows | Self::UnclosedQuote => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Self::TooManyAttempts
            | Self::TooManyHolds
            | Self::TooFast
            | Self::TooManyDeletions
            | Self::TooManyImports => StatusCode::TOO_MANY_REQUESTS,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

#[cfg(test)]
mod tests {
    use strum::IntoEnumIterator;

    use super::*;

    #[test]
    fn every_code_has_a_sentence_and_an_error_status() {
        for code in ErrorCode::iter() {
            assert!(code.sentence().ends_with('.'), "{}", code.as_str());
            assert!(code.status().is_client_error() || code.status().is_server_error(), "{}", code.as_str());
        }
    }
}
