//! Records of a CSV file with the places where they start.

use csv::{ByteRecord, Reader, ReaderBuilder, StringRecord};

use super::Mark;

/// The records from some place on; blank lines, and rows of empty cells such as spreadsheets leave at the end, are none.
pub(super) struct Records<'a> {
    file: &'a [u8],
    reader: Reader<&'a [u8]>,
    /// Where the reader began.
    base: usize,
    /// Where the next record starts.
    at: Place,
}

/// One record.
pub(super) struct Record {
    pub(super) start: Mark,
    pub(super) cells: StringRecord,
    pub(super) next: Mark,
}

/// A [`Mark`] that is within the file.
#[derive(Clone, Copy)]
struct Place {
    offset: usize,
    line: u64,
}

/// What some programs put in front of text in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

impl<'a> Records<'a> {
    pub(super) fn from(file: &'a [u8], mark: Mark) -> Self {
        let offset = usize::try_from(mark.offset).unwrap_or(usize::MAX).min(file.len());
        let at = Place { offset, line: mark.line }.past_blanks(file);
        Self { file, reader: reader(&file[at.offset..]), base: at.offset, at }
    }

    /// Whether the last record, which starts there, ends within quotes: then a line more is still its own.
    pub(super) fn is_open(file: &[u8], start: Mark) -> bool {
        let offset = usize::try_from(start.offset).unwrap_or(usize::MAX).min(file.len());
        let more = [&file[offset..], b"\nmore"].concat();
        Records::from(&more, Mark { offset: 0, line: 1 }).count() < 2
    }

    fn read(&mut self) -> Option<Record> {
        let mut cells = ByteRecord::new();
        // Neither a slice nor a record of any length gives an error.
        if !self.reader.read_byte_record(&mut cells).unwrap_or(false) {
            return None;
        }
        let start = self.at;
        let read = usize::try_from(self.reader.position().byte()).unwrap_or(usize::MAX);
        let end = start.past(self.file, self.base.saturating_add(read));
        self.at = end.past_blanks(self.file);
        // The reader passes blank lines as well, but takes a byte order mark for text.
        if self.file[end.offset..self.at.offset].contains(&BYTE_ORDER_MARK[0]) {
            self.reader = reader(&self.file[self.at.offset..]);
            self.base = self.at.offset;
        }
        Some(Record { start: start.mark(), cells: StringRecord::from_byte_record_lossy(cells), next: self.at.mark() })
    }
}

impl Iterator for Records<'_> {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        std::iter::from_fn(|| self.read()).find(|record| record.cells.iter().any(|cell| !cell.trim().is_empty()))
    }
}

fn reader(file: &[u8]) -> Reader<&[u8]> {
    // Each is judged by its length later, to be named by its line.
    ReaderBuilder::new().has_headers(false).flexible(true).from_reader(file)
}

impl Place {
    const fn mark(self) -> Mark {
        Mark { offset: self.offset as u64, line: self.line }
    }

    /// The place at `end`, where the reader has stopped. It stops within a CRLF.
    fn past(self, file: &[u8], end: usize) -> Self {
        let end = end.clamp(self.offset, file.len());
        let end = if file[..end].ends_with(b"\r") && file[end..].starts_with(b"\n") { end + 1 } else { end };
        Self { offset: end, line: self.line + line_ends(&file[self.offset..end]) }
    }

    fn past_blanks(mut self, file: &[u8]) -> Self {
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

/// How many lines end in it: with CRLF, LF or CR.
fn line_ends(bytes: &[u8]) -> u64 {
    let ends = |&at: &usize| bytes[at] == b'\n' || (bytes[at] == b'\r' && bytes.get(at + 1) != Some(&b'\n'));
    (0..bytes.len()).filter(ends).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const START: Mark = Mark { offset: 0, line: 1 };

    fn records(file: &str) -> Vec<(u64, Vec<String>)> {
        let cells = |record: Record| record.cells.iter().map(str::to_owned).collect();
        Records::from(file.as_bytes(), START).map(|record| (record.start.line, cells(record))).collect()
    }

    fn expected(records: &[(u64, &[&str])]) -> Vec<(u64, Vec<String>)> {
        records.iter().map(|(line, cells)| (*line, cells.iter().map(|&cell| cell.to_owned()).collect())).collect()
    }

    #[test]
    fn lines_are_counted_as_an_editor_does() {
        for end in ["\r\n", "\n", "\r"] {
            let file = ["a,b", "", "\"1\n\r\n\r2\",\"say \"\"hi\"\"\"", " , ", "3", ""].join(end);
            let read: &[(u64, &[&str])] = &[(1, &["a", "b"]), (3, &["1\n\r\n\r2", "say \"hi\""]), (8, &["3"])];
            assert_eq!(records(&file), expected(read), "{end:?}");
            assert_eq!(records(file.trim_end()), expected(read), "{end:?}, none at the end");
        }
    }

    #[test]
    fn a_byte_order_mark_is_not_text() {
        let file = "\u{feff}a\r\n\u{feff}\"b,c\"\n\u{feff}\n\u{feff}\u{feff}d";
        assert_eq!(records(file), expected(&[(1, &["a"]), (2, &["b,c"]), (4, &["d"])]));
    }

    #[test]
    fn a_place_beyond_the_file_has_nothing_after_it() {
        assert_eq!(Records::from(b"a,b", Mark { offset: u64::MAX, line: 1 }).count(), 0);
    }

    /// Files that are mostly structure.
    const FILES: &str = "([a-c,]|\"|\r\n|\r|\n|\u{feff}|é){0,40}";

    fn whole(record: &Record) -> (Mark, Mark, StringRecord) {
        (record.start, record.next, record.cells.clone())
    }

    proptest! {
        #[test]
        fn reading_on_from_any_record_gives_the_rest(file in FILES) {
            let all: Vec<_> = Records::from(file.as_bytes(), START).map(|record| whole(&record)).collect();
            for (at, (_, next, _)) in all.iter().enumerate() {
                let rest: Vec<_> = Records::from(file.as_bytes(), *next).map(|record| whole(&record)).collect();
                prop_assert_eq!(&rest, &all[at + 1..]);
            }
        }

        #[test]
        fn the_line_of_a_record_is_the_line_of_its_first_byte(file in FILES) {
            for record in Records::from(file.as_bytes(), START) {
                let before = &file[..usize::try_from(record.start.offset).unwrap()];
                let lines = before.replace("\r\n", "\n").matches(['\r', '\n']).count();
                prop_assert_eq!(record.start.line, lines as u64 + 1);
            }
        }

        #[test]
        fn any_bytes_are_read_from_any_place(file: Vec<u8>, offset in 0..300_u64) {
            let read = Records::from(&file, Mark { offset, line: 1 }).count();
            prop_assert!(read <= file.len());
        }
    }
}
