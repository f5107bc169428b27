//! The ids of the lower layers, each typed by an empty marker.
//!
//! A marker represents an entity of a higher layer, so that the id does not depend on that layer.

use super::Id;

/// Markers: uninhabited types for the parameter of [`Id`].
pub mod marker {
    /// Marks the id of a tenant.
    pub enum Tenant {}
    /// Marks the id of an agency.
    pub enum Agency {}
    /// Marks the id of a client.
    pub enum Client {}
    /// Marks the id of a user.
    pub enum User {}
    /// Marks the id of a session.
    pub enum Session {}
    /// Marks the id of an appointment.
    pub enum Appointment {}
}

/// A tenant's id.
pub type TenantId = Id<marker::Tenant>;
/// An agency's id.
pub type AgencyId = Id<marker::Agency>;
/// A client's id.
pub type ClientId = Id<marker::Client>;
/// A user's id.
pub type UserId = Id<marker::User>;
/// A session's id.
pub type SessionId = Id<marker::Session>;
/// An appointment's id.
pub type AppointmentId = Id<marker::Appointment>;
