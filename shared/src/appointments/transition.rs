use crate::web::{ErrorCode, Problem};

/// The operation is not possible in the current status of the appointment.
pub fn invalid_transition() -> Problem {
    let detail = "The operation is not possible in the current status of the appointment.";
    Problem::new(ErrorCode::InvalidTransition, detail)
}
