//! The jobs of the module.

use serde::{Deserialize, Serialize};

use super::StaffId;
use crate::jobs::{CascadeDelete, Job, JobContext, JobOutcome, JobRegistry};
use crate::web::Result;

/// Registers the jobs of the module.
pub fn register(registry: &mut JobRegistry) {
    registry.register::<DeleteStaffChildren>();
}

/// Deletes the days and the time off of a deleted staff member.
#[derive(Debug, Serialize, Deserialize)]
pub struct DeleteStaffChildren {
    /// The staff member.
    pub staff: StaffId,
}

impl Job for DeleteStaffChildren {
    const NAME: &'static str = "deleteStaffChildren";

    async fn step(&self, context: &JobContext<'_>) -> Result<JobOutcome> {
        CascadeDelete::step(context.app, context.client.staff_children(self.staff)).await
    }
}
