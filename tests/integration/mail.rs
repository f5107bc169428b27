//! Mail delivery from the queued row to the mailbox.
//!
//! The tests include failures of the mail server and of the table.

use harness::at_once;
use harness::faults::Fault;
use harness::mailbox::token;
use harness::tree::invite;
use harness::users::TestUser;
use harness::world::{PASSWORD, World, outbox};
use infra::smtp::Refusal;
use serde_json::{Value, json};
use shared::mail::DUE_MAILS;
use shared::value::Id;

use crate::users::{person, unique_email};

/// Creates an agency in a new tenant and returns its path.
async fn agency(admin: &TestUser<'_>) -> String {
    let name = json!({ "name": "Northwind" });
    let tenant = admin.post("/v1/tenants").json(&name).created().await.location().to_owned();
    admin.post(&format!("{tenant}/agencies")).json(&name).created().await.location().to_owned()
}

/// Invites a user to a new agency and returns the user's path.
async fn invited(admin: &TestUser<'_>, email: &str) -> String {
    let users = format!("{}/users", agency(admin).await);
    admin.post(&users).json(person(email)).created().await.location().to_owned()
}

/// The rows of unsent mails.
async fn queue(world: &World) -> Vec<Value> {
    let mut rows = world.rows().await;
    rows.retain(|row| row["pk"].as_str().unwrap().ends_with("#MAIL"));
    rows
}

/// The row of the only unsent mail.
async fn only_mail(world: &World) -> Value {
    let mut rows = queue(world).await;
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows.remove(0)
}

fn report(sent: u32, later: u32, given_up: u32) -> Value {
    json!({ "sent": sent, "later": later, "givenUp": given_up, "unknown": 0 })
}

// ── Sent ────────────────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn sent_mail_has_text_and_html_and_its_row_is_deleted() {
    let world = World::new().await;
    let (admin, email) = (world.admin().await, unique_email());
    invited(&admin, &email).await;
    let row = only_mail(&world).await;
    assert!(row["dp"].is_string() && row.get("ttl").is_none_or(Value::is_null), "{row}");
    world.assert_consistent().await;
    assert_eq!(world.deliver().await, report(1, 0, 0));
    let mails = outbox().mails_to(&email);
    let [mail] = mails.as_slice() else { panic!("{mails:?}") };
    assert_eq!(mail.from, "Upzento CRM <crm@localhost.example>");
    assert_eq!(mail.id, message_id(&row));
    let link = format!("http://localhost:3002/accept-invitation?token={}", token(mail));
    assert!(mail.html.as_deref().unwrap().contains(&format!("href=\"{link}\"")), "{mail:?}");
    for part in [&mail.text, &mail.html] {
        assert!(part.as_deref().unwrap().contains("Hello Grace,"), "{mail:?}");
    }
    assert_eq!(queue(&world).await, Vec::<Value>::new());
    assert_eq!(world.deliver().await, report(0, 0, 0));
}

#[tokio::test]
async fn queued_mail_reveals_neither_token_nor_recipient() {
    let world = World::new().await;
    let (admin, email) = (world.admin().await, unique_email());
    let user = invited(&admin, &email).await;
    let rows = world.rows().await;
    let token = world.mailed_token(&email).await;
    for row in &rows {
        assert!(!row.to_string().contains(&token), "{row}");
        let is_user_row = user.ends_with(row["sk"].as_str().unwrap());
        assert!(is_user_row || !row.to_string().contains(&email), "{row}");
    }
}

