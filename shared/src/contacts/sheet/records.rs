//! Records of a CSV file with their positions.

use csv::{ByteRecord, Reader, ReaderBuilder, StringRecord};

use super::FilePosition;
use crate::value::characters::is_blank;

/// The records of a file from a position on.
///
/// Skips blank lines, and rows of empty cells such as spreadsheets write at the end.
pub(super) struct Records<'a> {
    file: &'a [u8],
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
}

/// A [`FilePosition`] within the file.
#[derive(Clone, Copy)]
struct Position {
    offset: usize,
    line: u64,
}

/// The byte order mark, which some programs write at the start of text in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

impl<'a> Records<'a> {
    pub(super) fn from(file: &'a [u8], start: FilePosition) -> Self {
        let offset = usize::try_from(start.offset).unwrap_or(usize::MAX).min(file.len());
        let position = Position { offset, line: start.line }.skip_blanks(file);
        Self { file, reader: reader(&file[position.offset..]), base: position.offset, position }
    }

    /// Whether the last record ends within quotes.
    ///
    /// Then one more line would belong to it.
    pub(super) fn has_unclosed_quote(file: &[u8], start: FilePosition) -> bool {
        let offset = usize::try_from(start.offset).unwrap_or(usize::MAX).min(file.len());
        let extended = [&file[offset..], b"\nmore"].concat();
        Records::from(&extended, FilePosition { offset: 0, line: 1 }).count() < 2
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
        // The reader skips blank lines too, but reads a byte order mark as text.
        if self.file[end.offset..self.position.offset].contains(&BYTE_ORDER_MARK[0]) {
            self.reader = reader(&self.file[self.position.offset..]);
            self.base = self.position.offset;
        }
        Some(Record {
            start: start.in_file(),
            cells: StringRecord::from_byte_record_lossy(cells),
            next: self.position.in_file(),
        })
    }
}

impl Iterator for Records<'_> {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        std::iter::from_fn(|| self.read()).find(|record| record.cells.iter().any(|cell| !is_blank(cell)))
    }
}

fn reader(file: &[u8]) -> Reader<&[u8]> {
    // Flexible: the length of each record is checked later, to report its line.
    ReaderBuilder::new().has_headers(false).flexible(true).from_reader(file)
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
                rest if rest.starts_with(BYTE_ORDER_MARK) => (BYTE_ORDER_MARK.len(), 0),
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

    const START: FilePosition = FilePosition { offset: 0, line: 1 };

    fn records(file: &str) -> Vec<(u64, Vec<String>)> {
        let cells = |record: Record| record.cells.iter().map(str::to_owned).collect();
        Records::from(file.as_bytes(), START).map(|record| (record.start.line, cells(record))).collect()
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
    fn byte_order_marks_are_skipped() {
        let file = "\u{feff}a\r\n\u{feff}\"b,c\"\n\u{feff}\n\u{feff}\u{feff}d";
        assert_eq!(records(file), expected(&[(1, &["a"]), (2, &["b,c"]), (4, &["d"])]));
    }

    #[test]
    fn position_beyond_the_file_has_no_records() {
        assert_eq!(Records::from(b"a,b", FilePosition { offset: u64::MAX, line: 1 }).count(), 0);
    }

    /// Files that are mostly structure.
    const FILES: &str = "([a-c,]|\"|\r\n|\r|\n|\u{feff}|é){0,40}";

    fn parts(record: &Record) -> (FilePosition, FilePosition, StringRecord) {
        (record.start, record.next, record.cells.clone())
    }

    proptest! {
        #[test]
        fn reading_from_any_record_returns_the_rest(file in FILES) {
            let all: Vec<_> = Records::from(file.as_bytes(), START).map(|record| parts(&record)).collect();
            for (at, (_, next, _)) in all.iter().enumerate() {
                let rest: Vec<_> = Records::from(file.as_bytes(), *next).map(|record| parts(&record)).collect();
                prop_assert_eq!(&rest, &all[at + 1..]);
            }
        }

        #[test]
        fn line_of_a_record_is_the_line_of_its_first_byte(file in FILES) {
            for record in Records::from(file.as_bytes(), START) {
                let before = &file[..usize::try_from(record.start.offset).unwrap()];
                let lines = before.replace("\r\n", "\n").matches(['\r', '\n']).count();
                prop_assert_eq!(record.start.line, lines as u64 + 1);
            }
        }

        #[test]
        fn any_bytes_are_read_from_any_position(file: Vec<u8>, offset in 0..300_u64) {
            let read = Records::from(&file, FilePosition { offset, line: 1 }).count();
            prop_assert!(read <= file.len());
        }
    }
}
