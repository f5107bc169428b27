//! The reports, as Markdown.

mod costs;
mod results;
mod scale;

use std::fs;
use std::process::Command;
use std::thread::available_parallelism;
use std::time::Duration;

use comfy_table::presets::ASCII_MARKDOWN;
use comfy_table::{CellAlignment, Table};

pub(crate) use costs::Costs;
pub(crate) use results::Results;

use crate::items::ItemCopy;
use crate::reminders::Sending;

/// Describes the machine, without its name and the date.
fn machine() -> String {
    let cores = available_parallelism().map_or(0, usize::from);
    let processor = field("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let memory = field("/proc/meminfo", "MemTotal").unwrap_or_default();
    let kilobytes: usize = memory.trim_end_matches("kB").trim().parse().unwrap_or_default();
    let rustc = Command::new("rustc").arg("--version").output();
    let rustc = rustc.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    let profile = if cfg!(debug_assertions) { "debug build" } else { "release build" };
    format!(
        "{cores} cores ({processor}), {} GiB, {rustc}, {profile}, DynamoDB Local in memory.",
        kilobytes.div_ceil(1 << 20)
    )
}

/// The first value of a name in a file with lines of the form `name : value`.
fn field(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let (_, value) = text.lines().find(|line| line.starts_with(name))?.split_once(':')?;
    Some(value.trim().to_owned())
}

fn table<const N: usize>(head: [&str; N], rows: impl Iterator<Item = [String; N]>) -> Table {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_header(head).add_rows(rows);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// The quantile of some times, in milliseconds; `None` if there are none.
fn quantile(times: &[Duration], q: f64) -> Option<f64> {
    let mut times: Vec<f64> = times.iter().map(|time| time.as_secs_f64() * 1000.0).collect();
    times.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the number of times is small"
    )]
    let index = (times.len().saturating_sub(1) as f64 * q).round() as usize;
    times.get(index).copied()
}

fn ms(times: &[Duration], q: f64) -> String {
    quantile(times, q).map_or("–".to_owned(), |ms| format!("{ms:.2}"))
}

/// The median of some times, divided by the median of others.
fn ratio(times: &[Duration], others: &[Duration]) -> String {
    let ratio = quantile(times, 0.5).zip(quantile(others, 0.5)).map(|(times, others)| times / others);
    ratio.map_or("–".to_owned(), |ratio| format!("{ratio:.2}"))
}

/// Formats capacity units.
///
/// The empty sum is a negative zero, which adding zero makes positive.
fn units(units: f64) -> String {
    format!("{}", units + 0.0)
}

fn mib(bytes: usize) -> String {
    let tenths = (bytes * 10).div_ceil(1 << 20);
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// The rate and the cost of sending reminders.
fn reminders(sending: &Sending) -> Table {
    let Sending { per_second, round_trips, read_units, write_units } = sending;
    let row = [
        "one reminder, sent by one worker".to_owned(),
        format!("{per_second:.0}"),
        format!("{round_trips:.1}"),
        format!("{read_units:.1}"),
        format!("{write_units:.1}"),
    ];
    table(["Reminders", "per second", "round trips", "read units", "write units"], [row].into_iter())
}

/// The sizes of items in the table and in the indexes.
fn item_sizes(items: &[(&str, Vec<ItemCopy>)]) -> Table {
    let lines = items.iter().flat_map(|(name, copies)| {
        copies.iter().map(move |ItemCopy { place, bytes, key_bytes }| {
            [(*name).to_owned(), place.clone(), bytes.to_string(), key_bytes.to_string()]
        })
    });
    table(["Item", "place", "bytes", "key bytes"], lines)
}
