//! The access patterns of users, their sign-in, and the global items about users.

use super::keys::{attempt_counter, email_pointer, one_time_token, user_pointer};
use crate::table::data_model::{AccessPattern, Samples, TRANSACTION_ONLY};

pub(crate) fn access_patterns(samples: &Samples) -> Vec<AccessPattern> {
    let (home, user) = (samples.home(), samples.id("user"));
    vec![
        samples.single("a user", "GetItem", &home.user(user)),
        samples.query("users of a home by creation", home.users(), &home.user(user)),
        samples.single("the user with an email", "GetItem, BatchGetItem", &email_pointer("<keyed hash of the email>")),
        samples.single("home, role and status of a user", TRANSACTION_ONLY, &user_pointer(user)),
        samples.single("a session", "GetItem", &home.session(user, samples.id("session"))),
        samples.single("a known IP address", "GetItem", &home.known_ip(user, "<keyed hash of the address>")),
        samples.single("a one-time token", "GetItem", &one_time_token("<hash of the token>")),
        samples.single(
            "a number of attempts",
            "GetItem, BatchGetItem",
            &attempt_counter("<keyed hash of limit and subject>"),
        ),
    ]
}
