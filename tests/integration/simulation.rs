//! Hours of reminders on a simulated clock: two workers, a provider that fails, workers that are killed at random points,
//! ticks that are skipped or fired twice, and appointments that are moved and cancelled meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::{Duration, Instant as Timer};

use harness::at_once;
use harness::tree::SalonFixture;
use harness::users::TestUser;
use harness::world::World;
use lambda_http::http::Method;
use reminders::Worker;
use serde_json::{Value, json};
use shared::mailer::{EmailMessage, Mailer, SendError};
use shared::tenants::WidgetsUrl;
use shared::value::Instant;
use shared::web::App;

use crate::users::unique_email;

/// A Monday, the beginning of the simulation.
const BEGIN: &str = "2026-03-02T00:00:00Z";

/// How many reminders are simulated over how much time.
#[derive(Clone, Copy)]
struct Scale {
    appointments: u64,
    hours: u64,
}

/// A reproducible sequence of random numbers (the multiplier is from Knuth's MMIX).
struct Random(u64);

impl Random {
    /// A number below `end`.
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// A mail that the provider has accepted.
struct Delivery {
    id: String,
    /// The run of a worker that sent it.
    run: usize,
}

/// A provider that fails one request in ten, and the same mail at most twice.
///
/// A mail that fails more often may be due again only after the appointment has started.
struct Provider<'a> {
    random: &'a Mutex<Random>,
    failures: &'a Mutex<BTreeMap<String, u32>>,
    deliveries: &'a Mutex<Vec<Delivery>>,
    run: usize,
}

impl Mailer for Provider<'_> {
    async fn send(&self, message: &EmailMessage) -> Result<(), SendError> {
        tokio::task::yield_now().await;
        if self.fails(&message.id) {
            return Err(SendError::Retryable("the provider failed".to_owned()));
        }
        self.deliveries.lock().unwrap().push(Delivery { id: message.id.clone(), run: self.run });
        // A worker may be killed here: after the mail was sent and before that is stored.
        tokio::task::yield_now().await;
        Ok(())
    }
}

impl Provider<'_> {
    fn fails(&self, id: &str) -> bool {
        let mut failures = self.failures.lock().unwrap();
        let count = failures.entry(id.to_owned()).or_default();
        let fails = *count < 2 && self.random.lock().unwrap().percent(10);
        *count += u32::from(fails);
        fails
    }
}

/// An appointment as the test knows it.
#[derive(Clone)]
struct Known {
    path: String,
    /// Minutes after the beginning.
    start: u64,
    /// When it was booked or moved, in minutes after the beginning.
    changed: u64,
    is_cancelled: bool,
}

struct Simulation<'w> {
    world: &'w World,
    shop: SalonFixture<'w>,
    /// The app of the workers.
    app: App,
    scale: Scale,
    random: Mutex<Random>,
    failures: Mutex<BTreeMap<String, u32>>,
    deliveries: Mutex<Vec<Delivery>>,
    killed: BTreeSet<usize>,
    runs: usize,
    appointments: Vec<Known>,
    /// The ids of the mails that were accepted before each change that made them wrong.
    outdated: Vec<(String, usize)>,
}

fn begin() -> Instant {
    BEGIN.parse().unwrap()
}

fn at(minute: u64) -> Instant {
    begin().after(Duration::from_secs(minute * 60))
}

/// The minutes after the end in which moved appointments start, and in which the rest is sent.
const AFTERWARDS: u64 = 90;

/// Minutes before the start of the reminders of each appointment.
const OFFSETS: [u64; 5] = [80, 70, 60, 50, 40];

/// The number of staff members, with appointments spread over the time.
const STAFF: u64 = 5;

impl<'w> Simulation<'w> {
    /// Books the appointments.
    async fn begin(world: &'w World, scale: Scale, seed: u64) -> Self {
        world.clock().set(begin());
        let shop = world.shop().await;
        let mut simulation = Self {
            world,
            shop,
            app: world.app_of("reminders"),
            scale,
            random: Mutex::new(Random(seed)),
            failures: Mutex::default(),
            deliveries: Mutex::default(),
            killed: BTreeSet::new(),
            runs: 0,
            appointments: Vec::new(),
            outdated: Vec::new(),
        };
        simulation.book().await;
        simulation
    }

