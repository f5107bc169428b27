//! Prints the release of the time zone rules in the functions; `infra/zone-data.sh` compares it with the newest.

use shared::value::TimeZone;

fn main() {
    println!("{}", TimeZone::DATA_VERSION);
}
