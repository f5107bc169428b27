//! The access patterns of contacts, tags and imports.

use serde_json::json;

use super::{ContactRow, ImportFingerprint};
use crate::table::data_model::{AccessPattern, Samples, TRANSACTION_ONLY};

const LINE: u64 = 12_345_678;
const PIECE: usize = 1234;

pub(crate) fn access_patterns(samples: &Samples) -> Vec<AccessPattern> {
    [contacts(samples), tags(samples), imports(samples)].into_iter().flatten().collect()
}

fn contacts(samples: &Samples) -> Vec<AccessPattern> {
    let (client, id, changed) = (samples.client(), samples.id("contact"), samples.instant("updatedAt"));
    let key = client.contact(id);
    let row: ContactRow = Samples::item(json!({
        "id": id, "clientId": client.id(), "firstName": "sample-firstname", "lastName": "sample-lastname",
        "version": 1, "createdAt": changed, "updatedAt": changed,
    }));
    let (word, prefix) = ("sample-word".parse().unwrap(), "sample-prefix".parse().unwrap());
    let (ascii, accented) = ("sample@x.example".parse().unwrap(), "s\u{e1}mple@x.example".parse().unwrap());
    for (text, placeholder) in [
        ("sample-lastname", "lastName"),
        ("sample-firstname", "firstName"),
        ("sample-word", "word"),
        ("sample-prefix", "prefix"),
        ("sample@x.example", "email without accents"),
        ("s\u{e1}mple@x.example", "email"),
    ] {
        samples.placeholder(text, placeholder);
    }
    let word_entry = client.word_entry(&word, id);
    vec![
        samples.single("a contact", "GetItem, BatchGetItem", &key),
        samples.query("contacts by creation", client.contacts(), &key),
        samples.query_index("contacts by last name, then first name", &client.contacts_by_name(), &row, &key),
        samples.query_index("contacts by last change", &client.contacts_by_change(None), &row, &key),
        samples.query_index("contacts changed since a time", &client.contacts_by_change(Some(changed)), &row, &key),
        samples.query(
            "contacts by prefix of a word of a name, or of the email",
            client.search_entries(&prefix),
            &word_entry,
        ),
        samples.single("the entry of a word of a name", TRANSACTION_ONLY, &word_entry),
        samples.single(
            "the contact with an email (also the unique constraint)",
            "GetItem, BatchGetItem",
            &client.email_entry(&ascii),
        ),
        samples.single(
            "the contact with an email that has accents",
            "GetItem, BatchGetItem",
            &client.email_entry(&accented),
        ),
        samples.single("number of deals and appointments of a contact", "GetItem", &client.reference_count(id)),
        samples.single("ids of deleted contacts and tags that are still referred to", "GetItem", &client.tombstones()),
    ]
}

fn tags(samples: &Samples) -> Vec<AccessPattern> {
    let (client, id) = (samples.client(), samples.id("tag"));
    let assignment = client.tag_assignment(id, samples.id("contact"));
    samples.placeholder("sample-tagname", "tagName");
    let name = "Sample-TagName".parse().unwrap();
    vec![
        samples.single("a tag", "GetItem, BatchGetItem", &client.tag(id)),
        samples.query("tags by creation", client.tags(), &client.tag(id)),
        samples.single("the tag with a name (also the unique constraint)", "BatchGetItem", &client.tag_name(&name)),
        samples.query("contacts with a tag, by creation of the contact", client.tag_assignments(id), &assignment),
    ]
}

fn imports(samples: &Samples) -> Vec<AccessPattern> {
    let (client, id) = (samples.client(), samples.id("import"));
    let fingerprint = ImportFingerprint::new("<hash of the row>".to_owned());
    samples.placeholder(&LINE, "line");
    samples.placeholder(&PIECE, "number");
    let errors = client.import_errors_from(id, LINE);
    vec![
        samples.single("an import", "GetItem", &client.import(id)),
        samples.query("row errors of an import by line", client.import_errors(id), &errors),
        samples.single("the text of an import, in pieces", "BatchGetItem", &client.import_text(id, PIECE)),
        samples.single(
            "the contact that an imported row created",
            "BatchGetItem",
            &client.import_fingerprint(&fingerprint),
        ),
    ]
}