#[tokio::test]
async fn compiled_function_sends_mail_without_logging_secrets() {
    let world = World::compiled().await;
    let (admin, email) = (world.admin().await, unique_email());
    invited(&admin, &email).await;
    let token = world.mailed_token(&email).await;
    assert_eq!(queue(&world).await, Vec::<Value>::new());
    let acceptance = json!({ "token": token, "password": PASSWORD });
    world.anonymous().post("/v1/auth/invitations/accept").json(acceptance).is(200).await;
    let printed = world.function_logs();
    for secret in [token.as_str(), &email, "Grace", PASSWORD] {
        assert!(!printed.contains(secret), "{secret} in {printed}");
    }
    let lines = printed.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let sent = lines.filter(|line| line["message"] == "mail" && line["outcome"] == "sent").count();
    assert_eq!(sent, 1, "{printed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_mail_functions_send_each_mail_once() {
    let world = World::new().await;
    let admin = world.admin().await;
    let home = agency(&admin).await;
    let mut emails = Vec::new();
    for _ in 0..12 {
        let user = invite(&admin, &home).await;
        emails.push(admin.get(&user).is(200).await.body["email"].as_str().unwrap().to_owned());
    }
    let reports = at_once((0..4).map(|_| world.deliver())).await;
    let sent: i64 = reports.iter().map(|report| report["sent"].as_i64().unwrap()).sum();
    assert_eq!(sent, 12, "{reports:?}");
    for email in &emails {
        assert_eq!(outbox().mails_to(email).len(), 1, "{email}");
    }
    assert_eq!(queue(&world).await, Vec::<Value>::new());
}

#[tokio::test]
async fn home_with_one_mail_does_not_wait_for_all_mails_of_another_home() {
    let world = World::new().await;
    let admin = world.admin().await;
    let (busy, other) = (agency(&admin).await, agency(&admin).await);
    for home in [&busy, &busy, &busy, &other] {
        admin.post(&format!("{home}/users")).json(person(&unique_email())).created().await;
    }
    let mut rows = queue(&world).await;
    rows.sort_by_key(|row| row["ds"].as_str().unwrap().to_owned());
    let message_ids: Vec<_> = rows.iter().map(message_id).collect();
    let due = world.store().due(&DUE_MAILS, world.clock().now()).await.unwrap();
    let order = due.iter().map(|key| message_ids.iter().position(|id| id.starts_with(key.sort_key())).unwrap());
    assert_eq!(order.collect::<Vec<_>>(), [0, 3, 1, 2]);
    assert_eq!(world.deliver().await, report(4, 0, 0));
}

// ── Rejected ────────────────────────────────────────────────────────────────────────────────────────────────────────

/// The `Message-ID` of the mail in a row: the id of the row, as in its key.
fn message_id(row: &Value) -> String {
    let id: Id<()> = row["sk"].as_str().unwrap().parse().unwrap();
    format!("{}@localhost.example", id.to_key())
}

#[tokio::test]
async fn temporarily_rejected_mail_is_retried_with_backoff() {
    let world = World::new().await;
    let (admin, email) = (world.admin().await, unique_email());
    invited(&admin, &email).await;
    let id = message_id(&only_mail(&world).await);
    outbox().refuse(&email, Refusal::Temporary);
    assert_eq!(world.deliver().await, report(0, 1, 0));
    for (attempts, minutes) in [(2, 1), (3, 2), (4, 4), (5, 8)] {
        world.clock().advance(minutes * 60 - 25);
        assert_eq!(world.deliver().await, report(0, 0, 0), "no retry before {minutes} minutes");
        world.clock().advance(25);
        assert_eq!(world.deliver().await, report(0, 1, 0), "a retry after {minutes} minutes");
        assert_eq!(only_mail(&world).await["attempts"].as_f64(), Some(f64::from(attempts)));
    }
    outbox().accept(&email);
    world.clock().advance(16 * 60);
    assert_eq!(world.deliver().await, report(1, 0, 0));
    let mails = outbox().mails_to(&email);
    assert_eq!(mails.iter().map(|mail| mail.id.as_str()).collect::<Vec<_>>(), [id]);
    assert_eq!(queue(&world).await, Vec::<Value>::new());
}

#[tokio::test]
async fn permanently_rejected_mail_is_abandoned_and_user_remains() {
    let world = World::new().await;
    let (admin, email) = (world.admin().await, unique_email());
    let user = invited(&admin, &email).await;
    outbox().refuse(&email, Refusal::Permanent);
    assert_eq!(world.deliver().await, report(0, 0, 1));
    let row = only_mail(&world).await;
    assert!(row["failedAt"].is_string() && row["ttl"].is_number(), "{row}");
    assert!(row.get("dp").is_none() && row.get("ds").is_none(), "{row}");
    world.clock().advance(3600);
    assert_eq!(world.deliver().await, report(0, 0, 0));
    let admin = admin.sign_in_again().await;
    assert_eq!(admin.get(&user).is(200).await.body["status"], "INVITED");
    outbox().accept(&email);
    admin.post(&format!("{user}/invitation")).is(202).await;
    assert_eq!(world.delivered_mails(&email).await.len(), 1);
    world.assert_consistent().await;
}

#[tokio::test]
async fn rejected_address_does_not_delay_other_mails() {
    let world = World::new().await;
    let admin = world.admin().await;
    let emails = [unique_email(), unique_email(), unique_email()];
    outbox().refuse(&emails[0], Refusal::Permanent);
    outbox().refuse(&emails[1], Refusal::Temporary);
    for email in &emails {
        invited(&admin, email).await;
    }
    assert_eq!(world.deliver().await, report(1, 1, 1));
    assert_eq!(emails.map(|email| outbox().mails_to(&email).len()), [0, 0, 1]);
}

#[tokio::test]
async fn mail_with_expired_token_is_not_sent() {
    let world = World::new().await;
    let (admin, email) = (world.admin().await, unique_email());
    invited(&admin, &email).await;
    world.anonymous().post("/v1/auth/password/forgot").json(json!({ "email": admin.email() })).is(202).await;
    world.clock().advance(3601);
    assert_eq!(world.deliver().await, report(1, 0, 1), "a reset token is valid for an hour");
    assert_eq!((outbox().mails_to(&email).len(), outbox().mails_to(admin.email()).len()), (1, 0));
    world.anonymous().post("/v1/auth/password/forgot").json(json!({ "email": email })).is(202).await;
    world.clock().advance(7 * 24 * 3600 + 1);
    assert_eq!(world.deliver().await, report(0, 0, 1), "an invitation token is valid for a week");
    assert_eq!(outbox().mails_to(&email).len(), 1);
}

#[tokio::test]
async fn mail_is_abandoned_if_its_token_expires_before_the_retry() {
    let world = World::new().await;
    let admin = world.admin().await;
    world.anonymous().post("/v1/auth/password/forgot").json(json!({ "email": admin.email() })).is(202).await;
    outbox().refuse(admin.email(), Refusal::Temporary);
    world.clock().advance(3600 - 40);
    assert_eq!(world.deliver().await, report(0, 0, 1));
    assert!(only_mail(&world).await["failedAt"].is_string());
}

// ── Table failures ──────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn failed_claim_does_not_lose_the_mail() {
    let world = World::with_faults().await;
    let (admin, email) = (world.admin().await, unique_email());
    invited(&admin, &email).await;
    world.faults().next_writes([Fault::ServerError; 12]);
    assert_eq!(world.deliver().await["unknown"], 1);
    assert_eq!(outbox().mails_to(&email), [], "an unclaimed mail is not sent");
    world.faults().none();
    assert_eq!(world.deliver().await, report(1, 0, 0));
    assert_eq!(outbox().mails_to(&email).len(), 1);
}

