//! Reading and writing contacts as CSV, without I/O.
//!
//! The format is [RFC 4180](https://www.rfc-editor.org/rfc/rfc4180).

mod cell;
mod cells;
mod header;
mod records;
mod write;

use crate::contacts::RowError;
use crate::value::{Country, FieldError, ValidationErrors};
use crate::web::{ErrorCode, Problem, Result};

pub use cells::Cells;
use header::Header;
use records::{Record, Records};
pub use write::write;

/// A CSV file of contacts with a valid header.
///
/// Rows are parsed one by one, to keep memory use low.
#[derive(Debug)]
pub struct Sheet {
    file: Vec<u8>,
    header: Header,
    start: FilePosition,
}

/// A position in a file between two rows, from which another process can continue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FilePosition {
    /// Offset in bytes.
    pub offset: u64,
    /// Line, counted from 1.
    pub line: u64,
}

/// A row of a file.
#[derive(Debug)]
pub struct Row {
    /// The line in which it starts. A cell may span lines.
    pub line: u64,
    /// The position of the row after it.
    pub next: FilePosition,
    /// The parsed cells, or all errors of the row.
    pub cells: std::result::Result<Cells, Vec<RowError>>,
}

/// The largest number of rows: they are imported within minutes.
const MAX_ROWS: usize = 20_000;

impl Sheet {
    /// Parses the header, and counts the rows.
    ///
    /// # Errors
    /// 400 `invalid_csv`; 422 `invalid` with the errors of the header, `too_many_rows` or `unclosed_quote`.
    pub fn open(file: Vec<u8>) -> Result<Self> {
        if str::from_utf8(&file).is_err() {
            return Err(Problem::new(ErrorCode::InvalidCsv, "The file must be CSV in UTF-8."));
        }
        let mut records = Records::from(&file, FilePosition { offset: 0, line: 1 });
        let first = records.next().ok_or_else(Header::missing)?;
        let header = Header::read(&first.cells)?;
        let (mut len, mut last) = (0, first.start);
        for record in records.filter(|record| !header.matches(&record.cells)).take(MAX_ROWS + 1) {
            (len, last) = (len + 1, record.start);
        }
        if len <= MAX_ROWS && Records::has_unclosed_quote(&file, last) {
            // All rows after the quote would be read as part of one row, and be lost without an error.
            let detail = format!("A quote in the row that starts in line {} is not closed.", last.line);
            return Err(Problem::new(ErrorCode::UnclosedQuote, detail));
        }
        if len > MAX_ROWS {
            let detail = format!("The file must have at most {MAX_ROWS} rows.");
            return Err(Problem::new(ErrorCode::TooManyRows, detail));
        }
        Ok(Self { header, start: first.next, file })
    }

    /// The bytes of the file.
    pub fn file(&self) -> &[u8] {
        &self.file
    }

    /// The position of the first row.
    pub const fn start(&self) -> FilePosition {
        self.start
    }

    /// The rows from a position on.
    ///
    /// National phone numbers are read as those of `country`.
    pub fn rows(&self, from: FilePosition, country: Option<Country>) -> impl Iterator<Item = Row> {
        // Concatenated exports have a header each.
        Records::from(&self.file, from)
            .filter(|record| !self.header.matches(&record.cells))
            .map(move |record| self.row(&record, country))
    }

    fn row(&self, Record { start, cells, next }: &Record, country: Option<Country>) -> Row {
        let cells = self.header.check_length(cells).and_then(|()| Cells::read(&self.header, cells, country));
        let cells = cells.map_err(|invalid| row_errors(start.line, invalid));
        Row { line: start.line, next: *next, cells }
    }
}

