//! The template's schedules: each fires at its rate, and all at once when they are told to.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use shared::value::Clock;
use shared::value::Instant;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval_at};

use super::Error;
use crate::function::{Functions, Invoke};
use crate::template::{Schedule, ScheduleKind, Template};

/// The schedules of the functions that there are.
#[derive(Clone)]
pub(super) struct Schedules {
    jobs: Arc<[Job]>,
    clock: Clock,
}

struct Job {
    /// Logical id of the function.
    id: String,
    function: Arc<dyn Invoke>,
    timeout: Duration,
    schedule: Schedule,
    period: Duration,
}

impl Schedules {
    /// Fails when a schedule that is enabled has no rate.
    pub(super) fn new(template: &Template, functions: &Functions, clock: Clock) -> Result<Self, Error> {
        let mut jobs = Vec::new();
        for (id, function) in &template.functions {
            for schedule in function.schedules.iter().filter(|schedule| schedule.enabled) {
                let period = period(&schedule.expression).map_err(|why| format!("{id}.{}: {why}", schedule.name))?;
                let Some(invoke) = functions.get(id) else { continue };
                let (function, timeout) = (Arc::clone(invoke), function.timeout);
                jobs.push(Job { id: id.clone(), function, timeout, schedule: schedule.clone(), period });
            }
        }
        Ok(Self { jobs: jobs.into(), clock })
    }

    /// Fires every schedule now, one after the other, and says what became of each.
    pub(super) async fn fire(&self) -> Value {
        let mut fired = Vec::new();
        for job in self.jobs.iter() {
            let mut outcome = json!({ "function": job.id, "schedule": job.schedule.name });
            if let Err(error) = job.fire(&self.clock).await {
                outcome["error"] = error.into();
            }
            fired.push(outcome);
        }
        json!({ "fired": fired })
    }

    /// Fires each schedule at its rate, by the system's clock, for as long as the tasks live. The first time is one period
    /// from now. One that takes longer than its period is not fired beside itself.
    pub(super) fn start(&self, tasks: &mut JoinSet<()>) {
        for at in 0..self.jobs.len() {
            let schedules = self.clone();
            tasks.spawn(async move { schedules.jobs[at].run(&schedules.clock).await });
        }
    }
}

impl Job {
    async fn run(&self, clock: &Clock) {
        let mut ticks = interval_at(tokio::time::Instant::now() + self.period, self.period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Err(error) = self.fire(clock).await {
                tracing::warn!(function = self.id, schedule = self.schedule.name, error, "a schedule failed");
            }
        }
    }

    async fn fire(&self, clock: &Clock) -> Result<(), String> {
        let event = self.schedule.input.clone().unwrap_or_else(|| scheduled_event(&self.schedule, clock.now()));
        self.function.invoke(event, self.timeout).await.map(drop).map_err(|error| error.to_string())
    }
}

/// The time between two ticks of `rate(5 minutes)`.
fn period(expression: &str) -> Result<Duration, String> {
    let rate = expression.strip_prefix("rate(").and_then(|rate| rate.strip_suffix(')'));
    let (count, unit) = rate
        .and_then(|rate| rate.trim().split_once(' '))
        .ok_or_else(|| format!("only rates can be run here, such as rate(5 minutes), and not {expression}"))?;
    let minutes = match unit.trim() {
        "minute" | "minutes" => 1,
        "hour" | "hours" => 60,
        "day" | "days" => 24 * 60,
        _ => return Err(format!("a rate is in minutes, hours or days, and not {expression}")),
    };
    let count = count.parse().ok().filter(|count| *count > 0).and_then(|count: u64| count.checked_mul(60 * minutes));
    count.map(Duration::from_secs).ok_or_else(|| format!("a rate needs a number of 1 or more, and not {expression}"))
}

