//! Reading and writing contacts as CSV, without I/O.
//!
//! The format is [RFC 4180](https://www.rfc-editor.org/rfc/rfc4180).

mod aliases;
mod cell;
mod cells;
mod encoding;
mod header;
mod records;
mod write;

use serde::{Deserialize, Serialize};

use crate::contacts::RowError;
use crate::value::{Country, FieldError, InvalidValue, ValidationErrors};
use crate::web::{ErrorCode, Problem, Result};

pub use cells::Cells;
use encoding::decode;
use header::Header;
pub use header::{HeaderMap, SheetColumn};
pub use records::Delimiter;
use records::{Quotes, Record, Records};
pub use write::write;

/// A CSV file of contacts with a valid header.
///
/// Rows are parsed one by one, to keep memory use low.
#[derive(Debug)]
pub struct Sheet {
    /// In UTF-8.
    file: Vec<u8>,
    encoding: String,
    delimiter: Delimiter,
    header: Header,
    start: FilePosition,
}

/// How a file is read, apart from its text: what another process needs to continue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SheetFormat {
    /// The encoding that the file was uploaded in.
    pub encoding: String,
    /// The character between two cells.
    pub delimiter: Delimiter,
    /// The columns, in their order.
    pub columns: Vec<SheetColumn>,
}

/// How the caller wants a file to be read.
#[derive(Clone, Debug, Default)]
pub struct SheetOptions {
    /// The `charset` of the media type.
    pub charset: Option<String>,
    /// The fields of columns.
    pub map: HeaderMap,
    /// Whether unknown columns are rejected.
    pub is_strict: bool,
}

/// A position in a file between two rows, from which another process can continue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FilePosition {
    /// Offset in bytes.
    pub offset: u64,
    /// Line, counted from 1.
    pub line: u64,
}

impl FilePosition {
    const START: Self = Self { offset: 0, line: 1 };
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

/// The largest number of rows and repeated headers: each row may be a file of its own.
const MAX_RECORDS: usize = 2 * MAX_ROWS;

impl Sheet {
    /// Decodes the file, finds the header, and counts the rows.
    ///
    /// # Errors
    /// 400 `invalid_csv`; 422 `invalid` with the errors of the header, `too_many_rows` or `unclosed_quote`.
    pub fn open(file: &[u8], options: &SheetOptions) -> Result<Self> {
        let decoded = decode(file, options.charset.as_deref())?;
        let found = Header::find(&decoded.text, &options.map, options.is_strict)?;
        let format = SheetFormat {
            encoding: decoded.encoding.to_owned(),
            delimiter: found.delimiter,
            columns: found.header.columns().to_vec(),
        };
        let mut sheet = Self::reopen(decoded.text.into_bytes(), format);
        sheet.start = found.next;
        sheet.check_rows(found.start)?;
        Ok(sheet)
    }

    /// Reads a file in UTF-8 that was opened before.
    pub fn reopen(file: Vec<u8>, format: SheetFormat) -> Self {
        let SheetFormat { encoding, delimiter, columns } = format;
        Self { file, encoding, delimiter, header: Header::new(columns), start: FilePosition::START }
    }

    fn check_rows(&self, header: FilePosition) -> Result<()> {
        let (mut rows, mut last) = (0, header);
        for (index, record) in self.records(self.start).enumerate() {
            rows += usize::from(!self.header.matches(&record.cells));
            if rows > MAX_ROWS || index >= MAX_RECORDS {
                let detail = format!("The file must have at most {MAX_ROWS} rows.");
                return Err(Problem::new(ErrorCode::TooManyRows, detail));
            }
            last = record.start;
            if record.quotes == Quotes::TextAfterLines {
                return Err(unclosed_quote(last));
            }
        }
        // All rows after the quote would be read as part of one row, and be lost without an error.
        if Records::has_unclosed_quote(&self.file, last, self.delimiter) { Err(unclosed_quote(last)) } else { Ok(()) }
    }

    fn records(&self, from: FilePosition) -> Records<'_> {
        Records::from(&self.file, from, self.delimiter)
    }

    /// The bytes of the file, in UTF-8.
    pub fn file(&self) -> &[u8] {
        &self.file
    }

    /// How the file is read.
    pub fn format(&self) -> SheetFormat {
        let (encoding, columns) = (self.encoding.clone(), self.header.columns().to_vec());
        SheetFormat { encoding, delimiter: self.delimiter, columns }
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
        self.records(from)
            .filter(|record| !self.header.matches(&record.cells))
            .map(move |record| self.row(&record, country))
    }

    fn row(&self, record: &Record, country: Option<Country>) -> Row {
        let Record { start, cells, next, .. } = record;
        let cells = check_quotes(record)
            .and_then(|()| self.header.check_surplus(cells))
            .and_then(|()| Cells::read(&self.header, cells, country));
        let cells = cells.map_err(|invalid| row_errors(start.line, invalid));
        Row { line: start.line, next: *next, cells }
    }
}

fn unclosed_quote(start: FilePosition) -> Problem {
    let detail = format!("A quote in the row that starts in line {} is not closed.", start.line);
    Problem::new(ErrorCode::UnclosedQuote, detail)
}

