//! Emulation of `EventBridge` schedules, which can also be fired on demand.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use shared::value::{Clock, Instant};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval_at};

use super::Error;
use crate::aws::function::{Functions, Invoke};
use crate::aws::template::{Schedule, ScheduleKind, Template};

/// The enabled schedules of the template.
#[derive(Clone)]
pub(super) struct Schedules {
    targets: Arc<[Target]>,
    clock: Clock,
}

/// A schedule with the function that it invokes.
struct Target {
    /// Logical id of the function.
    id: String,
    function: Arc<dyn Invoke>,
    timeout: Duration,
    schedule: Schedule,
    period: Duration,
}

impl Schedules {
    /// Reads the schedules of the template.
    ///
    /// Fails if an enabled schedule is not a rate expression.
    pub(super) fn new(template: &Template, functions: &Functions, clock: Clock) -> Result<Self, Error> {
        let mut targets = Vec::new();
        for (id, function) in &template.functions {
            for schedule in function.schedules.iter().filter(|schedule| schedule.enabled) {
                let period = period(&schedule.expression).map_err(|why| format!("{id}.{}: {why}", schedule.name))?;
                let Some(invoke) = functions.get(id) else { continue };
                let (function, timeout) = (Arc::clone(invoke), function.timeout);
                targets.push(Target { id: id.clone(), function, timeout, schedule: schedule.clone(), period });
            }
        }
        Ok(Self { targets: targets.into(), clock })
    }

    /// Fires all schedules now, one after the other, and returns the result of each.
    pub(super) async fn fire(&self) -> Value {
        let mut fired = Vec::new();
        for target in self.targets.iter() {
            let mut result = json!({ "function": target.id, "schedule": target.schedule.name });
            if let Err(error) = target.fire(&self.clock).await {
                result["error"] = error.into();
            }
            fired.push(result);
        }
        json!({ "fired": fired })
    }

    /// Starts a task per schedule that fires it at its rate, by the system clock.
    ///
    /// A schedule first fires after one period. Invocations of one schedule never overlap.
    pub(super) fn start(&self, tasks: &mut JoinSet<()>) {
        for index in 0..self.targets.len() {
            let schedules = self.clone();
            tasks.spawn(async move { schedules.targets[index].run(&schedules.clock).await });
        }
    }
}

impl Target {
    async fn run(&self, clock: &Clock) {
        let mut ticks = interval_at(tokio::time::Instant::now() + self.period, self.period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Err(error) = self.fire(clock).await {
                tracing::warn!(function = self.id, schedule = self.schedule.name, error, "schedule failed");
            }
        }
    }

    async fn fire(&self, clock: &Clock) -> Result<(), String> {
        let event = self.schedule.input.clone().unwrap_or_else(|| scheduled_event(&self.schedule, clock.now()));
        self.function.invoke(event, self.timeout).await.map(drop).map_err(|error| error.to_string())
    }
}

/// The period of a rate expression such as `rate(5 minutes)`.
fn period(expression: &str) -> Result<Duration, String> {
    let rate = expression.strip_prefix("rate(").and_then(|rate| rate.strip_suffix(')'));
    let (count, unit) = rate
        .and_then(|rate| rate.trim().split_once(' '))
        .ok_or_else(|| format!("only rate expressions such as rate(5 minutes) are supported: {expression}"))?;
    let minutes = match unit.trim() {
        "minute" | "minutes" => 1,
        "hour" | "hours" => 60,
        "day" | "days" => 24 * 60,
        _ => return Err(format!("the unit of a rate must be minutes, hours or days: {expression}")),
    };
    let count = count.parse().ok().filter(|count| *count > 0).and_then(|count: u64| count.checked_mul(60 * minutes));
    count.map(Duration::from_secs).ok_or_else(|| format!("the value of a rate must be at least 1: {expression}"))
}

/// The default event of the service behind the schedule.
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
    use crate::aws::function::EventFunction;

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

    /// A function that forwards its events and fails for those with `"fail": true`.
    fn work() -> (Functions, UnboundedReceiver<Value>) {
        let (sender, events) = unbounded_channel();
        let function = EventFunction::new(move |event: Value| {
            let fail = event["fail"] == true;
            sender.send(event).unwrap();
            async move { if fail { Err("deliberate failure".to_owned()) } else { Ok(Value::Null) } }
        });
        ([("Work".to_owned(), Arc::new(function) as _)].into(), events)
    }

    #[test]
    fn rate_expressions_are_parsed() {
        let valid = [
            ("rate(1 minute)", 60),
            ("rate(5 minutes)", 300),
            ("rate(1 hour)", 3600),
            ("rate(2 hours)", 7200),
            ("rate(1 day)", 86_400),
            ("rate(30 days)", 2_592_000),
        ];
        for (expression, seconds) in valid {
            assert_eq!(period(expression), Ok(Duration::from_secs(seconds)), "{expression}");
        }
        let invalid = ["cron(0 3 * * ? *)", "rate(0 minutes)", "rate(1 second)", "rate(minute)", "rate(-1 hours)", ""];
        for expression in invalid {
            assert!(period(expression).is_err(), "{expression}");
        }
    }

    #[test]
    fn unsupported_schedule_is_named_in_the_error() {
        let (functions, _events) = work();
        let error = Schedules::new(&template("cron(0 3 * * ? *)"), &functions, Clock::default()).err().unwrap();
        assert!(error.to_string().starts_with("Work.Rarely: only rate expressions"), "{error}");
    }

    #[tokio::test]
    async fn all_schedules_fire_on_demand() {
        let (functions, mut events) = work();
        let schedules = Schedules::new(&template("rate(1 day)"), &functions, Clock::default()).unwrap();
        let fired = json!({ "fired": [
            { "function": "Work", "schedule": "Often" },
            { "function": "Work", "schedule": "Rarely", "error": "&alloc::string::String: deliberate failure" },
        ] });
        assert_eq!(schedules.fire().await, fired);
        assert_eq!(events.recv().await.unwrap()["source"], "aws.events");
        assert_eq!(events.recv().await, Some(json!({ "fail": true })));
    }

    #[tokio::test]
    async fn schedules_fire_at_their_rate_even_after_a_failure() {
        let (functions, mut events) = work();
        let mut schedules = Schedules::new(&template("rate(1 hour)"), &functions, Clock::default()).unwrap();
        for target in Arc::get_mut(&mut schedules.targets).unwrap() {
            target.period /= 60_000;
        }
        let mut tasks = JoinSet::new();
        let start = tokio::time::Instant::now();
        schedules.start(&mut tasks);
        let (mut rarely, mut often) = (0, 0);
        while rarely < 2 {
            if events.recv().await.unwrap()["fail"] == true { rarely += 1 } else { often += 1 }
        }
        assert!(start.elapsed() >= Duration::from_millis(120));
        assert!(often > rarely, "{often}");
        tasks.shutdown().await;
        drop((schedules, functions));
        while events.recv().await.is_some() {}
    }
}