/// The event that the service behind the schedule sends.
fn scheduled_event(schedule: &Schedule, now: Instant) -> Value {
    let source = match schedule.kind {
        ScheduleKind::Rule => "aws.events",
        ScheduleKind::Scheduler => "aws.scheduler",
    };
    json!({
        "version": "0",
        "id": uuid::Uuid::new_v4(),
        "detail-type": "Scheduled Event",
        "source": source,
        "account": "123456789012",
        "time": now,
        "region": "us-east-1",
        "resources": [],
        "detail": {},
    })
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

    use super::*;
    use crate::function::EventFunction;

    fn template(expression: &str) -> Template {
        let text = format!(
            "
Resources:
  Work:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: work/
      Events:
        Often: {{ Type: Schedule, Properties: {{ Schedule: rate(1 minute) }} }}
        Rarely: {{ Type: ScheduleV2, Properties: {{ ScheduleExpression: {expression}, Input: '{{\"fail\":true}}' }} }}
        Never: {{ Type: Schedule, Properties: {{ Schedule: cron(0 3 * * ? *), Enabled: false }} }}
"
        );
        Template::parse(&text).unwrap()
    }

    /// A function that tells its events, and fails when they say so.
    fn work() -> (Functions, UnboundedReceiver<Value>) {
        let (tell, told) = unbounded_channel();
        let function = EventFunction::new(move |event: Value| {
            let failed = event["fail"] == true;
            tell.send(event).unwrap();
            async move { if failed { Err("told to fail".to_owned()) } else { Ok(Value::Null) } }
        });
        ([("Work".to_owned(), Arc::new(function) as _)].into(), told)
    }

    #[test]
    fn rates_are_read() {
        let read = [
            ("rate(1 minute)", 60),
            ("rate(5 minutes)", 300),
            ("rate(1 hour)", 3600),
            ("rate(2 hours)", 7200),
            ("rate(1 day)", 86_400),
            ("rate(30 days)", 2_592_000),
        ];
        for (expression, seconds) in read {
            assert_eq!(period(expression), Ok(Duration::from_secs(seconds)), "{expression}");
        }
        for wrong in ["cron(0 3 * * ? *)", "rate(0 minutes)", "rate(1 second)", "rate(minute)", "rate(-1 hours)", ""] {
            assert!(period(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_schedule_that_cannot_run_is_named() {
        let (functions, _told) = work();
        let error = Schedules::new(&template("cron(0 3 * * ? *)"), &functions, Clock::default()).err().unwrap();
        assert!(error.to_string().starts_with("Work.Rarely: only rates can be run here"), "{error}");
    }

    #[tokio::test]
    async fn all_fire_when_told_to() {
        let (functions, mut told) = work();
        let schedules = Schedules::new(&template("rate(1 day)"), &functions, Clock::default()).unwrap();
        let fired = json!({ "fired": [
            { "function": "Work", "schedule": "Often" },
            { "function": "Work", "schedule": "Rarely", "error": "&alloc::string::String: told to fail" },
        ] });
        assert_eq!(schedules.fire().await, fired);
        assert_eq!(told.recv().await.unwrap()["source"], "aws.events");
        assert_eq!(told.recv().await, Some(json!({ "fail": true })));
    }

    #[tokio::test]
    async fn each_fires_at_its_rate_even_after_a_failure() {
        let (functions, mut told) = work();
        let mut schedules = Schedules::new(&template("rate(1 hour)"), &functions, Clock::default()).unwrap();
        for job in Arc::get_mut(&mut schedules.jobs).unwrap() {
            job.period /= 60_000;
        }
        let mut tasks = JoinSet::new();
        let start = tokio::time::Instant::now();
        schedules.start(&mut tasks);
        let (mut rarely, mut often) = (0, 0);
        while rarely < 2 {
            if told.recv().await.unwrap()["fail"] == true { rarely += 1 } else { often += 1 }
        }
        assert!(start.elapsed() >= Duration::from_millis(120));
        assert!(often > rarely, "{often}");
        tasks.shutdown().await;
        drop((schedules, functions));
        while told.recv().await.is_some() {}
    }
}
