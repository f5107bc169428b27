//! Reading a list to its end, page by page.

use harness::who::Who;
use serde_json::Value;

/// A list that was read to its end.
pub(crate) struct Walked {
    /// All its items.
    pub(crate) items: Vec<Value>,
    /// How many of them each page had.
    pub(crate) pages: Vec<usize>,
}

impl Walked {
    /// The ids of its items.
    pub(crate) fn ids(&self) -> Vec<&str> {
        ids(&self.items)
    }

    /// Fails the test unless every page but the last had all that a page has, and the last one something, if there was anything.
    #[track_caller]
    pub(crate) fn assert_full(&self, limit: usize) {
        let (last, others) = self.pages.split_last().expect("a list has a page");
        let is_full = others.iter().all(|length| *length == limit) && (*last > 0 || others.is_empty());
        assert!(is_full, "pages of {limit}: {:?}", self.pages);
    }
}

/// Reads all pages of a list, each of which keeps to the limit.
pub(crate) async fn walk(who: &Who<'_>, list: &str, limit: usize) -> Walked {
    let sign = if list.contains('?') { '&' } else { '?' };
    let (mut items, mut pages, mut cursor) = (Vec::new(), Vec::new(), String::new());
    loop {
        let page = who.get(&format!("{list}{sign}limit={limit}{cursor}")).is(200).await;
        let shown = page.body["items"].as_array().expect("items");
        assert!(shown.len() <= limit, "{page}");
        items.extend(shown.iter().cloned());
        pages.push(shown.len());
        assert!(pages.len() < 1000, "{list} comes to no end");
        let Some(next) = page.body["nextCursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    Walked { items, pages }
}

/// A whole list in pages of a hundred.
pub(crate) async fn whole(who: &Who<'_>, list: &str) -> Vec<Value> {
    walk(who, list, 100).await.items
}

/// The ids of entities.
pub(crate) fn ids(items: &[Value]) -> Vec<&str> {
    items.iter().map(|item| item["id"].as_str().expect("an id")).collect()
}

/// Text as it stands in a query.
pub(crate) fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}
