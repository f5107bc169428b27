//! Runs the jobs of all modules.
//!
//! One function for all modules, because AWS recommends at most two readers of a table's stream. The stream
//! triggers it, and a schedule triggers it every minute to read the index of due items.

use shared::jobs::JobRunner;
use shared::modules;
use shared::web::App;

/// The worker for the jobs of all modules.
pub fn runner(app: App) -> JobRunner {
    JobRunner::new(app, modules::jobs())
}
