//! Rules for contacts: search entries, index keys, constraints, tags, references.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::scope_rows::{ScopeRows, contains_text, text};

/// Separates the parts of a sort key. No stored text contains it.
const SEPARATOR: char = '\u{1}';

/// Collections that refer to contacts.
///
/// Each with the prefix of its sort keys in the index `contact`.
const REFERRING: [(&str, &str); 2] = [("DEAL", "DEAL#"), ("APPOINTMENT", "APPT#")];

/// Reports all violations of the rules for contacts.
pub(super) fn violations(rows: &ScopeRows<'_>) -> Vec<String> {
    let violations = [
        wrong_search_entries(rows),
        wrong_index_keys(rows),
        wrong_unique_constraints(rows),
        wrong_tag_names(rows),
        wrong_tag_members(rows),
        wrong_contact_tags(rows),
        wrong_references(rows),
        wrong_reference_counts(rows),
    ];
    violations.concat()
}

/// A contact has a search entry for each word of its names and for its email, and no other.
fn wrong_search_entries(rows: &ScopeRows<'_>) -> Vec<String> {
    let mut entries: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut violations = Vec::new();
    for (sort, entry) in rows.all("TERM") {
        entries.entry(text(entry, "owner")).or_default().push(sort);
        if !rows.has("CONTACT", text(entry, "owner")) || !entry["seen"].is_array() {
            violations.push(rows.violation("TERM", sort, "has no contact or no list of overlaps"));
        }
    }
    for (id, contact) in rows.all("CONTACT") {
        let entries = entries.remove(id).unwrap_or_default();
        if !has_search_entries(id, contact, &entries) {
            violations.push(rows.violation("CONTACT", id, format_args!("has the search entries {entries:?}")));
        }
    }
    violations
}

/// The index keys of a contact match its name and its last change.
fn wrong_index_keys(rows: &ScopeRows<'_>) -> Vec<String> {
    let partition = |index| format!("{}CONTACT#{index}", rows.prefix);
    let is_correct = |id: &str, contact: &Value| {
        contact["p1"] == partition("NAME")
            && has_name_key(id, contact)
            && contact["p2"] == partition("UPD")
            && contact["s2"] == format!("{}#{id}", text(contact, "updatedAt"))
    };
    let wrong = rows.all("CONTACT").filter(|(id, contact)| !is_correct(id, contact));
    wrong.map(|(id, _)| rows.violation("CONTACT", id, "has index keys that differ from its fields")).collect()
}

/// Each unique constraint belongs to an existing entity.
fn wrong_unique_constraints(rows: &ScopeRows<'_>) -> Vec<String> {
    let is_valid = |sort: &str, constraint: &Value| {
        let owner = text(constraint, "owner");
        match sort.split_once('#') {
            Some(("TAG_NAME", name)) => rows.find("TAG", owner).is_some_and(|tag| lower_name(tag) == name),
            Some(("CONTACT_ORIGIN", _)) => rows.has("CONTACT", owner),
            _ => false,
        }
    };
    let wrong = rows.all("UNIQ").filter(|(sort, constraint)| !is_valid(sort, constraint));
    wrong
        .map(|(sort, constraint)| {
            rows.violation("UNIQ", sort, format_args!("does not belong to {}", constraint["owner"]))
        })
        .collect()
}

/// Each tag has the unique constraint for its name.
fn wrong_tag_names(rows: &ScopeRows<'_>) -> Vec<String> {
    let has_constraint = |id: &str, tag: &Value| {
        let constraint = rows.find("UNIQ", &format!("TAG_NAME#{}", lower_name(tag)));
        constraint.is_some_and(|constraint| constraint["owner"] == id)
    };
    let wrong = rows.all("TAG").filter(|(id, tag)| !has_constraint(id, tag));
    wrong
        .map(|(id, tag)| rows.violation("TAG", id, format_args!("has no constraint for the name {}", tag["name"])))
        .collect()
}

