//! The tables, for the terminal and for files alike.

mod results;
mod scale;

use std::fs;
use std::process::Command;
use std::thread::available_parallelism;
use std::time::Duration;

use comfy_table::presets::ASCII_MARKDOWN;
use comfy_table::{CellAlignment, Table};

pub(crate) use results::Results;

/// The machine, without a name or a date.
fn machine() -> String {
    let cores = available_parallelism().map_or(0, usize::from);
    let processor = field("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let memory = field("/proc/meminfo", "MemTotal").unwrap_or_default();
    let kilobytes: usize = memory.trim_end_matches("kB").trim().parse().unwrap_or_default();
    let rustc = Command::new("rustc").arg("--version").output();
    let rustc = rustc.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    let profile = if cfg!(debug_assertions) { "debug build, of no use" } else { "release build" };
    format!(
        "{cores} cores ({processor}), {} GiB, {rustc}, {profile}, DynamoDB Local in memory.",
        kilobytes.div_ceil(1 << 20)
    )
}

/// The first value of a name in a file of `name : value` lines.
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

/// The value below which a share of the times lies.
fn quantile(times: &[Duration], share: f64) -> Option<f64> {
    let mut times: Vec<f64> = times.iter().map(|time| time.as_secs_f64() * 1000.0).collect();
    times.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "few times"
    )]
    let index = (times.len().saturating_sub(1) as f64 * share).round() as usize;
    times.get(index).copied()
}

fn ms(times: &[Duration], share: f64) -> String {
    quantile(times, share).map_or("–".to_owned(), |ms| format!("{ms:.2}"))
}

/// Median over median.
fn ratio(times: &[Duration], to: &[Duration]) -> String {
    let ratio = quantile(times, 0.5).zip(quantile(to, 0.5)).map(|(times, to)| times / to);
    ratio.map_or("–".to_owned(), |ratio| format!("{ratio:.2}"))
}

/// A sum of nothing is a negative zero.
fn units(units: f64) -> String {
    format!("{}", units + 0.0)
}

fn mib(bytes: usize) -> String {
    let tenths = (bytes * 10).div_ceil(1 << 20);
    format!("{}.{}", tenths / 10, tenths % 10)
}
