//! Typical contacts and deals.

use std::fmt::Write;
use std::ops::Range;

use serde_json::{Value, json};

const FIRST_NAMES: [&str; 20] = [
    "Ada", "Grace", "Alan", "Edsger", "Barbara", "Donald", "Frances", "John", "Margaret", "Dennis", "Radia", "Kenneth",
    "Jean", "Niklaus", "Shafi", "Robin", "Adele", "Tony", "Anita", "Leslie",
];

/// Few enough for the small client to have more of each than a search looks at for a page.
const LAST_NAMES: [&str; 12] = [
    "Lovelace", "Hopper", "Turing", "Dijkstra", "Liskov", "Knuth", "Allen", "Backus", "Hamilton", "Ritchie", "Perlman",
    "Thompson",
];

const COMPANIES: [&str; 6] = [
    "Analytical Engines",
    "Corner Bakery",
    "Riverside Clinic",
    "Blue Harbor Sailing",
    "Jade Tea House",
    "Northwind Group",
];

const JOB_TITLES: [&str; 5] = ["Mathematician", "Head of Operations", "Rear Admiral", "Buyer", "Office Manager"];

const SOURCES: [&str; 4] = ["website", "referral", "fair", "newsletter"];

/// How many tags the contacts of a client have between them.
const TAGS: usize = 19;

/// A file of contacts, each of whom has its number in its email.
pub(super) fn file(rows: Range<usize>) -> String {
    let mut file = "firstName,lastName,email,phone,company,jobTitle,source,tags\r\n".to_owned();
    for number in rows {
        let [first, last] = name(number);
        let email = format!("{}.{}.{number}@example.com", first.to_lowercase(), last.to_lowercase());
        let [company, job, source] = [&COMPANIES[..], &JOB_TITLES, &SOURCES].map(|of| of[number % of.len()]);
        let (phone, tag) = (number % 10_000, number % TAGS);
        write!(file, "{first},{last},{email},+1212555{phone:04},{company},{job},{source},segment {tag}\r\n")
            .expect("a text can be written to");
    }
    file
}

/// Every first name with every last name, in turn.
fn name(number: usize) -> [&'static str; 2] {
    [FIRST_NAMES[number % FIRST_NAMES.len()], LAST_NAMES[number / FIRST_NAMES.len() % LAST_NAMES.len()]]
}

/// Somebody who is not among them.
pub(super) fn newcomer() -> Value {
    json!({
        "firstName": "Katherine",
        "lastName": "Johnson",
        "email": "katherine.johnson@example.com",
        "phone": "+12125550123",
        "company": "Analytical Engines",
        "jobTitle": "Mathematician",
        "source": "website",
    })
}

pub(super) fn deal(stage: &str, contact: &str) -> Value {
    json!({ "title": "Summer party", "value": 1250.5, "currency": "USD", "stageId": stage, "contactId": contact })
}
