//! Renders `DATA-MODEL.md`.

use std::collections::BTreeSet;
use std::fmt::Write;

use expect_test::expect_file;

use super::access_patterns;
use crate::table::Layout;
use crate::table::data_model::{AccessPattern, Samples};

#[test]
fn data_model_page_shows_the_keys_of_the_code() {
    let samples = Samples::default();
    let modules = access_patterns(&samples);
    expect_file!["../../DATA-MODEL.md"].assert_eq(&page(&modules));
    let patterns: Vec<_> = modules.into_iter().flat_map(|(_, patterns)| patterns).collect();
    assert_eq!(samples.unread_index_keys(&patterns), [""; 0], "index keys that no access pattern reads");
}

fn page(modules: &[(&str, Vec<AccessPattern>)]) -> String {
    let all = || modules.iter().flat_map(|(_, patterns)| patterns);
    let documents: BTreeSet<_> =
        all().filter(|pattern| pattern.layout == Layout::Document).map(|pattern| &pattern.entity).collect();
    let documents: Vec<_> = documents.into_iter().map(|entity| format!("`{entity}`")).collect();
    let mut page = INTRODUCTION.replace("{documents}", &documents.join(", "));
    page += "\n## Access patterns\n";
    for (module, patterns) in modules {
        let _ = write!(page, "\n### {module}\n\n{HEADER}");
        page.extend(patterns.iter().map(row));
    }
    page += INDEXES;
    for (index, about) in ABOUT_INDEXES {
        let _ = write!(page, "\n### {index}\n\n{about}\n\n| Entity | Partition key | Sort key |\n|---|---|---|\n");
        let mut rows = Vec::new();
        for pattern in all().filter(|pattern| pattern.index == Some(index)) {
            let AccessPattern { entity, partition, sort, .. } = pattern;
            let row = format!("| `{entity}` | `{partition}` | `{sort}` |\n");
            if !rows.contains(&row) {
                rows.push(row);
            }
        }
        page += &rows.concat();
    }
    page
}

fn row(pattern: &AccessPattern) -> String {
    let AccessPattern { words, operation, index, partition, sort, bounds, entity, .. } = pattern;
    let index = index.unwrap_or("table");
    let bounds = bounds.as_ref().map(|bounds| format!(", {bounds}")).unwrap_or_default();
    format!("| {words} | {operation} | {index} | `{partition}` | `{sort}`{bounds} | `{entity}` |\n")
}

const HEADER: &str = "\
| Access pattern | Operation | Index | Partition key | Sort key | Entity |
|---|---|---|---|---|---|
";

const INTRODUCTION: &str = "\
<!-- Rendered from the code. To update: UPDATE_EXPECT=1 cargo test -p shared --lib data_model -->
# Data model

One DynamoDB table holds all data. This page lists every access pattern with its operation, its index and its key. A test renders the
page from the functions that make the keys (`keys.rs` in each module) and fails if the page differs.

## Keys

- **Scope prefixes.** A partition key is the prefix of a scope and the name of a collection. A key can only be made from a scope, so that
  every key that a request makes is inside the scope of its caller.

  | On this page | Prefix |
  |---|---|
  | `PLATFORM#` | the platform |
  | `<tenant>#` | `T#<tenantId>#` |
  | `<agency>#` | `T#<tenantId>#A#<agencyId>#` |
  | `<client>#` | `T#<tenantId>#A#<agencyId>#C#<clientId>#` |
  | `<home>#` | the prefix of the home of a user: the platform, an agency or a client |

  All ids in keys have the same length and every prefix ends in `#`. So the prefix of a scope is the beginning of another prefix only if
  the scope is an ancestor.
- **Ids** in keys are the 16 bytes of the UUID in base32hex (RFC 4648, section 7), lower case, without padding: 26 characters instead of
  36, which sort as the UUIDs do. Ids are UUIDv7, so that a sort key that begins with an id sorts by creation.
- **Times** in keys are RFC 3339 in UTC with three decimals, so that texts sort in the order of time.
- **Separators.** The parts of a key are joined by `#`. In keys with texts that users write, `\\u{1}` separates the parts, because it sorts
  before every character of such a text. `AT` is the sort key of an item that is alone in its partition.
- **Global items** (`GLOBAL#…`) are outside of all scopes: pointers and counters that are read before the scope is known. Each is read by its
  exact key only, never listed. Emails, IP addresses and tokens in their keys are hashed.

## Items

`Layout::Flat` stores each field as an attribute, so that an update can change one of them. `Layout::Document` stores all fields in the map
attribute `d`, which the indexes project. The id and the client id are read from the key and not stored again, `version`, `createdAt` and
`updatedAt` are stored as `v`, `c` and `u`, and attributes without a value are left out. Storage and writes are billed by size, and each
index holds a copy.

Entities with `Layout::Document`: {documents}. All other entities are `Layout::Flat`.

The fields include `sv`, the version of the stored shape. Items that expire carry `ttl` in Unix seconds.

An item that only transactions write and check, and that is never read by itself, has the operation «transaction only». Every write of an
item is part of a TransactWriteItems, except the text of an import, which is stored before the import (PutItem, DeleteItem).
";

const INDEXES: &str = "
## Indexes

All indexes are sparse: an item is in an index only if it has the key attributes of the index. Reads of an index are eventually consistent.
`gsi1` to `gsi5` have the key attributes `p1`/`s1` to `p5`/`s5` and project `d`, and so only entities with `Layout::Document` are in them.
An item is in at most one partition of each index. Entities share an index to keep the number of indexes low; their partition keys differ,
except in `gsi3`, where a label at the beginning of the sort key separates them.
";

const ABOUT_INDEXES: [(&str, &str); 6] = [
    (
        "gsi1",
        "The main order of each entity: contacts by name, deals by stage and position, appointments by month and start.",
    ),
    ("gsi2", "Changes since a time."),
    ("gsi3", "References to a contact. Deals and appointments share the partition of their contact."),
    ("gsi4", "Groups: deals of a pipeline, appointments with a status."),
    ("gsi5", "Assignments: deals of a user, appointments of a staff member."),
    (
        "due",
        "Work that is due at a time. Each queue has 16 partitions: `<shard>` is 00 to 15, the last four bits of the \
         client's id for jobs and of the mail's id for mails. Key attributes `dp`/`ds`, projection `KEYS_ONLY`. This \
         is the only index that crosses tenants; a function that reads it gets keys, and reads each item by its key.",
    ),
];
