//! The encoding of a file.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use crate::web::{ErrorCode, Problem, Result};

/// The number of bytes that decide whether a file without a byte order mark is in UTF-16.
const SAMPLE: usize = 1024;

/// A file in UTF-8 without byte order marks, and the name of its original encoding.
pub(super) struct Decoded {
    pub(super) text: String,
    pub(super) encoding: &'static str,
}

/// Decodes a file.
///
/// A byte order mark decides, then the `charset` of the media type. Without both, the file is in UTF-16 if every
/// other byte is mostly zero, in UTF-8 if it is valid, and otherwise in Windows-1252.
///
/// # Errors
/// 400 `invalid_csv` if the file is not text in this encoding.
pub(super) fn decode(file: &[u8], charset: Option<&str>) -> Result<Decoded> {
    let declared = charset.map(|charset| {
        Encoding::for_label(charset.as_bytes()).ok_or_else(|| invalid("The charset of the media type is unknown."))
    });
    let (encoding, file) = match (Encoding::for_bom(file), declared.transpose()?) {
        (Some((encoding, length)), _) => (encoding, &file[length..]),
        (None, Some(declared)) => (declared, file),
        (None, None) => (utf_16(file).unwrap_or(if str::from_utf8(file).is_ok() { UTF_8 } else { WINDOWS_1252 }), file),
    };
    let text = encoding.decode_without_bom_handling_and_without_replacement(file);
    let text = text.ok_or_else(|| invalid(&format!("The file must be CSV in {}.", encoding.name())))?;
    // Windows-1252 has a character for each byte; other binary files have these.
    let is_binary = |c: char| c == '\0' || (encoding != UTF_8 && matches!(c, '\u{80}'..='\u{9f}') && c != '\u{85}');
    if text.contains(is_binary) {
        return Err(invalid("The file must be CSV, not binary data."));
    }
    Ok(Decoded { text: without_marks(&text), encoding: encoding.name() })
}

fn invalid(detail: &str) -> Problem {
    Problem::new(ErrorCode::InvalidCsv, detail.to_owned())
}

/// The byte order of a file in UTF-16 without a mark.
fn utf_16(file: &[u8]) -> Option<&'static Encoding> {
    let sample = &file[..file.len().min(SAMPLE)];
    let zeros = |odd: usize| sample.iter().skip(odd).step_by(2).filter(|byte| **byte == 0).count();
    let is_many = |zeros: usize| zeros > sample.len() / 8;
    match (zeros(0), zeros(1)) {
        (0, odd) if is_many(odd) => Some(UTF_16LE),
        (even, 0) if is_many(even) => Some(UTF_16BE),
        _ => None,
    }
}

/// Removes byte order marks at the start of lines, which concatenated files have.
fn without_marks(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for line in text.split_inclusive(['\n', '\r']) {
        clean.push_str(line.trim_start_matches('\u{feff}'));
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(file: &[u8], charset: Option<&str>) -> std::result::Result<(String, &'static str), u16> {
        let decoded = decode(file, charset).map(|decoded| (decoded.text, decoded.encoding));
        decoded.map_err(|problem| problem.status().as_u16())
    }

    fn utf_16(text: &str, to_bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(to_bytes).collect()
    }

    #[test]
    fn encoding_is_detected() {
        let text = "email\nJ\u{f6}rg,\u{65e5}";
        for (file, encoding) in [
            (text.as_bytes().to_vec(), "UTF-8"),
            (format!("\u{feff}{text}").into_bytes(), "UTF-8"),
            (utf_16(text, u16::to_le_bytes), "UTF-16LE"),
            (utf_16(text, u16::to_be_bytes), "UTF-16BE"),
            (utf_16(&format!("\u{feff}{text}"), u16::to_le_bytes), "UTF-16LE"),
            (utf_16(&format!("\u{feff}{text}"), u16::to_be_bytes), "UTF-16BE"),
        ] {
            assert_eq!(decoded(&file, None), Ok((text.to_owned(), encoding)));
        }
        assert_eq!(decoded(b"J\xf6rg \x80", None), Ok(("J\u{f6}rg \u{20ac}".to_owned(), "windows-1252")));
    }

    #[test]
    fn charset_is_honoured() {
        assert_eq!(decoded(b"\xe9", Some("iso-8859-15")), Ok(("\u{e9}".to_owned(), "ISO-8859-15")));
        assert_eq!(decoded(b"\x93\xfa", Some("Shift_JIS")), Ok(("\u{65e5}".to_owned(), "Shift_JIS")));
        assert_eq!(decoded("\u{feff}\u{e9}".as_bytes(), Some("latin1")), Ok(("\u{e9}".to_owned(), "UTF-8")));
        assert_eq!(decoded(b"\xe9", Some("utf-8")), Err(400));
        assert_eq!(decoded(b"a", Some("klingon")), Err(400));
    }

    #[test]
    fn binary_file_is_rejected() {
        for file in [&b"PK\x03\x04\0\0\x08\0\xb5\x9d"[..], b"email\0\n", b"email\n\x81\x8d", b"a\0\0b\0\0"] {
            assert_eq!(decoded(file, None), Err(400), "{file:?}");
        }
    }

    #[test]
    fn byte_order_marks_at_the_start_of_lines_are_removed() {
        let file = "\u{feff}\u{feff}a\r\n\u{feff}\"b\"\r\u{feff}c\u{feff}d\n\u{feff}";
        assert_eq!(decode(file.as_bytes(), None).unwrap().text, "a\r\n\"b\"\rc\u{feff}d\n");
        assert_eq!(decode("\u{feff}".repeat(1_000_000).as_bytes(), None).unwrap().text, "");
    }
}
