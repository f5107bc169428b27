//! The text of an import: stored compressed, in pieces, until the import is done.

use std::io::{Read, Write};
use std::time::Duration;

use crate::contacts::{Import, ImportId, ImportText};
use crate::identity::ClientScope;
use crate::table::Store;
use crate::value::Instant;
use crate::web::{App, Problem, Result};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use crate::contacts::sheet::Sheet;

/// How long the items of an import are kept, in days.
const RETENTION_DAYS: u64 = 30;

/// The largest piece, in bytes: an item has at most 400 KB (a limit of DynamoDB).
const MAX_PIECE_BYTES: usize = 350 * 1000;

/// A stored text.
pub struct StoredText {
    /// The id of the import that the text is stored for.
    pub import: ImportId,
    /// The number of pieces.
    pub pieces: usize,
}

/// Stores the text of an import that will be created later.
///
/// If the import is never created, the text expires by its time to live.
pub async fn write(app: &App, store: &Store, client: ClientScope, sheet: &Sheet) -> Result<StoredText> {
    let import = app.ids().make();
    let ttl = ttl(app.now());
    let compressed = compress(sheet.file()).map_err(Problem::internal)?;
    let pieces = compressed.chunks(MAX_PIECE_BYTES);
    let stored = StoredText { import, pieces: pieces.len() };
    for (number, piece) in pieces.enumerate() {
        // Each write has its own deadline: a partition accepts one megabyte per second (a limit of DynamoDB).
        let piece = ImportText { bytes: piece.to_vec(), ttl };
        store.renewed().put_item(&client.import_text(import, number), &piece).await?;
    }
    Ok(stored)
}

/// Reads the text of an unfinished import; `None` if it no longer exists.
pub async fn read(store: &Store, client: ClientScope, import: &Import) -> Result<Option<Vec<u8>>> {
    let keys: Vec<_> = (0..import.pieces).map(|number| client.import_text(import.id, number)).collect();
    let pieces: Option<Vec<_>> = store.get_all(&keys).await?.into_iter().collect();
    let compressed = pieces.map(|pieces| pieces.into_iter().flat_map(|piece| piece.bytes).collect::<Vec<_>>());
    compressed.map(|compressed| decompress(&compressed).map_err(Problem::internal)).transpose()
}

/// Deletes the text of an import.
pub async fn remove(store: &Store, client: ClientScope, import: &Import) -> Result<()> {
    for number in 0..import.pieces {
        store.renewed().delete_item(&client.import_text(import.id, number)).await?;
    }
    Ok(())
}

/// The expiry of the items of an import that is created now, in Unix seconds.
pub fn ttl(now: Instant) -> i64 {
    now.after(Duration::from_hours(24 * RETENTION_DAYS)).unix_seconds()
}

fn compress(text: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text)?;
    encoder.finish()
}

fn decompress(compressed: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut text = Vec::new();
    GzDecoder::new(compressed).read_to_end(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compressed_text_is_decompressed_unchanged() {
        let text = "firstName,lastName\r\nZoë,Müller\r\n".repeat(1000);
        let compressed = compress(text.as_bytes()).unwrap();
        assert!(compressed.len() < text.len() / 10);
        assert_eq!(decompress(&compressed).unwrap(), text.as_bytes());
    }
}
