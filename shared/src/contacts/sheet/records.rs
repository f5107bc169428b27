//! Records of a CSV file with their positions.

use csv::{ByteRecord, Reader, ReaderBuilder, StringRecord};

use serde::{Deserialize, Serialize};

use super::FilePosition;
use crate::value::characters::is_blank;

/// The records of a file from a position on.
///
/// Skips blank lines, and rows of empty cells such as spreadsheets write at the end. The file has no byte order marks.
pub(super) struct Records<'a> {
    file: &'a [u8],
    delimiter: Delimiter,
    reader: Reader<&'a [u8]>,
    /// The position of the reader's start.
    base: usize,
    /// The position of the next record.
    position: Position,
}

/// One record.
pub(super) struct Record {
    pub(super) start: FilePosition,
    pub(super) cells: StringRecord,
    pub(super) next: FilePosition,
    /// What is wrong with the quotes of the record.
    pub(super) quotes: Quotes,
}

/// How well the quotes of a record are placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quotes {
    /// Each quoted cell ends with its closing quote.
    Balanced,
    /// Text follows the closing quote of a cell in one line.
    TextAfter,
    /// Text follows the closing quote of a cell that spans lines: the cell has probably swallowed rows.
    TextAfterLines,
}

/// The character between two cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Delimiter {
    /// A comma.
    #[serde(rename = ",")]
    Comma,
    /// A semicolon, as spreadsheets write where the comma is the decimal separator.
    #[serde(rename = ";")]
    Semicolon,
    /// A tab.
    #[serde(rename = "\t")]
    Tab,
}

impl Delimiter {
    /// All delimiters.
    pub(super) const ALL: [Self; 3] = [Self::Comma, Self::Semicolon, Self::Tab];

    /// The delimiter as text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Comma => ",",
            Self::Semicolon => ";",
            Self::Tab => "\t",
        }
    }

    const fn byte(self) -> u8 {
        self.as_str().as_bytes()[0]
    }
}

/// A [`FilePosition`] within the file.
#[derive(Clone, Copy)]
struct Position {
    offset: usize,
    line: u64,
}

impl<'a> Records<'a> {
    pub(super) fn from(file: &'a [u8], start: FilePosition, delimiter: Delimiter) -> Self {
        let offset = usize::try_from(start.offset).unwrap_or(usize::MAX).min(file.len());
        let position = Position { offset, line: start.line }.skip_blanks(file);
        let reader = reader(&file[position.offset..], delimiter);
        Self { file, delimiter, reader, base: position.offset, position }
    }

    /// Whether the last record ends within quotes.
    ///
    /// Then one more line would belong to it.
    pub(super) fn has_unclosed_quote(file: &[u8], start: FilePosition, delimiter: Delimiter) -> bool {
        let offset = usize::try_from(start.offset).unwrap_or(usize::MAX).min(file.len());
        let extended = [&file[offset..], b"\nmore"].concat();
        Records::from(&extended, FilePosition::START, delimiter).count() < 2
    }

    fn read(&mut self) -> Option<Record> {
        let mut cells = ByteRecord::new();
        // Reading a slice, with records of any length, does not fail.
        if !self.reader.read_byte_record(&mut cells).unwrap_or(false) {
            return None;
        }
        let start = self.position;
        let read = usize::try_from(self.reader.position().byte()).unwrap_or(usize::MAX);
        let end = start.advance_to(self.file, self.base.saturating_add(read));
        self.position = end.skip_blanks(self.file);
        Some(Record {
            start: start.in_file(),
            cells: StringRecord::from_byte_record_lossy(cells),
            next: self.position.in_file(),
            quotes: quotes(&self.file[start.offset..end.offset], self.delimiter.byte()),
        })
    }
}

impl Iterator for Records<'_> {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        std::iter::from_fn(|| self.read()).find(|record| record.cells.iter().any(|cell| !is_blank(cell)))
    }
}

fn reader(file: &[u8], delimiter: Delimiter) -> Reader<&[u8]> {
    // Flexible: the length of each record is checked later, to report its line.
    ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter.byte()).from_reader(file)
}

/// Checks the quotes of a record, which the reader reads leniently.
fn quotes(record: &[u8], delimiter: u8) -> Quotes {
    let mut is_text_after = false;
    let mut rest = record;
    while !rest.is_empty() {
        let Some(quoted) = rest.strip_prefix(b"\"") else {
            let end = rest.iter().position(|byte| *byte == delimiter).map_or(rest.len(), |at| at + 1);
            rest = &rest[end..];
            continue;
        };
        let mut bytes = quoted.iter().enumerate();
        // A doubled quote is part of the text.
        let closed = loop {
            match bytes.next() {
                Some((at, b'"')) if quoted.get(at + 1) == Some(&b'"') => _ = bytes.next(),
                Some((at, b'"')) => break &quoted[at + 1..],
                Some(_) => {}
                None => break &[],
            }
        };
        let end = closed.iter().position(|byte| *byte == delimiter);
        is_text_after |= closed[..end.unwrap_or(closed.len())].iter().any(|byte| !byte.is_ascii_whitespace());
        rest = end.map_or(&[], |end| &closed[end + 1..]);
    }
    match is_text_after {
        false => Quotes::Balanced,
        true if line_ends(record.trim_ascii_end()) > 0 => Quotes::TextAfterLines,
        true => Quotes::TextAfter,
    }
}