fn check_quotes(record: &Record) -> std::result::Result<(), ValidationErrors> {
    if record.quotes == Quotes::Balanced {
        return Ok(());
    }
    let detail = "must have no text after the closing quote of a cell; a quote in a quoted cell is doubled";
    Err(ValidationErrors::field("", InvalidValue::new("misplaced_quote", detail)))
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
        Sheet::open(&file.into(), &SheetOptions::default()).unwrap()
    }

    fn rejection(file: impl Into<Vec<u8>>) -> (u16, &'static str) {
        let problem = Sheet::open(&file.into(), &SheetOptions::default()).unwrap_err();
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
    fn file_that_is_not_text_or_has_an_invalid_header_is_rejected() {
        assert_eq!(rejection(*b"email\n\0"), (400, "invalid_csv"));
        for file in ["", "\u{feff}\r\n \r\n", ",,\n", "company\n1", "email,E-mail"] {
            assert_eq!(rejection(file), (422, "invalid"), "{file:?}");
        }
    }

    #[test]
    fn delimiter_and_lines_before_the_header_are_detected() {
        for file in [
            "sep=;\nE-mail;Company\na@example.com;A, B\n",
            "Contacts\texport\n\nMade by X\nE-Mail-Adresse\tFirma\tNotes\na@example.com\tA, B\tc\n",
            "List of contacts,,\n,,\nEmail,Company,\na@example.com,\"A, B\",\n",
        ] {
            let sheet = open(file);
            let cells = rows(&sheet, sheet.start()).remove(0).cells.unwrap();
            assert_eq!((cells.email, cells.company), ("a@example.com".parse().ok(), "A, B".parse().ok()), "{file}");
        }
        assert_eq!(rejection(format!("{}email\na@example.com\n", "x\n".repeat(21))), (422, "invalid"));
    }

    #[test]
    fn quote_that_swallows_rows_is_rejected() {
        let file = "firstName,company\nA,\"2020\nB,x\nC,\"2021\nD,2022\n";
        assert_eq!(rejection(file), (422, "unclosed_quote"));
    }

    #[test]
    fn repeated_headers_and_byte_order_marks_are_limited() {
        assert_eq!(rejection("\u{feff}email\n".repeat(320_000)), (422, "too_many_rows"));
        let file = "email\na@example.com\n".repeat(20_000);
        assert_eq!(open(file).len(), 20_000, "each row may be a file of its own");
    }

    #[test]
    fn reopened_file_has_the_same_rows() {
        let file = b"x\nE-mail;Mobile;Fax;J\xf6b\na@example.com;1;2;3\n";
        let sheet = Sheet::open(file, &SheetOptions::default()).unwrap();
        let stored = serde_json::to_value(sheet.format()).unwrap();
        let reopened = Sheet::reopen(sheet.file().to_vec(), serde_json::from_value(stored).unwrap());
        assert_eq!(reopened.format(), sheet.format());
        assert_eq!(debug(&rows(&reopened, sheet.start())), debug(&rows(&sheet, sheet.start())));
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
        let sheet = open("email,phone\nno,\"1\n2\"\na@example.com\nb@example.com,, \nc@example.com,,x\n\"d\" e\",\n");
        let found: Vec<_> = rows(&sheet, sheet.start())
            .into_iter()
            .filter_map(|row| row.cells.err())
            .flatten()
            .map(|error| (error.line, error.pointer, error.code))
            .collect();
        let expected = [
            (2, "/email", "invalid_email"),
            (2, "/phone", "invalid_phone"),
            (6, "", "wrong_length"),
            (7, "", "misplaced_quote"),
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
            time_zone: None,
            language: None,
            reminders_off: false,
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
                time_zone: None,
                language: None,
                reminders_off: false,
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
            let Contact { first_name, last_name, email, phone, company, job_title, source, .. } = contact.fields;
            let id = Some(contact.id);
            prop_assert_eq!(cells, Cells { id, first_name, last_name, email, phone, company, job_title, source, tags });
        }

        #[test]
        fn reading_continues_from_any_row(file in FILES) {
            // A file that ends within quotes is rejected.
            let Ok(sheet) = Sheet::open(file.as_bytes(), &SheetOptions::default()) else { return Ok(()) };
            let all = rows(&sheet, sheet.start());
            prop_assert_eq!(all.len(), sheet.len());
            for (at, row) in all.iter().enumerate() {
                prop_assert_eq!(debug(&rows(&sheet, row.next)), debug(&all[at + 1..]));
            }
        }

        #[test]
        fn any_bytes_are_read_or_rejected(bytes: Vec<u8>, valid_header: bool, from in 0..400_u64) {
            let start = if valid_header { &b"email,phone,tags\n"[..] } else { b"" };
            if let Ok(sheet) = Sheet::open(&[start, &bytes].concat(), &SheetOptions::default()) {
                prop_assert_eq!(rows(&sheet, sheet.start()).len(), sheet.len());
                rows(&sheet, FilePosition { offset: from, line: 1 });
            }
        }

        #[test]
        fn any_text_is_read_or_rejected(text in "email,phone,tags\n(.|[,\"\r\n]){0,60}", from in 0..300_u64) {
            let Ok(sheet) = Sheet::open(text.as_bytes(), &SheetOptions::default()) else { return Ok(()) };
            prop_assert_eq!(rows(&sheet, sheet.start()).len(), sheet.len());
            rows(&sheet, FilePosition { offset: from, line: 1 });
        }
    }
}