    async fn book(&mut self) {
        let (owner, client) = (&self.shop.owner, &self.shop.paths.client);
        let settings = json!({ "offsets": OFFSETS, "confirmations": false, "notices": false });
        owner.request(Method::PUT, &format!("{client}/reminder-settings")).json(settings).is(200).await;
        let service = json!({ "name": "Haircut", "duration": 1 });
        let service = owner.post(&format!("{client}/services")).json(service).created().await;
        let per_staff = self.scale.appointments / STAFF;
        let minutes = self.scale.hours * 60;
        let teams = at_once((0..STAFF).map(|number| async move {
            let staff = json!({ "name": format!("Staff {number}"), "email": "staff@example.com", "timeZone": "UTC" });
            let staff = owner.post(&format!("{client}/staff")).json(staff).created().await;
            let contact = json!({ "firstName": "Ada", "email": unique_email() });
            let contact = owner.post(&format!("{client}/contacts")).json(contact).created().await;
            (staff.id().to_owned(), contact.id().to_owned())
        }))
        .await;
        let service = service.id();
        let booked = at_once(teams.iter().map(|(staff, contact)| async move {
            let mut booked = Vec::new();
            for number in 0..per_staff {
                let start = 81 + number * (minutes - 81) / per_staff;
                let booking = json!({
                    "serviceId": service, "staffId": staff, "contactId": contact, "startTime": at(start), "force": true,
                });
                let created = owner.post(&format!("{client}/appointments")).json(booking).contended().created().await;
                booked.push(Known { path: created.location().to_owned(), start, changed: 0, is_cancelled: false });
            }
            booked
        }))
        .await;
        self.appointments = booked.concat();
    }

    /// The time passes until all reminders are sent.
    async fn run(&mut self) {
        let (mut minute, end) = (0, self.scale.hours * 60);
        let mut owner = self.shop.owner.sign_in_again().await;
        let mut signed_in = 0;
        while minute <= end {
            self.world.clock().set(at(minute));
            if minute - signed_in >= 13 {
                (owner, signed_in) = (self.shop.owner.sign_in_again().await, minute);
            }
            self.change(&owner, minute).await;
            let ticks = if self.percent(20) { 2 } else { 1 };
            for _ in 0..ticks {
                self.tick(true).await;
            }
            // Up to seven ticks are skipped.
            minute += 1 + self.below(8);
        }
        // No more kills: the rest is settled.
        for later in (0..=AFTERWARDS).step_by(6) {
            self.world.clock().set(at(end + later));
            self.tick(false).await;
        }
    }

    fn below(&self, end: u64) -> u64 {
        self.random.lock().unwrap().below(end)
    }

    fn percent(&self, percent: u64) -> bool {
        self.random.lock().unwrap().percent(percent)
    }

    /// Moves or cancels an appointment that has not started.
    async fn change(&mut self, owner: &TestUser<'_>, now: u64) {
        let open: Vec<_> = (0..self.appointments.len())
            .filter(|index| !self.appointments[*index].is_cancelled && self.appointments[*index].start > now)
            .collect();
        if open.is_empty() {
            return;
        }
        let index = open[usize::try_from(self.below(open.len() as u64)).unwrap()];
        let (cancels, later) = (self.percent(30), self.scale.hours * 60 + 1 + self.below(AFTERWARDS));
        let known = self.appointments[index].clone();
        if cancels {
            owner.post(&format!("{}/cancel", known.path)).is(200).await;
            self.appointments[index].is_cancelled = true;
        } else {
            let start = json!({ "startTime": at(later), "force": true });
            let moved = owner.post(&format!("{}/reschedule", known.path)).json(start).send().await;
            // Another appointment has the new time already.
            if moved.status != 200 {
                return;
            }
            self.appointments[index].start = later;
            self.appointments[index].changed = now;
        }
        let id = known.path.rsplit('/').next().unwrap();
        let time = |start: u64| format!("{id} {}", at(start).unix_seconds());
        let moved_to = time(self.appointments[index].start);
        self.outdated.retain(|(outdated, _)| *outdated != moved_to);
        self.outdated.push((time(known.start), self.runs));
    }