impl Position {
    const fn in_file(self) -> FilePosition {
        FilePosition { offset: self.offset as u64, line: self.line }
    }

    /// The position at `end`, where the reader has stopped, which may be within a CRLF.
    fn advance_to(self, file: &[u8], end: usize) -> Self {
        let end = end.clamp(self.offset, file.len());
        let end = if file[..end].ends_with(b"\r") && file[end..].starts_with(b"\n") { end + 1 } else { end };
        Self { offset: end, line: self.line + line_ends(&file[self.offset..end]) }
    }

    fn skip_blanks(mut self, file: &[u8]) -> Self {
        loop {
            let (bytes, lines) = match &file[self.offset..] {
                [b'\r', b'\n', ..] => (2, 1),
                [b'\r' | b'\n', ..] => (1, 1),
                _ => return self,
            };
            self.offset += bytes;
            self.line += lines;
        }
    }
}

/// The number of line ends: CRLF, LF or CR.
fn line_ends(bytes: &[u8]) -> u64 {
    let ends = |&at: &usize| bytes[at] == b'\n' || (bytes[at] == b'\r' && bytes.get(at + 1) != Some(&b'\n'));
    (0..bytes.len()).filter(ends).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const START: FilePosition = FilePosition::START;

    fn records(file: &str) -> Vec<(u64, Vec<String>)> {
        let cells = |record: Record| record.cells.iter().map(str::to_owned).collect();
        Records::from(file.as_bytes(), START, Delimiter::Comma)
            .map(|record| (record.start.line, cells(record)))
            .collect()
    }

    fn expected(records: &[(u64, &[&str])]) -> Vec<(u64, Vec<String>)> {
        records.iter().map(|(line, cells)| (*line, cells.iter().map(|&cell| cell.to_owned()).collect())).collect()
    }

    #[test]
    fn lines_are_counted_as_in_an_editor() {
        for end in ["\r\n", "\n", "\r"] {
            let file = ["a,b", "", "\"1\n\r\n\r2\",\"say \"\"hi\"\"\"", " , ", "3", ""].join(end);
            let read: &[(u64, &[&str])] = &[(1, &["a", "b"]), (3, &["1\n\r\n\r2", "say \"hi\""]), (8, &["3"])];
            assert_eq!(records(&file), expected(read), "{end:?}");
            assert_eq!(records(file.trim_end()), expected(read), "{end:?}, not at the end");
        }
    }

    #[test]
    fn text_after_a_closing_quote_is_found() {
        for (record, expected) in [
            ("\"a\",\"b \"\"c\"\"\",5\" pipe,\"\"\r\n", Quotes::Balanced),
            ("\"a\" , \"b\" c", Quotes::Balanced),
            ("\"a\nb\",c", Quotes::Balanced),
            ("\"open", Quotes::Balanced),
            ("\"24\" Screens\"\n", Quotes::TextAfter),
            ("x,\"Acme \\\"Best\\\" Inc\"", Quotes::TextAfter),
            ("\"Robert \"Bob\"\",Smith", Quotes::TextAfter),
            ("\"2020\nB,Two,\"2021", Quotes::TextAfterLines),
        ] {
            assert_eq!(quotes(record.as_bytes(), b','), expected, "{record}");
        }
        assert_eq!(quotes(b"\"a\";\"b\"c", b';'), Quotes::TextAfter);
    }

    #[test]
    fn position_beyond_the_file_has_no_records() {
        assert_eq!(Records::from(b"a,b", FilePosition { offset: u64::MAX, line: 1 }, Delimiter::Comma).count(), 0);
    }

    /// Files that are mostly structure.
    const FILES: &str = "([a-c,]|\"|\r\n|\r|\n|é){0,40}";

    fn parts(record: &Record) -> (FilePosition, FilePosition, StringRecord) {
        (record.start, record.next, record.cells.clone())
    }

    proptest! {
        #[test]
        fn reading_from_any_record_returns_the_rest(file in FILES) {
            let all: Vec<_> = Records::from(file.as_bytes(), START, Delimiter::Comma).map(|record| parts(&record)).collect();
            for (at, (_, next, _)) in all.iter().enumerate() {
                let rest: Vec<_> = Records::from(file.as_bytes(), *next, Delimiter::Comma).map(|record| parts(&record)).collect();
                prop_assert_eq!(&rest, &all[at + 1..]);
            }
        }

        #[test]
        fn line_of_a_record_is_the_line_of_its_first_byte(file in FILES) {
            for record in Records::from(file.as_bytes(), START, Delimiter::Comma) {
                let before = &file[..usize::try_from(record.start.offset).unwrap()];
                let lines = before.replace("\r\n", "\n").matches(['\r', '\n']).count();
                prop_assert_eq!(record.start.line, lines as u64 + 1);
            }
        }

        #[test]
        fn any_bytes_are_read_from_any_position(file: Vec<u8>, offset in 0..300_u64) {
            let read = Records::from(&file, FilePosition { offset, line: 1 }, Delimiter::Comma).count();
            prop_assert!(read <= file.len());
        }
    }
}