/// Each contact in the member list of a tag has that tag.
fn wrong_tag_members(rows: &ScopeRows<'_>) -> Vec<String> {
    let mut violations = Vec::new();
    for collection in rows.collections() {
        let Some(tag) = collection.strip_prefix("TAG#").and_then(|rest| rest.strip_suffix("#CONTACT")) else {
            continue;
        };
        let has_tag = |id| rows.find("CONTACT", id).is_some_and(|contact| contains_text(&contact["tagIds"], tag));
        let surplus = rows.all(collection).filter(|(id, _)| !rows.has_tombstone(tag) && !has_tag(id));
        violations.extend(surplus.map(|(id, _)| rows.violation(collection, id, "is not a contact with this tag")));
    }
    violations
}

/// The tags of a contact exist and list the contact as a member.
fn wrong_contact_tags(rows: &ScopeRows<'_>) -> Vec<String> {
    let assigned = rows.all("CONTACT").flat_map(|(id, contact)| {
        let tags = contact["tagIds"].as_array().into_iter().flatten();
        tags.map(move |tag| (id, tag.as_str().unwrap_or_default()))
    });
    let is_member = |id: &str, tag: &str| rows.has("TAG", tag) && rows.has(&format!("TAG#{tag}#CONTACT"), id);
    let wrong = assigned.filter(|(id, tag)| !rows.has_tombstone(tag) && !is_member(id, tag));
    wrong
        .map(|(id, tag)| {
            rows.violation("CONTACT", id, format_args!("has the tag {tag}, which does not exist or does not list it"))
        })
        .collect()
}

/// Each reference leads to an existing contact and has matching index keys.
fn wrong_references(rows: &ScopeRows<'_>) -> Vec<String> {
    let mut violations = Vec::new();
    for (collection, label) in REFERRING {
        for (id, row) in rows.all(collection) {
            if !is_valid_reference(rows, label, id, row) {
                violations.push(rows.violation(collection, id, format_args!("refers to {}", row["contactId"])));
            }
        }
    }
    violations
}

fn is_valid_reference(rows: &ScopeRows<'_>, label: &str, id: &str, row: &Value) -> bool {
    let (partition, sort) = (row["p3"].as_str(), row["s3"].as_str());
    let Some(contact) = row["contactId"].as_str() else { return partition.is_none() && sort.is_none() };
    // In the sort key of an appointment, its start is between label and id.
    let has_sort_key = sort.is_some_and(|sort| sort.starts_with(label) && sort.ends_with(&format!("#{id}")));
    (rows.has("CONTACT", contact) || rows.has_tombstone(contact))
        && partition == Some(&format!("{}CONTACT#{contact}", rows.prefix))
        && has_sort_key
}

/// The stored number of references to each contact is correct.
///
/// It exists only for existing contacts.
fn wrong_reference_counts(rows: &ScopeRows<'_>) -> Vec<String> {
    let referring = REFERRING.iter().flat_map(|(collection, _)| rows.all(collection));
    let mut actual: BTreeMap<&str, u32> = BTreeMap::new();
    for contact in referring.filter_map(|(_, row)| row["contactId"].as_str()) {
        *actual.entry(contact).or_default() += 1;
    }
    let mut violations = Vec::new();
    for (id, count) in rows.all("REFERRED") {
        let actual = actual.remove(id).unwrap_or_default();
        if count["n"].as_f64() != Some(f64::from(actual)) {
            violations.push(rows.violation("REFERRED", id, format_args!("stored {}, actual {actual}", count["n"])));
        }
        if !rows.has("CONTACT", id) && !rows.has_tombstone(id) {
            violations.push(rows.violation("REFERRED", id, "without its contact"));
        }
    }
    let uncounted = actual.into_keys().filter(|id| !rows.has_tombstone(id));
    violations.extend(uncounted.map(|id| rows.violation("CONTACT", id, "has references, but no count of them")));
    violations
}

fn lower_name(tag: &Value) -> String {
    text(tag, "name").to_lowercase()
}

/// Normalizes a text for search and sorting.
///
/// Returns `None` for a non-ASCII text: Unicode normalization is not reimplemented here.
fn normalize(text: &str) -> Option<String> {
    let words: Vec<_> = text.split_whitespace().collect();
    text.is_ascii().then(|| words.join(" ").to_lowercase())
}

/// The largest number of words of a name with a search entry.
const MAX_WORDS: usize = 8;

