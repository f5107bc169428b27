//! Contacts as CSV ([RFC 4180](https://www.rfc-editor.org/rfc/rfc4180)), in and out. Pure: what to do with a row is for others.

mod cell;
mod cells;
mod header;
mod records;
mod write;

use axum::http::StatusCode;
use shared::entity::RowFault;
use shared::value::{Country, FieldError, ValidationErrors};
use shared::{Problem, Result};

pub(crate) use cells::Cells;
use header::Header;
use records::{Record, Records};
pub(crate) use write::write;

/// A file of contacts whose header is understood. Its rows are read one by one, so that a large file needs little more room than
/// itself.
#[derive(Debug)]
pub(crate) struct Sheet {
    file: Vec<u8>,
    header: Header,
    start: Mark,
}

/// A place in a file between two rows, from which another process can read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// In bytes.
    pub(crate) offset: u64,
    /// As a text editor counts: 1 is the first.
    pub(crate) line: u64,
}

/// One contact of a file.
#[derive(Debug)]
pub(crate) struct Row {
    /// Where it starts; a cell may go on for lines.
    pub(crate) line: u64,
    /// Where the one after it starts.
    pub(crate) next: Mark,
    /// What it says, or everything that is wrong with it.
    pub(crate) cells: std::result::Result<Cells, Vec<RowFault>>,
}

/// As many as are imported within minutes.
const MAX_ROWS: usize = 20_000;

impl Sheet {
    /// Reads the header, and counts the rows.
    pub(crate) fn open(file: Vec<u8>) -> Result<Self> {
        if str::from_utf8(&file).is_err() {
            return Err(Problem::bad_request("invalid_csv", "The file must be CSV in UTF-8."));
        }
        let mut records = Records::from(&file, Mark { offset: 0, line: 1 });
        let first = records.next().ok_or_else(Header::missing)?;
        let header = Header::read(&first.cells)?;
        let (mut len, mut last) = (0, first.start);
        for record in records.filter(|record| !header.is(&record.cells)).take(MAX_ROWS + 1) {
            (len, last) = (len + 1, record.start);
        }
        if len <= MAX_ROWS && Records::is_open(&file, last) {
            // All that follows would be one row with it, and nobody would miss the others.
            let detail = format!("A quote in the row that starts in line {} does not end.", last.line);
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "unclosed_quote", detail));
        }
        if len > MAX_ROWS {
            let detail = format!("The file must have at most {MAX_ROWS} rows.");
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "too_many_rows", detail));
        }
        Ok(Self { header, start: first.next, file })
    }

    /// The file itself.
    pub(crate) fn file(&self) -> &[u8] {
        &self.file
    }

    /// Where the first row starts.
    pub(crate) const fn start(&self) -> Mark {
        self.start
    }

    /// The rows `from` there on, with national telephone numbers read as those of `country`.
    pub(crate) fn rows(&self, from: Mark, country: Option<Country>) -> impl Iterator<Item = Row> {
        // The header again: exports put one after another have one each.
        Records::from(&self.file, from)
            .filter(|record| !self.header.is(&record.cells))
            .map(move |record| self.row(&record, country))
    }

    fn row(&self, Record { start, cells, next }: &Record, country: Option<Country>) -> Row {
        let cells = self.header.check(cells).and_then(|()| Cells::read(&self.header, cells, country));
        let cells = cells.map_err(|invalid| faults(start.line, invalid));
        Row { line: start.line, next: *next, cells }
    }
}

