//! What must be true of a client's contacts, and of whatever finds, labels or names them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::owners::{Owner, has_text, text};

/// Parts the texts of a sort key. No text has it.
const SEPARATOR: char = '\u{1}';

/// What refers to a contact: the collection, and how its sort keys in the index `contact` begin.
const REFERRING: [(&str, &str); 2] = [("DEAL", "DEAL#"), ("APPOINTMENT", "APPT#")];

/// Everything about contacts that is not as it must be.
pub(super) fn damages(owner: &Owner<'_>) -> Vec<String> {
    owner.wrong_contacts()
}

impl Owner<'_> {
    fn wrong_contacts(&self) -> Vec<String> {
        let found = [
            self.wrong_terms(),
            self.wrong_places(),
            self.wrong_claims(),
            self.wrong_tag_names(),
            self.wrong_links(),
            self.wrong_tags(),
            self.wrong_references(),
            self.wrong_counts(),
        ];
        found.concat()
    }

    /// A contact is found by its names and its email, and by nothing else.
    fn wrong_terms(&self) -> Vec<String> {
        let mut terms: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let mut wrong = Vec::new();
        for (sort, term) in self.all("TERM") {
            terms.entry(text(term, "owner")).or_default().push(sort);
            if !self.has("CONTACT", text(term, "owner")) || !term["seen"].is_array() {
                wrong.push(self.at("TERM", sort, "finds nobody, or does not say what it has seen"));
            }
        }
        for (id, contact) in self.all("CONTACT") {
            let found = terms.remove(id).unwrap_or_default();
            if !is_found_by(id, contact, &found) {
                wrong.push(self.at("CONTACT", id, format_args!("found by {found:?}")));
            }
        }
        wrong
    }

    /// A contact stands in the indexes where its name and its last change put it.
    fn wrong_places(&self) -> Vec<String> {
        let partition = |index| format!("{}CONTACT#{index}", self.prefix);
        let is_placed = |id: &str, contact: &Value| {
            contact["sorted_pk"] == partition("NAME")
                && is_sorted(id, contact)
                && contact["changed_pk"] == partition("CHANGED")
                && contact["changed_sk"] == format!("{}#{id}", text(contact, "updatedAt"))
        };
        let astray = self.all("CONTACT").filter(|(id, contact)| !is_placed(id, contact));
        astray.map(|(id, _)| self.at("CONTACT", id, "in another place of an index than its fields say")).collect()
    }

    /// What is unique is somebody's.
    fn wrong_claims(&self) -> Vec<String> {
        let holds = |sort: &str, claim: &Value| {
            let owner = text(claim, "owner");
            match sort.split_once('#') {
                Some(("TAG_NAME", name)) => self.find("TAG", owner).is_some_and(|tag| lower_name(tag) == name),
                Some(("CONTACT_ORIGIN", _)) => self.has("CONTACT", owner),
                _ => false,
            }
        };
        let void = self.all("UNIQ").filter(|(sort, claim)| !holds(sort, claim));
        void.map(|(sort, claim)| self.at("UNIQ", sort, format_args!("not of {}", claim["owner"]))).collect()
    }

    /// Each tag has its name to itself.
    fn wrong_tag_names(&self) -> Vec<String> {
        let claims = |id: &str, tag: &Value| {
            self.find("UNIQ", &format!("TAG_NAME#{}", lower_name(tag))).is_some_and(|claim| claim["owner"] == id)
        };
        let unclaimed = self.all("TAG").filter(|(id, tag)| !claims(id, tag));
        unclaimed.map(|(id, tag)| self.at("TAG", id, format_args!("does not own {}", tag["name"]))).collect()
    }

    /// A contact is listed under the tags that it names, and only there.
    fn wrong_links(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for collection in self.collections() {
            let Some(tag) = collection.strip_prefix("TAG#").and_then(|rest| rest.strip_suffix("#CONTACT")) else {
                continue;
            };
            let named = |id| self.find("CONTACT", id).is_some_and(|contact| has_text(&contact["tagIds"], tag));
            let stray = self.all(collection).filter(|(id, _)| !self.is_gone(tag) && !named(id));
            wrong.extend(stray.map(|(id, _)| self.at(collection, id, "does not name the tag")));
        }
        wrong
    }

    /// A contact names tags that there are, and is listed under each of them.
    fn wrong_tags(&self) -> Vec<String> {
        let named = self.all("CONTACT").flat_map(|(id, contact)| {
            let tags = contact["tagIds"].as_array().into_iter().flatten();
            tags.map(move |tag| (id, tag.as_str().unwrap_or_default()))
        });
        let is_whole = |id: &str, tag: &str| self.has("TAG", tag) && self.has(&format!("TAG#{tag}#CONTACT"), id);
        let astray = named.filter(|(id, tag)| !self.is_gone(tag) && !is_whole(id, tag));
        astray.map(|(id, tag)| self.at("CONTACT", id, format_args!("without the tag {tag}, or not under it"))).collect()
    }

    /// What refers to a contact refers to one that there is, which leads back to it.
    fn wrong_references(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for (collection, label) in REFERRING {
            for (id, row) in self.all(collection) {
                if !self.is_reference(label, id, row) {
                    wrong.push(self.at(collection, id, format_args!("refers to {}", row["contactId"])));
                }
            }
        }
        wrong
    }

    fn is_reference(&self, label: &str, id: &str, row: &Value) -> bool {
        let (partition, sort) = (row["contact_pk"].as_str(), row["contact_sk"].as_str());
        let Some(contact) = row["contactId"].as_str() else { return partition.is_none() && sort.is_none() };
        // An appointment's start stands between the two.
        let leads_back = sort.is_some_and(|sort| sort.starts_with(label) && sort.ends_with(&format!("#{id}")));
        (self.has("CONTACT", contact) || self.is_gone(contact))
            && partition == Some(&format!("{}CONTACT#{contact}", self.prefix))
            && leads_back
    }

    /// How many rows refer to a contact is counted, and there is no count of what is not there.
    fn wrong_counts(&self) -> Vec<String> {
        let referring = REFERRING.iter().flat_map(|(collection, _)| self.all(collection));
        let named = referring.filter_map(|(_, row)| row["contactId"].as_str());
        let mut found: BTreeMap<&str, u32> = BTreeMap::new();
        named.for_each(|contact| *found.entry(contact).or_default() += 1);
        let mut wrong = Vec::new();
        for (id, count) in self.all("REFERRED") {
            let found = found.remove(id).unwrap_or_default();
            if count["n"].as_f64() != Some(f64::from(found)) {
                wrong.push(self.at("REFERRED", id, format_args!("counts {} and is {found}", count["n"])));
            }
            if !self.has("CONTACT", id) && !self.is_gone(id) {
                wrong.push(self.at("REFERRED", id, "without its contact"));
            }
        }
        let uncounted = found.into_keys().filter(|id| !self.is_gone(id));
        wrong.extend(uncounted.map(|id| self.at("CONTACT", id, "referred to, and not counted")));
        wrong
    }
}

