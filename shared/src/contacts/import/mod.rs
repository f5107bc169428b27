//! The import of contacts from a CSV file.
//!
//! The file is stored, in pieces, before its first row is read; from then on the import is a job. The request
//! that uploads the file runs the job for some seconds, and the jobs function does the rest. Each step is one
//! transaction of rows and of the progress of the import, so that every row counts once, even after a crash.

mod model;
mod plan;
mod run;
pub mod text;
mod window;

pub use model::{Import, ImportErrors, ImportProgress, ImportStatus, ImportText, RowError};
pub use run::{ImportContext, abandon, dry_run, resume, run};
