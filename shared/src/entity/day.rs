use serde::{Deserialize, Serialize};

use super::AppointmentId;
use crate::booking::Booking;

/// What a day of a member of the staff holds, by UTC: every booking of which a part, or a part of the time around it in which nobody
/// else is served, lies in it. Two bookings that meet have a day in common: whoever writes one of them writes that day, under the
/// version that they decided on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Day {
    /// The bookings, by their start.
    pub bookings: Vec<Booking>,
    /// One more with each change; 0 as long as nothing was ever booked.
    pub version: u64,
}

impl Day {
    /// The same day, without the booking of one appointment and with another booking.
    #[must_use]
    pub fn changed(&self, gone: Option<AppointmentId>, new: Option<&Booking>) -> Self {
        let staying = self.bookings.iter().filter(|booking| Some(booking.appointment) != gone);
        let mut bookings: Vec<_> = staying.chain(new).copied().collect();
        bookings.sort_by_key(|booking| (booking.span.start, booking.appointment));
        Self { bookings, version: self.version + 1 }
    }
}