/// The errors of a row that starts in `line`.
fn row_errors(line: u64, invalid: ValidationErrors) -> Vec<RowError> {
    let row_error =
        |FieldError { pointer, code, detail }| RowError { line, pointer, code, detail: detail.into_owned() };
    invalid.into_fields().into_iter().map(row_error).collect()
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::collections::BTreeMap;

    use super::*;
    use crate::contacts::{Contact, ContactId, ContactRecord, TagId};
    use crate::identity::ClientId;
    use crate::table::{InClient, Meta};
    use crate::value::Text;
    use proptest::prelude::*;

    fn open(file: impl Into<Vec<u8>>) -> Sheet {
        Sheet::open(file.into()).unwrap()
    }

    fn rejection(file: impl Into<Vec<u8>>) -> (u16, &'static str) {
        let problem = Sheet::open(file.into()).unwrap_err();
        (problem.status().as_u16(), problem.code())
    }

    impl Sheet {
        fn len(&self) -> usize {
            self.rows(self.start, None).count()
        }
    }

    fn rows(sheet: &Sheet, from: FilePosition) -> Vec<Row> {
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
    fn unclosed_quote_is_rejected() {
        for file in ["email\na@example.com\n\"b@example.com\nc@example.com\n", "email\n\"a@example.com", "\"email\na"] {
            assert_eq!(rejection(file).0, 422, "{file}");
        }
        assert_eq!(rejection("email,company\na@example.com,\"x\n").1, "unclosed_quote");
        for file in [
            "email,company\na@example.com,\"x\ny\"",
            "email,company\na@example.com,5\" pipe\n",
            "email\n\"a@example.com\"\r\n",
        ] {
            assert_eq!(open(file).len(), 1, "{file}");
        }
    }

    #[test]
    fn line_ends_and_byte_order_marks_of_all_programs_are_read() {
        let rows = [(2, "a@example.com".to_owned()), (5, "b@example.com".to_owned())];
        for end in ["\r\n", "\n", "\r"] {
            for mark in ["", "\u{feff}"] {
                let lines = ["E-Mail,\"First Name\"", "a@example.com,\" Ada", "\"", "", "b@example.com,Bob"];
                let file = format!("{mark}{}", lines.join(end));
                assert_eq!(emails(&file), rows, "{file:?}");
                assert_eq!(emails(&format!("{file}{end}{end},{end}")), rows, "{file:?} with blank rows at the end");
            }
        }
    }

    #[test]
    fn concatenated_exports_are_read() {
        let file = "\u{feff}email,id\r\na@example.com,\r\n\u{feff}email,id\r\nb@example.com,\r\nEMAIL,ID\n";
        assert_eq!(emails(file), [(2, "a@example.com".to_owned()), (4, "b@example.com".to_owned())]);
    }

    #[test]
    fn file_that_is_not_utf_8_or_has_an_invalid_header_is_rejected() {
        let utf_16: Vec<u8> = "\u{feff}email".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(rejection(utf_16), (400, "invalid_csv"));
        assert_eq!(rejection(*b"email\n\xff"), (400, "invalid_csv"));
        for file in ["", "\u{feff}\r\n \r\n", ",,\n", "company\n1", "email,shoe size", "email,E-mail", "email,\n"] {
            assert_eq!(rejection(file), (422, "invalid"), "{file:?}");
        }
    }

    #[test]
    fn more_than_20000_rows_are_rejected() {
        let file = format!("email\n{}", "a@example.com\n\n".repeat(20_000));
        assert_eq!(open(file.as_str()).len(), 20_000);
        assert_eq!(open(format!("{file}email\n")).len(), 20_000, "a repeated header is no row");
        assert_eq!(rejection(file + "b"), (422, "too_many_rows"));
    }

    #[test]
    fn invalid_row_does_not_hide_the_next_row() {
        let sheet = open("email,phone\nno,\"1\n2\"\na@example.com\nb@example.com,,\n");
        let found: Vec<_> = rows(&sheet, sheet.start())
            .into_iter()
            .flat_map(|row| row.cells.unwrap_err())
            .map(|error| (error.line, error.pointer, error.code))
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
    fn row_error_is_stored_as_json() {
        let sheet = open("email\nno");
        let error = rows(&sheet, sheet.start()).remove(0).cells.unwrap_err().remove(0);
        let json = serde_json::json!(error);
        let detail = "must be an email address";
        let expected = serde_json::json!({ "line": 2, "pointer": "/email", "code": "invalid_email", "detail": detail });
        assert_eq!(json, expected);
        assert_eq!(serde_json::from_value::<RowError>(json).unwrap(), error);
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
    fn export_escapes_formulas_and_omits_deleted_tags() {
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
    fn export_without_contacts_is_a_header() {
        let written = write([].into_iter(), |_| None).unwrap();
        assert_eq!((open(written.as_str()).len(), written.lines().count()), (0, 1));
    }

    /// Text with characters that are special in a cell.
    const TEXT: &str = "(['=+@;,\"\\\\-]|\\PC){1,9}";

    fn any_contact() -> impl Strategy<Value = ContactRecord> {
        (prop::collection::vec(TEXT, 5), 0..8_u8).prop_map(|(names, has)| {
            let name = |at: usize| names[at].parse().ok();
            record(Contact {
                first_name: names[0].parse().unwrap_or_default(),
                last_name: names[1].parse().unwrap_or_default(),
                email: "=ada@example.com".parse().ok().filter(|_| has & 1 > 0),
                phone: "+14155552671".parse().ok().filter(|_| has & 2 > 0),
                company: name(2),
                job_title: name(3).filter(|_| has & 4 > 0),
                source: name(4),
                tag_ids: Vec::new(),
            })
        })
    }

    /// Tag names that differ in more than case.
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

    /// Files with many separators and a valid header.
    const FILES: &str = "(\u{feff}|\n)?email,id\r?\n([a-c,]|\"|\r\n|\r|\n|\u{feff}|a@example\\.com|email,id\n){0,30}";

    fn debug(rows: &[Row]) -> Vec<String> {
        rows.iter().map(|row| format!("{row:?}")).collect()
    }

    proptest! {
        #[test]
        fn exported_contact_is_imported_unchanged(mut contact in any_contact(), tags in tag_names()) {
            contact.fields.tag_ids = (0..tags.len()).map(tag).collect();
            let names: Vec<String> = tags.iter().map(ToString::to_string).collect();
            let written = write([&contact].into_iter(), |tag| names.get(index(tag)).map(String::as_str));
            let sheet = open(written.unwrap());
            let cells = rows(&sheet, sheet.start()).remove(0).cells.unwrap();
            let Contact { first_name, last_name, email, phone, company, job_title, source, tag_ids: _ } = contact.fields;
            let id = Some(contact.id);
            prop_assert_eq!(cells, Cells { id, first_name, last_name, email, phone, company, job_title, source, tags });
        }

        #[test]
        fn reading_continues_from_any_row(file in FILES) {
            // A file that ends within quotes is rejected.
            let Ok(sheet) = Sheet::open(file.into_bytes()) else { return Ok(()) };
            let all = rows(&sheet, sheet.start());
            prop_assert_eq!(all.len(), sheet.len());
            for (at, row) in all.iter().enumerate() {
                prop_assert_eq!(debug(&rows(&sheet, row.next)), debug(&all[at + 1..]));
            }
        }

        #[test]
        fn any_bytes_are_read_or_rejected(bytes: Vec<u8>, valid_header: bool, from in 0..400_u64) {
            let start = if valid_header { &b"email,phone,tags\n"[..] } else { b"" };
            if let Ok(sheet) = Sheet::open([start, &bytes].concat()) {
                prop_assert_eq!(rows(&sheet, sheet.start()).len(), sheet.len());
                rows(&sheet, FilePosition { offset: from, line: 1 });
            }
        }

        #[test]
        fn any_text_is_read_or_rejected(text in "email,phone,tags\n(.|[,\"\r\n]){0,60}", from in 0..300_u64) {
            let Ok(sheet) = Sheet::open(text.into_bytes()) else { return Ok(()) };
            prop_assert_eq!(rows(&sheet, sheet.start()).len(), sheet.len());
            rows(&sheet, FilePosition { offset: from, line: 1 });
        }
    }
}