fn lower_name(tag: &Value) -> String {
    text(tag, "name").to_lowercase()
}

/// The form in which a text is found and sorted; `None` beyond ASCII, whose folding is not repeated here.
fn folded(text: &str) -> Option<String> {
    let words: Vec<_> = text.split_whitespace().collect();
    text.is_ascii().then(|| words.join(" ").to_lowercase())
}

/// Whether these are the sort keys of the terms of a contact.
fn is_found_by(id: &str, contact: &Value, terms: &[&str]) -> bool {
    let own = format!("{SEPARATOR}{id}");
    let (names, emails): (Vec<&str>, Vec<&str>) = terms.iter().partition(|term| term.ends_with(&own));
    let name = |field| folded(text(contact, field)).map(|name| name + &own);
    let email = contact["email"].as_str().map(folded);
    are_for(&names, &[name("firstName"), name("lastName")]) && are_for(&emails, email.as_slice())
}

/// Whether these are the keys that are wanted. Of those that are not known there may be as many, or they are all the same.
fn are_for(keys: &[&str], wanted: &[Option<String>]) -> bool {
    let known: BTreeSet<_> = wanted.iter().flatten().map(String::as_str).collect();
    let unknown = wanted.iter().filter(|key| key.is_none()).count();
    let least = known.len().max(wanted.len().min(1));
    known.iter().all(|key| keys.contains(key)) && (least..=known.len() + unknown).contains(&keys.len())
}

