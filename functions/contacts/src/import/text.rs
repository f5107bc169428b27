//! The text of an import, kept until it is done: compressed, in pieces that fit into rows.

use std::io::{Read, Write};
use std::time::Duration;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use shared::auth::ClientScope;
use shared::entity::{Import, ImportId, ImportText};
use shared::store::Store;
use shared::value::Instant;
use shared::{App, Problem, Result};

use super::KEPT_DAYS;
use crate::sheet::Sheet;

/// A row has at most 400 KB (a limit of DynamoDB).
const PIECE: usize = 350 * 1000;

/// A text that is kept.
pub(super) struct Kept {
    pub(super) import: ImportId,
    pub(super) pieces: usize,
}

/// Keeps a text, under the id of the import to come. Should that never come, it goes by its time to live.
pub(super) async fn write(app: &App, store: &Store, client: ClientScope, sheet: &Sheet) -> Result<Kept> {
    let import = app.ids().make();
    let ttl = ttl(app.clock().now());
    let packed = pack(sheet.file()).map_err(Problem::internal)?;
    let pieces = packed.chunks(PIECE);
    let kept = Kept { import, pieces: pieces.len() };
    for (number, piece) in pieces.enumerate() {
        // A deadline of its own for each: a partition takes a megabyte in a second (a limit of DynamoDB).
        let piece = ImportText { bytes: piece.to_vec(), ttl };
        store.renewed().put_alone(&client.import_text(import, number), &piece).await?;
    }
    Ok(kept)
}

/// Reads the text of an import that goes on; `None` if it is there no more.
pub(super) async fn read(store: &Store, client: ClientScope, import: &Import) -> Result<Option<Vec<u8>>> {
    let keys: Vec<_> = (0..import.pieces).map(|number| client.import_text(import.id, number)).collect();
    let pieces: Option<Vec<_>> = store.get_all(&keys).await?.into_iter().collect();
    let packed = pieces.map(|pieces| pieces.into_iter().flat_map(|piece| piece.bytes).collect::<Vec<_>>());
    packed.map(|packed| unpack(&packed).map_err(Problem::internal)).transpose()
}

/// Keeps the text of an import no longer.
pub(super) async fn remove(store: &Store, client: ClientScope, import: &Import) -> Result<()> {
    for number in 0..import.pieces {
        store.renewed().remove_alone(&client.import_text(import.id, number)).await?;
    }
    Ok(())
}

/// When what is kept for an import that begins now is kept no longer, in Unix seconds.
pub(super) fn ttl(now: Instant) -> i64 {
    now.after(Duration::from_hours(24 * KEPT_DAYS)).unix_seconds()
}

fn pack(text: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text)?;
    encoder.finish()
}

fn unpack(packed: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut text = Vec::new();
    GzDecoder::new(packed).read_to_end(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_unpacked_as_it_was_packed() {
        let text = "firstName,lastName\r\nZoë,Müller\r\n".repeat(1000);
        let packed = pack(text.as_bytes()).unwrap();
        assert!(packed.len() < text.len() / 10);
        assert_eq!(unpack(&packed).unwrap(), text.as_bytes());
    }
}