/// What is wrong with a row that starts on `line`.
fn faults(line: u64, invalid: ValidationErrors) -> Vec<RowFault> {
    let fault = |FieldError { pointer, code, detail }| RowFault { line, pointer, code, detail: detail.into_owned() };
    invalid.into_fields().into_iter().map(fault).collect()
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::collections::BTreeMap;

    use super::*;
    use proptest::prelude::*;
    use shared::auth::ClientId;
    use shared::entity::{Contact, ContactId, ContactRecord, InClient, Meta, TagId};
    use shared::value::Text;

    fn open(file: impl Into<Vec<u8>>) -> Sheet {
        Sheet::open(file.into()).unwrap()
    }

    fn refused(file: impl Into<Vec<u8>>) -> (u16, &'static str) {
        let problem = Sheet::open(file.into()).unwrap_err();
        (problem.status().as_u16(), problem.code())
    }

    impl Sheet {
        fn len(&self) -> usize {
            self.rows(self.start, None).count()
        }
    }

    fn rows(sheet: &Sheet, from: Mark) -> Vec<Row> {
        sheet.rows(from, None).collect()
    }

    /// The line and the email of every row.
    fn emails(file: &str) -> Vec<(u64, String)> {
        let sheet = open(file);
        let rows = rows(&sheet, sheet.start());
        assert_eq!(rows.len(), sheet.len());
        rows.into_iter().map(|row| (row.line, row.cells.unwrap().email.unwrap().as_str().to_owned())).collect()
    }

    #[test]
    fn a_quote_without_an_end_is_refused_before_it_hides_rows() {
        for file in ["email\na@example.com\n\"b@example.com\nc@example.com\n", "email\n\"a@example.com", "\"email\na"] {
            assert_eq!(refused(file).0, 422, "{file}");
        }
        assert_eq!(refused("email,company\na@example.com,\"x\n").1, "unclosed_quote");
        for file in [
            "email,company\na@example.com,\"x\ny\"",
            "email,company\na@example.com,5\" pipe\n",
            "email\n\"a@example.com\"\r\n",
        ] {
            assert_eq!(open(file).len(), 1, "{file}");
        }
    }

    #[test]
    fn a_file_is_read_whatever_wrote_it() {
        let rows = [(2, "a@example.com".to_owned()), (5, "b@example.com".to_owned())];
        for end in ["\r\n", "\n", "\r"] {
            for mark in ["", "\u{feff}"] {
                let lines = ["E-Mail,\"First Name\"", "a@example.com,\" Ada", "\"", "", "b@example.com,Bob"];
                let file = format!("{mark}{}", lines.join(end));
                assert_eq!(emails(&file), rows, "{file:?}");
                assert_eq!(emails(&format!("{file}{end}{end},{end}")), rows, "{file:?} and nothing after it");
            }
        }
    }

    #[test]
    fn pages_of_an_export_may_be_put_together() {
        let file = "\u{feff}email,id\r\na@example.com,\r\n\u{feff}email,id\r\nb@example.com,\r\nEMAIL,ID\n";
        assert_eq!(emails(file), [(2, "a@example.com".to_owned()), (4, "b@example.com".to_owned())]);
    }

    #[test]
    fn a_file_that_cannot_be_understood_is_refused() {
        let utf_16: Vec<u8> = "\u{feff}email".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(refused(utf_16), (400, "invalid_csv"));
        assert_eq!(refused(*b"email\n\xff"), (400, "invalid_csv"));
        for file in ["", "\u{feff}\r\n \r\n", ",,\n", "phone\n1", "email,shoe size", "email,E-mail", "email,\n"] {
            assert_eq!(refused(file), (422, "invalid"), "{file:?}");
        }
    }

    #[test]
    fn a_file_has_20000_rows_at_most() {
        let file = format!("email\n{}", "a@example.com\n\n".repeat(20_000));
        assert_eq!(open(file.as_str()).len(), 20_000);
        assert_eq!(open(format!("{file}email\n")).len(), 20_000, "a header is no row");
        assert_eq!(refused(file + "b"), (422, "too_many_rows"));
    }

    #[test]
    fn a_row_at_fault_does_not_hide_the_next() {
        let sheet = open("email,phone\nno,\"1\n2\"\na@example.com\nb@example.com,,\n");
        let found: Vec<_> = rows(&sheet, sheet.start())
            .into_iter()
            .flat_map(|row| row.cells.unwrap_err())
            .map(|fault| (fault.line, fault.pointer, fault.code))
            .collect();
        let expected = [
            (2, "/email", "invalid_email"),
            (2, "/phone", "invalid_phone"),
            (4, "", "wrong_length"),
            (5, "", "wrong_length"),
        ];
        assert_eq!(found, expected.map(|(line, pointer, code)| (line, pointer.to_owned(), Cow::from(code))));
    }

    #[test]
    fn a_fault_is_kept_as_json() {
        let sheet = open("email\nno");
        let fault = rows(&sheet, sheet.start()).remove(0).cells.unwrap_err().remove(0);
        let json = serde_json::json!(fault);
        let detail = "must be an email address";
        let expected = serde_json::json!({ "line": 2, "pointer": "/email", "code": "invalid_email", "detail": detail });
        assert_eq!(json, expected);
        assert_eq!(serde_json::from_value::<RowFault>(json).unwrap(), fault);
    }

    fn record(fields: Contact) -> ContactRecord {
        let id: ContactId = "019c0000-0000-7000-8000-000000000001".parse().unwrap();
        let client_id: ClientId = "019c0000-0000-7000-8000-000000000002".parse().unwrap();
        let meta = Meta::created("2026-03-08T06:30:00Z".parse().unwrap());
        ContactRecord { id, parent: InClient { client_id }, fields, meta }
    }

    fn tag(index: usize) -> TagId {
        format!("019c0000-0000-7000-8000-{index:012}").parse().unwrap()
    }

    fn index(tag: TagId) -> usize {
        tag.to_string().rsplit('-').next().unwrap().parse().unwrap()
    }

    #[test]
    fn an_export_is_safe_to_open() {
        let contact = record(Contact {
            first_name: "=cmd()".parse().unwrap(),
            last_name: "O\"Hara, Jr.".parse().unwrap(),
            email: "a@example.com".parse().ok(),
            phone: "+14155552671".parse().ok(),
            company: "@home".parse().ok(),
            job_title: None,
            source: None,
            tag_ids: vec![tag(0), tag(1), tag(7)],
        });
        let names = ["a;b", "vip"];
        let written = write([&contact].into_iter(), |tag| names.get(index(tag)).copied()).unwrap();
        assert_eq!(
            written,
            "id,firstName,lastName,email,phone,company,jobTitle,source,tags,createdAt,updatedAt\r\n\
             019c0000-0000-7000-8000-000000000001,'=cmd(),\"O\"\"Hara, Jr.\",a@example.com,'+14155552671,'@home,,,a\\;b;vip,\
             2026-03-08T06:30:00.000Z,2026-03-08T06:30:00.000Z\r\n"
        );
        assert_eq!(open(written).len(), 1);
    }

    #[test]
    fn an_export_of_nobody_is_a_header() {
        let written = write([].into_iter(), |_| None).unwrap();
        assert_eq!((open(written.as_str()).len(), written.lines().count()), (0, 1));
    }

    /// Text that a cell could get wrong.
    const TEXT: &str = "(['=+@;,\"\\\\-]|\\PC){1,9}";

    fn anybody() -> impl Strategy<Value = ContactRecord> {
        (prop::collection::vec(TEXT, 5), 0..8_u8).prop_map(|(names, has)| {
            let name = |at: usize| names[at].parse().ok();
            record(Contact {
                first_name: name(0).unwrap_or("Ada".parse().unwrap()),
                last_name: name(1).unwrap_or("Lovelace".parse().unwrap()),
                email: "=ada@example.com".parse().ok().filter(|_| has & 1 > 0),
                phone: "+14155552671".parse().ok().filter(|_| has & 2 > 0),
                company: name(2),
                job_title: name(3).filter(|_| has & 4 > 0),
                source: name(4),
                tag_ids: Vec::new(),
            })
        })
    }

    /// Names of tags, no two of which differ only in case.
    fn tag_names() -> impl Strategy<Value = Vec<Text<100>>> {
        prop::collection::vec(TEXT, 0..4).prop_map(|texts| {
            let names = texts.iter().filter_map(|text| text.parse::<Text<100>>().ok());
            names
                .map(|name| (name.to_string().to_lowercase(), name))
                .collect::<BTreeMap<_, _>>()
                .into_values()
                .collect()
        })
    }

    /// Files that are mostly structure, with a good header.
    const FILES: &str = "(\u{feff}|\n)?email,id\r?\n([a-c,]|\"|\r\n|\r|\n|\u{feff}|a@example\\.com|email,id\n){0,30}";

    fn shown(rows: &[Row]) -> Vec<String> {
        rows.iter().map(|row| format!("{row:?}")).collect()
    }

    proptest! {
        #[test]
        fn what_is_exported_is_imported_the_same(mut contact in anybody(), tags in tag_names()) {
            contact.fields.tag_ids = (0..tags.len()).map(tag).collect();
            let names: Vec<String> = tags.iter().map(ToString::to_string).collect();
            let written = write([&contact].into_iter(), |tag| names.get(index(tag)).map(String::as_str));
            let sheet = open(written.unwrap());
            let cells = rows(&sheet, sheet.start()).remove(0).cells.unwrap();
            let Contact { first_name, last_name, email, phone, company, job_title, source, tag_ids: _ } = contact.fields;
            let (id, first_name, last_name) = (Some(contact.id), Some(first_name), Some(last_name));
            prop_assert_eq!(cells, Cells { id, first_name, last_name, email, phone, company, job_title, source, tags });
        }

        #[test]
        fn another_process_reads_on_from_any_row(file in FILES) {
            // One that ends within quotes is refused.
            let Ok(sheet) = Sheet::open(file.into_bytes()) else { return Ok(()) };
            let all = rows(&sheet, sheet.start());
            prop_assert_eq!(all.len(), sheet.len());
            for (at, row) in all.iter().enumerate() {
                prop_assert_eq!(shown(&rows(&sheet, row.next)), shown(&all[at + 1..]));
            }
        }

        #[test]
        fn garbage_is_read_or_refused(bytes: Vec<u8>, good_start: bool, from in 0..400_u64) {
            let start = if good_start { &b"email,phone,tags\n"[..] } else { b"" };
            if let Ok(sheet) = Sheet::open([start, &bytes].concat()) {
                prop_assert_eq!(rows(&sheet, sheet.start()).len(), sheet.len());
                rows(&sheet, Mark { offset: from, line: 1 });
            }
        }

        #[test]
        fn garbled_text_is_read_or_refused(text in "email,phone,tags\n(.|[,\"\r\n]){0,60}", from in 0..300_u64) {
            let Ok(sheet) = Sheet::open(text.into_bytes()) else { return Ok(()) };
            prop_assert_eq!(rows(&sheet, sheet.start()).len(), sheet.len());
            rows(&sheet, Mark { offset: from, line: 1 });
        }
    }
}