fn is_sorted(id: &str, contact: &Value) -> bool {
    let sort = text(contact, "sorted_sk");
    match (folded(text(contact, "lastName")), folded(text(contact, "firstName"))) {
        (Some(last), Some(first)) => sort == format!("{last}{SEPARATOR}{first}{SEPARATOR}{id}"),
        _ => sort.ends_with(&format!("{SEPARATOR}{id}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::super::owners::owners;
    use super::super::{placed, tree};
    use super::*;

    const TENANT: Uuid = Uuid::from_u128(1);
    const AGENCY: Uuid = Uuid::from_u128(2);
    const CLIENT: Uuid = Uuid::from_u128(3);

    /// A whole table: a client with the contacts `ada`, who has a tag, a deal and an appointment, and `zoë`.
    struct Table(Vec<Value>);

    fn client() -> String {
        format!("T#{TENANT}#A#{AGENCY}#C#{CLIENT}#")
    }

    fn table() -> Table {
        let (tenant, agency) = (format!("T#{TENANT}#"), format!("T#{TENANT}#A#{AGENCY}#"));
        let place = json!({ "tenantId": TENANT, "agencyId": AGENCY });
        let mut table = Table(Vec::new());
        table.put("PLATFORM#TENANT", &TENANT.to_string(), json!({}));
        table.put(&format!("{tenant}HOLDS"), "COUNT", json!({ "n": 1 }));
        table.put(&format!("{tenant}AGENCY"), &AGENCY.to_string(), json!({}));
        table.put(&format!("GLOBAL#AGENCY#{AGENCY}"), "AT", place.clone());
        table.put(&format!("{agency}HOLDS"), "COUNT", json!({ "n": 1 }));
        table.put(&format!("{agency}CLIENT"), &CLIENT.to_string(), json!({}));
        table.put(&format!("GLOBAL#CLIENT#{CLIENT}"), "AT", place);
        table.put("GLOBAL#WIDGET#key", "AT", json!({ "domains": [] }));
        for (collection, sort, row) in [
            ("HOLDS", "COUNT", json!({ "n": 5 })),
            ("WIDGET", "KEY", json!({ "key": "key", "domains": [] })),
            ("CONTACT", "ada", contact("ada", ["Ada", "Byron  King"], "byron king\u{1}ada")),
            ("CONTACT", "zoe", contact("zoe", ["Zoë", "Zoe"], "zoe\u{1}zoe")),
            ("TERM", "ada\u{1}ada", json!({ "owner": "ada", "seen": [1, 0] })),
            ("TERM", "byron king\u{1}ada", json!({ "owner": "ada", "seen": [1, 0] })),
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

    fn contact(id: &str, [first, last]: [&str; 2], folded: &str) -> Value {
        json!({
            "firstName": first,
            "lastName": last,
            "tagIds": [],
            "updatedAt": "2026-03-08T06:30:00.000Z",
            "sorted_pk": format!("{}CONTACT#NAME", client()),
            "sorted_sk": format!("{folded}\u{1}{id}"),
            "changed_pk": format!("{}CONTACT#CHANGED", client()),
            "changed_sk": format!("2026-03-08T06:30:00.000Z#{id}"),
        })
    }

    fn reference(sort: &str) -> Value {
        json!({ "contactId": "ada", "contact_pk": format!("{}CONTACT#ada", client()), "contact_sk": sort })
    }

    impl Table {
        fn put(&mut self, partition: &str, sort: &str, mut row: Value) {
            row["pk"] = partition.into();
            row["sk"] = sort.into();
            self.0.push(row);
        }

        fn find(&self, collection: &str, sort: &str) -> usize {
            let partition = format!("{}{collection}", client());
            let at = self.0.iter().position(|row| row["pk"] == partition && row["sk"] == sort);
            at.expect("it is there")
        }

        fn row(&mut self, collection: &str, sort: &str) -> &mut Value {
            let at = self.find(collection, sort);
            &mut self.0[at]
        }

        fn remove(&mut self, collection: &str, sort: &str) {
            self.0.remove(self.find(collection, sort));
        }

        fn gone(&mut self, id: &str) {
            self.put(&format!("{}GONE", client()), "IDS", json!({ "ids": [id] }));
        }
    }

    fn after(change: impl FnOnce(&mut Table)) -> Vec<String> {
        let mut table = table();
        change(&mut table);
        let (rows, astray) = placed(&table.0);
        let owners = owners(&rows);
        let of_contacts = owners.values().flat_map(damages).collect();
        [astray, tree::damages(&rows, &owners), of_contacts].concat()
    }

    /// Expects damages that say so, and no other.
    #[track_caller]
    fn finds<const N: usize>(expected: [&str; N], change: impl FnOnce(&mut Table)) {
        let damages = after(change);
        let all = damages.len() == N && damages.iter().zip(expected).all(|(damage, part)| damage.contains(part));
        assert!(all, "{damages:?} instead of {expected:?}");
    }

    #[test]
    fn a_whole_client_has_no_damage() {
        finds([], |_| {});
    }

    #[test]
    fn a_contact_is_found_by_each_of_its_texts_and_nothing_else() {
        let other = |owner: &str| json!({ "owner": owner, "seen": [1, 0] });
        finds(["CONTACT / ada: found by"], |table| table.remove("TERM", "ada\u{1}ada"));
        finds(["CONTACT / ada: found by"], |table| table.remove("TERM", "ada@example.com"));
        finds(["CONTACT / zoe: found by"], |table| table.remove("TERM", "zoe\u{1}zoe"));
        finds(["CONTACT / ada: found by"], |table| table.row("CONTACT", "ada")["email"] = "a@example.com".into());
        finds(["CONTACT / ada: found by"], |table| {
            table.put(&format!("{}TERM", client()), "countess\u{1}ada", other("ada"));
        });
        finds(["CONTACT / zoe: found by"], |table| {
            table.put(&format!("{}TERM", client()), "zoe@example.com", other("zoe"));
        });
        finds(["finds nobody"], |table| table.put(&format!("{}TERM", client()), "x@example.com", other("nobody")));
        finds(["finds nobody"], |table| table.row("TERM", "ada@example.com")["seen"] = Value::Null);
    }

    #[test]
    fn of_a_text_beyond_ascii_it_is_known_only_that_there_is_a_term() {
        let term = json!({ "owner": "zoe", "seen": [1, 0] });
        finds([], |table| {
            table.row("CONTACT", "zoe")["email"] = "zoë@example.com".into();
            table.put(&format!("{}TERM", client()), "zoe@example.com\u{1}zoë@example.com", term.clone());
        });
        finds(["CONTACT / zoe: found by"], |table| {
            table.row("CONTACT", "zoe")["email"] = "zoë@example.com".into();
        });
        finds([], |table| table.put(&format!("{}TERM", client()), "zoë\u{1}zoe", term));
    }

    #[test]
    fn a_contact_stands_where_its_name_and_its_change_put_it() {
        for name in ["sorted_pk", "sorted_sk", "changed_pk", "changed_sk"] {
            finds(["in another place"], |table| table.row("CONTACT", "ada")[name] = "elsewhere".into());
        }
        finds(["in another place"], |table| table.row("CONTACT", "ada")["updatedAt"] = "2026".into());
    }

    #[test]
    fn a_tag_and_its_name_belong_together() {
        finds(["UNIQ / TAG_NAME#vip: not of \"other\"", "TAG / vip: does not own"], |table| {
            table.row("UNIQ", "TAG_NAME#vip")["owner"] = "other".into();
        });
        finds(["TAG / vip: does not own"], |table| table.remove("UNIQ", "TAG_NAME#vip"));
        finds(["UNIQ / CONTACT_ORIGIN#hash: not of \"eve\""], |table| {
            table.row("UNIQ", "CONTACT_ORIGIN#hash")["owner"] = "eve".into();
        });
        finds(["UNIQ / CONTACT_EMAIL#x: not of \"ada\""], |table| {
            table.put(&format!("{}UNIQ", client()), "CONTACT_EMAIL#x", json!({ "owner": "ada" }));
        });
    }

    #[test]
    fn a_contact_is_under_its_tags_and_only_there() {
        finds(["without the tag vip"], |table| table.remove("TAG#vip#CONTACT", "ada"));
        finds(["TAG#vip#CONTACT / ada: does not name"], |table| {
            table.row("CONTACT", "ada")["tagIds"] = json!([]);
        });
        finds(["UNIQ / TAG_NAME#vip", "without the tag vip"], |table| {
            table.remove("TAG", "vip");
            table.row("HOLDS", "COUNT")["n"] = 4.into();
        });
    }

    #[test]
    fn what_is_cleared_of_a_deleted_tag_may_remain() {
        let delete = |table: &mut Table| {
            table.remove("TAG", "vip");
            table.remove("UNIQ", "TAG_NAME#vip");
            table.row("HOLDS", "COUNT")["n"] = 4.into();
            table.gone("vip");
        };
        finds([], delete);
        finds([], |table| {
            delete(table);
            table.remove("TAG#vip#CONTACT", "ada");
        });
        finds([], |table| {
            delete(table);
            table.row("CONTACT", "ada")["tagIds"] = json!([]);
        });
    }

    #[test]
    fn a_reference_leads_to_its_contact_and_back() {
        finds(["DEAL / one: refers to \"eve\"", "REFERRED / ada", "CONTACT / eve: referred to"], |table| {
            table.row("DEAL", "one")["contactId"] = "eve".into();
        });
        finds(["APPOINTMENT / noon"], |table| table.row("APPOINTMENT", "noon")["contact_sk"] = "DEAL#noon".into());
        finds(["DEAL / one"], |table| table.row("DEAL", "one")["contact_pk"] = Value::Null);
        finds(["DEAL / two: refers to null"], |table| table.row("DEAL", "two")["contact_sk"] = "DEAL#two".into());
        finds(["REFERRED / ada: counts 3 and is 2"], |table| table.row("REFERRED", "ada")["n"] = 3.into());
        finds(["CONTACT / ada: referred to, and not counted"], |table| table.remove("REFERRED", "ada"));
        finds(["REFERRED / eve: without its contact"], |table| {
            table.put(&format!("{}REFERRED", client()), "eve", json!({ "n": 0 }));
        });
    }

    #[test]
    fn what_is_cleared_of_a_deleted_contact_may_remain() {
        let delete = |table: &mut Table| {
            for (collection, sort) in [
                ("CONTACT", "ada"),
                ("TERM", "ada\u{1}ada"),
                ("TERM", "byron king\u{1}ada"),
                ("TERM", "ada@example.com"),
                ("TAG#vip#CONTACT", "ada"),
                ("UNIQ", "CONTACT_ORIGIN#hash"),
            ] {
                table.remove(collection, sort);
            }
            table.row("HOLDS", "COUNT")["n"] = 4.into();
            table.gone("ada");
        };
        finds([], delete);
        finds([], |table| {
            delete(table);
            table.remove("REFERRED", "ada");
        });
        finds(["REFERRED / ada: counts 1 and is 2"], |table| {
            delete(table);
            table.row("REFERRED", "ada")["n"] = 1.into();
        });
    }

    #[test]
    fn what_passes_may_outlive_its_client_and_nothing_else_does() {
        let lost = format!("T#{TENANT}#A#{AGENCY}#C#{}#", Uuid::from_u128(9));
        for collection in ["IMPORT", "IMPORT#x#FAULT", "IMPORT#x#TEXT"] {
            let partition = format!("{lost}{collection}");
            finds([], |table| table.put(&partition, "x", json!({ "ttl": 1 })));
            finds(["without its"], |table| table.put(&partition, "x", json!({})));
        }
        finds([], |table| table.put(&format!("{lost}JOB"), "x", json!({})));
        finds([], |table| table.put(&format!("{lost}GONE"), "IDS", json!({})));
        finds(["without its"], |table| table.put(&format!("{lost}GONE"), "IDS", json!({ "ids": ["x"] })));
    }
}