/// Whether these are the sort keys of a contact's search entries.
fn has_search_entries(id: &str, contact: &Value, keys: &[&str]) -> bool {
    let suffix = format!("{SEPARATOR}{id}");
    let (words, emails): (Vec<&str>, Vec<&str>) = keys.iter().partition(|key| key.ends_with(&suffix));
    let words: BTreeSet<_> = words.iter().filter_map(|key| key.strip_suffix(&suffix)).map(str::to_owned).collect();
    has_words(contact, &words) && has_email(contact, &emails)
}

/// Whether these are the words of a contact's names. The words of a non-ASCII name cannot be computed here.
fn has_words(contact: &Value, words: &BTreeSet<String>) -> bool {
    let names = ["firstName", "lastName"].map(|field| text(contact, field));
    let computed = names.map(|name| normalize(name).map(|name| words_of(&name)));
    let known: BTreeSet<String> = computed.iter().flatten().flatten().cloned().collect();
    let unknown = computed.iter().filter(|words| words.is_none()).count();
    let min = known.len().max(unknown.min(1));
    known.is_subset(words) && (min..=known.len() + unknown * MAX_WORDS).contains(&words.len())
}

/// Whether a contact has the one entry of its email. The entry of a non-ASCII email cannot be computed here.
fn has_email(contact: &Value, entries: &[&str]) -> bool {
    match contact["email"].as_str().map(normalize) {
        None => entries.is_empty(),
        Some(None) => entries.len() == 1,
        Some(Some(email)) => entries == [email],
    }
}

/// The first words of a normalized ASCII name: each part between spaces, and what follows punctuation in it.
fn words_of(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for term in name.split_whitespace() {
        let starts = (0..term.len()).filter(|&at| {
            let (before, after) = term.split_at(at);
            at == 0 || (before.ends_with(is_ascii_punctuation) && !after.starts_with(is_ascii_punctuation))
        });
        for word in starts.map(|at| term[at..].to_owned()) {
            if !words.contains(&word) {
                words.push(word);
            }
        }
    }
    words.truncate(MAX_WORDS);
    words
}

fn is_ascii_punctuation(c: char) -> bool {
    c.is_ascii_punctuation()
}