#[tokio::test]
async fn table_failure_after_sending_repeats_the_mail_with_the_same_id() {
    let world = World::with_faults().await;
    let (admin, email) = (world.admin().await, unique_email());
    invited(&admin, &email).await;
    world.faults().writes_after_one([Fault::ServerError; 12]);
    assert_eq!(world.deliver().await, report(1, 0, 0));
    world.faults().none();
    assert_eq!(only_mail(&world).await["attempts"].as_f64(), Some(1.0));
    assert_eq!(world.deliver().await, report(0, 0, 0), "no retry while the lease is held");
    world.clock().advance(61);
    assert_eq!(world.deliver().await, report(1, 0, 0));
    let mails = outbox().mails_to(&email);
    assert!(mails.len() == 2 && mails[0].id == mails[1].id, "{mails:?}");
    assert_eq!(queue(&world).await, Vec::<Value>::new());
}

#[tokio::test]
async fn lost_answer_of_the_claim_sends_mail_once() {
    let world = World::with_faults().await;
    let (admin, email) = (world.admin().await, unique_email());
    invited(&admin, &email).await;
    world.faults().next_writes([Fault::AnswerLost]);
    assert_eq!(world.deliver().await, report(1, 0, 0));
    world.faults().none();
    world.clock().advance(61);
    assert_eq!(world.deliver().await, report(0, 0, 0));
    assert_eq!(outbox().mails_to(&email).len(), 1);
}

#[tokio::test]
async fn lost_answer_of_an_invitation_creates_one_user_and_one_mail() {
    let world = World::with_faults().await;
    let (admin, email) = (world.admin().await, unique_email());
    let users = format!("{}/users", agency(&admin).await);
    world.faults().next_writes([Fault::AnswerLost]);
    admin.post(&users).json(person(&email)).created().await;
    world.faults().none();
    assert_eq!(world.delivered_mails(&email).await.len(), 1);
    world.assert_consistent().await;
}