    /// Two workers at the same time, each of which may be killed.
    async fn tick(&mut self, kills: bool) {
        let mut workers = Vec::new();
        for _ in 0..2 {
            let run = self.runs;
            self.runs += 1;
            let is_killed = kills && self.percent(15);
            let lifetime = is_killed.then(|| Duration::from_millis(self.below(400)));
            let provider =
                Provider { random: &self.random, failures: &self.failures, deliveries: &self.deliveries, run };
            let worker = Worker::new(self.app.clone(), provider, WidgetsUrl::new("http://localhost:3001"));
            workers.push(async move {
                let lifetime = lifetime.unwrap_or(Duration::from_hours(1));
                let ended = tokio::time::timeout(lifetime, worker.run()).await;
                (run, ended.map(Result::unwrap).is_err())
            });
        }
        let ended = at_once(workers).await;
        self.killed.extend(ended.into_iter().filter(|(_, is_killed)| *is_killed).map(|(run, _)| run));
    }

    /// Checks every delivery and every stored mail.
    async fn assert_correct(&self, seed: u64) {
        let mut by_id: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for Delivery { id, run } in self.deliveries.lock().unwrap().iter() {
            by_id.entry(id.clone()).or_default().push(*run);
        }
        for (id, runs) in &by_id {
            let before_the_last = &runs[..runs.len() - 1];
            let is_explained = before_the_last.iter().all(|run| self.killed.contains(run));
            assert!(is_explained, "seed {seed}: {id} was sent by the runs {runs:?}, which were not killed");
        }
        for (outdated, before_run) in &self.outdated {
            let (appointment, start) = outdated.split_once(' ').unwrap();
            let appointment = shared::value::AppointmentId::from_uuid(appointment.parse().unwrap()).to_key();
            let wrong = by_id.iter().filter(|(id, runs)| {
                let is_of = id.starts_with(&appointment) && id.ends_with(&format!("-{start}"));
                is_of && runs.iter().any(|run| run >= before_run)
            });
            let wrong: Vec<_> = wrong.collect();
            assert_eq!(wrong, [], "seed {seed}: sent for a time that was moved or cancelled before");
        }
        let rows = self.world.rows().await;
        let mut sent = BTreeSet::new();
        for row in rows.iter().filter(|row| row["pk"].as_str().unwrap().ends_with("#REMINDER")) {
            let is_due = row["due"].as_str().unwrap() <= self.world.clock().now().to_string().as_str();
            assert!(row["status"] != "PENDING" || !is_due, "seed {seed}: not settled: {row}");
            if row["status"] == "SENT" {
                sent.insert((row["sk"].as_str().unwrap()[..36].to_owned(), row["offset"].to_string()));
            }
        }
        let end = at(self.scale.hours * 60 + AFTERWARDS - 20);
        for known in self.appointments.iter().filter(|known| !known.is_cancelled) {
            let id = known.path.rsplit('/').next().unwrap();
            for offset in OFFSETS {
                let due = known.start - offset;
                let is_due = known.changed < due && at(due) <= end;
                // A number is stored as a float.
                let is_sent = ["", ".0"].iter().any(|end| sent.contains(&(id.to_owned(), format!("{offset}{end}"))));
                assert!(is_sent || !is_due, "seed {seed}: {id}, {offset} minutes before {} is missing", known.start);
            }
        }
        self.world.assert_consistent().await;
    }
}

/// Simulates and checks; returns the number of deliveries, and of those that were repeated.
async fn simulate(scale: Scale, seed: u64) -> (usize, usize) {
    let world = World::new().await;
    let mut simulation = Simulation::begin(&world, scale, seed).await;
    simulation.run().await;
    simulation.assert_correct(seed).await;
    let deliveries = simulation.deliveries.lock().unwrap();
    let distinct: BTreeSet<_> = deliveries.iter().map(|delivery| &delivery.id).collect();
    (deliveries.len(), deliveries.len() - distinct.len())
}

#[tokio::test]
async fn three_hours_of_reminders_are_sent_in_spite_of_failures() {
    let (sent, _) = simulate(Scale { appointments: 60, hours: 3 }, 7).await;
    assert!(sent > 150, "{sent}");
}

/// `make simulate`: takes minutes.
#[tokio::test]
#[ignore = "a longer simulation, for make simulate"]
async fn a_day_of_reminders_is_sent_in_spite_of_failures() {
    let start = Timer::now();
    let (sent, repeated) = simulate(Scale { appointments: 2000, hours: 24 }, 11).await;
    let report: Value = json!({ "sent": sent, "repeated": repeated, "seconds": start.elapsed().as_secs() });
    println!("{report}");
}
