//! Typical contacts and deals.

use std::fmt::Write;
use std::ops::Range;

use serde_json::{Value, json};

const FIRST_NAMES: [&str; 20] = [
    "Ada", "Grace", "Alan", "Edsger", "Barbara", "Donald", "Frances", "John", "Margaret", "Dennis", "Radia", "Kenneth",
    "Jean", "Niklaus", "Shafi", "Robin", "Adele", "Tony", "Anita", "Leslie",
];

/// Last names.
///
/// Even in the small client, each name has more contacts than a search reads for one page.
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

/// The number of tags of a client; each contact has one of them.
const TAGS: usize = 19;

/// A CSV file of contacts. Each contact's email contains its number.
pub(super) fn contacts_file(rows: Range<usize>) -> String {
    let mut file = "firstName,lastName,email,phone,company,jobTitle,source,tags\r\n".to_owned();
    for number in rows {
        let [first, last] = name(number);
        let email = format!("{}.{}.{number}@example.com", first.to_lowercase(), last.to_lowercase());
        let [company, job, source] =
            [&COMPANIES[..], &JOB_TITLES, &SOURCES].map(|values| values[number % values.len()]);
        let (phone, tag) = (number % 10_000, number % TAGS);
        write!(file, "{first},{last},{email},+1212555{phone:04},{company},{job},{source},segment {tag}\r\n")
            .expect("a string can be written");
    }
    file
}

/// The name of a contact: all combinations of first and last names, in turn.
fn name(number: usize) -> [&'static str; 2] {
    [FIRST_NAMES[number % FIRST_NAMES.len()], LAST_NAMES[number / FIRST_NAMES.len() % LAST_NAMES.len()]]
}

/// A contact that is in no file.
pub(super) fn new_contact() -> Value {
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

/// A deal with a contact in a stage.
pub(super) fn deal(stage: &str, contact: &str) -> Value {
    json!({ "title": "Summer party", "value": 1250.5, "currency": "USD", "stageId": stage, "contactId": contact })
}