/// Whether the sort key in the index by name is correct.
///
/// For non-ASCII names, only the id at its end is checked.
fn has_name_key(id: &str, contact: &Value) -> bool {
    let sort = text(contact, "s1");
    match (normalize(text(contact, "lastName")), normalize(text(contact, "firstName"))) {
        (Some(last), Some(first)) => sort == format!("{last}{SEPARATOR}{first}{SEPARATOR}{id}"),
        _ => sort.ends_with(&format!("{SEPARATOR}{id}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::super::scope_rows::group_by_scope;
    use super::super::{parse_rows, tree};
    use super::*;

    const TENANT: Uuid = Uuid::from_u128(1);
    const AGENCY: Uuid = Uuid::from_u128(2);
    const CLIENT: Uuid = Uuid::from_u128(3);

    /// A consistent table: a client with the contacts `ada` and `zoe`.
    ///
    /// The contact `ada` has a tag, a deal and an appointment.
    struct Table(Vec<Value>);

    fn client() -> String {
        format!("T#{TENANT}#A#{AGENCY}#C#{CLIENT}#")
    }

    fn table() -> Table {
        let (tenant, agency) = (format!("T#{TENANT}#"), format!("T#{TENANT}#A#{AGENCY}#"));
        let pointer = json!({ "tenantId": TENANT, "agencyId": AGENCY });
        let mut table = Table(Vec::new());
        table.put("PLATFORM#TENANT", &TENANT.to_string(), json!({}));
        table.put(&format!("{tenant}HOLDS"), "COUNT", json!({ "n": 1 }));
        table.put(&format!("{tenant}AGENCY"), &AGENCY.to_string(), json!({}));
        table.put(&format!("GLOBAL#AGENCY#{AGENCY}"), "AT", pointer.clone());
        table.put(&format!("{agency}HOLDS"), "COUNT", json!({ "n": 1 }));
        table.put(&format!("{agency}CLIENT"), &CLIENT.to_string(), json!({}));
        table.put(&format!("GLOBAL#CLIENT#{CLIENT}"), "AT", pointer);
        table.put("GLOBAL#WIDGET#key", "AT", json!({ "domains": [] }));
        for (collection, sort, row) in [
            ("HOLDS", "COUNT", json!({ "n": 5, "tags": 1 })),
            ("WIDGET", "KEY", json!({ "key": "key", "domains": [] })),
            ("CONTACT", "ada", contact("ada", ["Ada", "Byron  King"], "byron king\u{1}ada")),
            ("CONTACT", "zoe", contact("zoe", ["Zoë", "Zoe"], "zoe\u{1}zoe")),
            ("TERM", "ada\u{1}ada", json!({ "owner": "ada", "seen": [1, 0] })),
            ("TERM", "byron\u{1}ada", json!({ "owner": "ada", "seen": [1, 0] })),
            ("TERM", "king\u{1}ada", json!({ "owner": "ada", "seen": [1, 0] })),
            ("TERM", "ada@example.com", json!({ "owner": "ada", "seen": [1, 0] })),
            ("TERM", "zoe\u{1}zoe", json!({ "owner": "zoe", "seen": [1, 0] })),
            ("TAG", "vip", json!({ "name": "VIP" })),
            ("TAG#vip#CONTACT", "ada", json!({})),
            ("UNIQ", "TAG_NAME#vip", json!({ "owner": "vip" })),
            ("UNIQ", "CONTACT_ORIGIN#hash", json!({ "owner": "ada" })),
            ("DEAL", "one", reference("DEAL#one")),
            ("DEAL", "two", json!({})),
            ("APPOINTMENT", "noon", reference("APPT#2026-03-08T12:00:00.000Z#noon")),
            ("REFERRED", "ada", json!({ "n": 2.0 })),
        ] {
            table.put(&format!("{}{collection}", client()), sort, row);
        }
        table.row("CONTACT", "ada")["tagIds"] = json!(["vip"]);
        table.row("CONTACT", "ada")["email"] = json!("Ada@Example.com");
        table
    }

    fn contact(id: &str, [first, last]: [&str; 2], normalized: &str) -> Value {
        json!({
            "firstName": first,
            "lastName": last,
            "tagIds": [],
            "updatedAt": "2026-03-08T06:30:00.000Z",
            "p1": format!("{}CONTACT#NAME", client()),
            "s1": format!("{normalized}\u{1}{id}"),
            "p2": format!("{}CONTACT#UPD", client()),
            "s2": format!("2026-03-08T06:30:00.000Z#{id}"),
        })
    }

    fn reference(sort: &str) -> Value {
        json!({ "contactId": "ada", "p3": format!("{}CONTACT#ada", client()), "s3": sort })
    }

    impl Table {
        fn put(&mut self, partition: &str, sort: &str, mut row: Value) {
            row["pk"] = partition.into();
            row["sk"] = sort.into();
            self.0.push(row);
        }

        fn uncount_tag(&mut self) {
            self.row("HOLDS", "COUNT")["n"] = 4.into();
            self.row("HOLDS", "COUNT")["tags"] = 0.into();
        }

        fn find(&self, collection: &str, sort: &str) -> usize {
            let partition = format!("{}{collection}", client());
            let at = self.0.iter().position(|row| row["pk"] == partition && row["sk"] == sort);
            at.expect("the row exists")
        }

        fn row(&mut self, collection: &str, sort: &str) -> &mut Value {
            let at = self.find(collection, sort);
            &mut self.0[at]
        }

        fn remove(&mut self, collection: &str, sort: &str) {
            self.0.remove(self.find(collection, sort));
        }

        fn add_tombstone(&mut self, id: &str) {
            self.put(&format!("{}GONE", client()), "IDS", json!({ "ids": [id] }));
        }
    }

    fn violations_after(change: impl FnOnce(&mut Table)) -> Vec<String> {
        let mut table = table();
        change(&mut table);
        let (rows, invalid) = parse_rows(&table.0);
        let scopes = group_by_scope(&rows);
        let of_contacts = scopes.values().flat_map(violations).collect();
        [invalid, tree::violations(&rows, &scopes), of_contacts].concat()
    }

    /// Asserts that a change causes exactly the violations that contain these texts.
    #[track_caller]
    fn assert_reports<const N: usize>(expected: [&str; N], change: impl FnOnce(&mut Table)) {
        let reported = violations_after(change);
        let as_expected = reported.len() == N && reported.iter().zip(expected).all(|(line, part)| line.contains(part));
        assert!(as_expected, "{reported:?} instead of {expected:?}");
    }

    #[test]
    fn consistent_client_has_no_violations() {
        assert_reports([], |_| {});
    }

    #[test]
    fn missing_and_surplus_search_entries_are_reported() {
        let other = |owner: &str| json!({ "owner": owner, "seen": [1, 0] });
        assert_reports(["CONTACT / ada: has the search entries"], |table| table.remove("TERM", "ada\u{1}ada"));
        assert_reports(["CONTACT / ada: has the search entries"], |table| table.remove("TERM", "ada@example.com"));
        assert_reports(["CONTACT / zoe: has the search entries"], |table| table.remove("TERM", "zoe\u{1}zoe"));
        assert_reports(["CONTACT / ada: has the search entries"], |table| {
            table.row("CONTACT", "ada")["email"] = "a@example.com".into();
        });
        assert_reports(["CONTACT / ada: has the search entries"], |table| {
            table.put(&format!("{}TERM", client()), "countess\u{1}ada", other("ada"));
        });
        assert_reports(["CONTACT / zoe: has the search entries"], |table| {
            table.put(&format!("{}TERM", client()), "zoe@example.com", other("zoe"));
        });
        assert_reports(["has no contact or no list"], |table| {
            table.put(&format!("{}TERM", client()), "x@example.com", other("unknown"));
        });
        assert_reports(["has no contact or no list"], |table| {
            table.row("TERM", "ada@example.com")["seen"] = Value::Null;
        });
    }

    #[test]
    fn search_entries_of_non_ascii_texts_are_only_counted() {
        let term = json!({ "owner": "zoe", "seen": [1, 0] });
        assert_reports([], |table| {
            table.row("CONTACT", "zoe")["email"] = "zoë@example.com".into();
            table.put(&format!("{}TERM", client()), "zoe@example.com\u{1}zoë@example.com", term.clone());
        });
        assert_reports(["CONTACT / zoe: has the search entries"], |table| {
            table.row("CONTACT", "zoe")["email"] = "zoë@example.com".into();
        });
        assert_reports([], |table| table.put(&format!("{}TERM", client()), "zoë\u{1}zoe", term));
    }

    #[test]
    fn wrong_index_keys_are_reported() {
        for name in ["p1", "s1", "p2", "s2"] {
            assert_reports(["has index keys that differ"], |table| table.row("CONTACT", "ada")[name] = "wrong".into());
        }
        assert_reports(["has index keys that differ"], |table| {
            table.row("CONTACT", "ada")["updatedAt"] = "2026".into();
        });
    }

    #[test]
    fn wrong_unique_constraints_are_reported() {
        assert_reports(
            ["UNIQ / TAG_NAME#vip: does not belong to \"other\"", "TAG / vip: has no constraint"],
            |table| {
                table.row("UNIQ", "TAG_NAME#vip")["owner"] = "other".into();
            },
        );
        assert_reports(["TAG / vip: has no constraint"], |table| table.remove("UNIQ", "TAG_NAME#vip"));
        assert_reports(["UNIQ / CONTACT_ORIGIN#hash: does not belong to \"eve\""], |table| {
            table.row("UNIQ", "CONTACT_ORIGIN#hash")["owner"] = "eve".into();
        });
        assert_reports(["UNIQ / CONTACT_EMAIL#x: does not belong to \"ada\""], |table| {
            table.put(&format!("{}UNIQ", client()), "CONTACT_EMAIL#x", json!({ "owner": "ada" }));
        });
    }

    #[test]
    fn inconsistent_tag_members_are_reported() {
        assert_reports(["has the tag vip, which"], |table| table.remove("TAG#vip#CONTACT", "ada"));
        assert_reports(["TAG#vip#CONTACT / ada: is not a contact with"], |table| {
            table.row("CONTACT", "ada")["tagIds"] = json!([]);
        });
        assert_reports(["UNIQ / TAG_NAME#vip", "has the tag vip, which"], |table| {
            table.remove("TAG", "vip");
            table.uncount_tag();
        });
    }

    #[test]
    fn wrong_counts_of_tags_and_imports_are_reported() {
        assert_reports(["tags: stored 2, actual 1"], |table| table.row("HOLDS", "COUNT")["tags"] = 2.into());
        assert_reports(["imports in progress: stored null, actual 1"], |table| {
            table.put(&format!("{}IMPORT", client()), "one", json!({ "status": "RUNNING" }));
            table.put(&format!("{}IMPORT", client()), "two", json!({ "status": "DONE" }));
        });
    }

    #[test]
    fn references_to_a_tag_with_tombstone_are_allowed() {
        let delete = |table: &mut Table| {
            table.remove("TAG", "vip");
            table.remove("UNIQ", "TAG_NAME#vip");
            table.uncount_tag();
            table.add_tombstone("vip");
        };
        assert_reports([], delete);
        assert_reports([], |table| {
            delete(table);
            table.remove("TAG#vip#CONTACT", "ada");
        });
        assert_reports([], |table| {
            delete(table);
            table.row("CONTACT", "ada")["tagIds"] = json!([]);
        });
    }

    #[test]
    fn inconsistent_references_are_reported() {
        assert_reports(["DEAL / one: refers to \"eve\"", "REFERRED / ada", "CONTACT / eve: has references"], |table| {
            table.row("DEAL", "one")["contactId"] = "eve".into();
        });
        assert_reports(["APPOINTMENT / noon"], |table| {
            table.row("APPOINTMENT", "noon")["s3"] = "DEAL#noon".into();
        });
        assert_reports(["DEAL / one"], |table| table.row("DEAL", "one")["p3"] = Value::Null);
        assert_reports(["DEAL / two: refers to null"], |table| {
            table.row("DEAL", "two")["s3"] = "DEAL#two".into();
        });
        assert_reports(["REFERRED / ada: stored 3, actual 2"], |table| table.row("REFERRED", "ada")["n"] = 3.into());
        assert_reports(["CONTACT / ada: has references, but no count"], |table| table.remove("REFERRED", "ada"));
        assert_reports(["REFERRED / eve: without its contact"], |table| {
            table.put(&format!("{}REFERRED", client()), "eve", json!({ "n": 0 }));
        });
    }

    #[test]
    fn references_to_a_contact_with_tombstone_are_allowed() {
        let delete = |table: &mut Table| {
            for (collection, sort) in [
                ("CONTACT", "ada"),
                ("TERM", "ada\u{1}ada"),
                ("TERM", "byron\u{1}ada"),
                ("TERM", "king\u{1}ada"),
                ("TERM", "ada@example.com"),
                ("TAG#vip#CONTACT", "ada"),
                ("UNIQ", "CONTACT_ORIGIN#hash"),
            ] {
                table.remove(collection, sort);
            }
            table.row("HOLDS", "COUNT")["n"] = 4.into();
            table.add_tombstone("ada");
        };
        assert_reports([], delete);
        assert_reports([], |table| {
            delete(table);
            table.remove("REFERRED", "ada");
        });
        assert_reports(["REFERRED / ada: stored 1, actual 2"], |table| {
            delete(table);
            table.row("REFERRED", "ada")["n"] = 1.into();
        });
    }

    #[test]
    fn only_expiring_rows_may_outlive_their_client() {
        let deleted_client = format!("T#{TENANT}#A#{AGENCY}#C#{}#", Uuid::from_u128(9));
        for collection in ["IMPORT", "IMPORT#x#FAULT", "IMPORT#x#TEXT"] {
            let partition = format!("{deleted_client}{collection}");
            assert_reports([], |table| table.put(&partition, "x", json!({ "ttl": 1 })));
            assert_reports(["without its"], |table| table.put(&partition, "x", json!({})));
        }
        assert_reports([], |table| table.put(&format!("{deleted_client}JOB"), "x", json!({})));
        assert_reports([], |table| table.put(&format!("{deleted_client}GONE"), "IDS", json!({})));
        assert_reports(["without its"], |table| {
            table.put(&format!("{deleted_client}GONE"), "IDS", json!({ "ids": ["x"] }));
        });
    }
}
