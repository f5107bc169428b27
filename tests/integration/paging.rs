//! Helpers that read all pages of a list.

use harness::users::TestUser;
use serde_json::Value;

/// All pages of a list.
pub(crate) struct PagedList {
    /// The items of all pages.
    pub(crate) items: Vec<Value>,
    /// The number of items of each page.
    pub(crate) pages: Vec<usize>,
}

impl PagedList {
    /// The ids of the items.
    pub(crate) fn ids(&self) -> Vec<&str> {
        ids(&self.items)
    }

    /// Fails the test unless all pages are full, except the last.
    ///
    /// The last page may be empty only if it is the only page.
    #[track_caller]
    pub(crate) fn assert_full(&self, limit: usize) {
        let (last, others) = self.pages.split_last().expect("a list has a page");
        let is_full = others.iter().all(|length| *length == limit) && (*last > 0 || others.is_empty());
        assert!(is_full, "pages of {limit}: {:?}", self.pages);
    }
}

/// Reads all pages of a list; no page may exceed the limit.
pub(crate) async fn walk(user: &TestUser<'_>, list: &str, limit: usize) -> PagedList {
    let separator = if list.contains('?') { '&' } else { '?' };
    let (mut items, mut pages, mut cursor) = (Vec::new(), Vec::new(), String::new());
    loop {
        let page = user.get(&format!("{list}{separator}limit={limit}{cursor}")).is(200).await;
        let page_items = page.body["items"].as_array().expect("items");
        assert!(page_items.len() <= limit, "{page}");
        items.extend(page_items.iter().cloned());
        pages.push(page_items.len());
        assert!(pages.len() < 1000, "{list} has too many pages");
        let Some(next) = page.body["nextCursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    PagedList { items, pages }
}

/// All items of a list, read in pages of 100.
pub(crate) async fn list_all(user: &TestUser<'_>, list: &str) -> Vec<Value> {
    walk(user, list, 100).await.items
}

/// The ids of entities.
pub(crate) fn ids(items: &[Value]) -> Vec<&str> {
    items.iter().map(|item| item["id"].as_str().expect("an id")).collect()
}

/// Percent-encodes text for a query.
pub(crate) fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}
