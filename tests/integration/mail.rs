//! Mail on its way: from the row that a change leaves to the mailbox, whatever goes wrong in between.

use harness::at_once;
use harness::faults::Fault;
use harness::letters::token;
use harness::tree::invite;
use harness::who::Who;
use harness::world::{PASSWORD, World, outbox};
use infra::smtp::Refusal;
use serde_json::{Value, json};

use crate::users::{fresh, person};

/// An agency of its own, and the path of its users.
async fn agency(admin: &Who<'_>) -> String {
    let name = json!({ "name": "Northwind" });
    let tenant = admin.post("/v1/tenants").json(&name).created().await.location().to_owned();
    admin.post(&format!("{tenant}/agencies")).json(&name).created().await.location().to_owned()
}

/// Somebody new who was invited: their path.
async fn invited(admin: &Who<'_>, email: &str) -> String {
    let users = format!("{}/users", agency(admin).await);
    admin.post(&users).json(person(email)).created().await.location().to_owned()
}

/// The rows of the mails that are not sent.
async fn queue(world: &World) -> Vec<Value> {
    let mut rows = world.rows().await;
    rows.retain(|row| row["pk"].as_str().unwrap().ends_with("#MAIL"));
    rows
}

async fn only(world: &World) -> Value {
    let mut rows = queue(world).await;
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows.remove(0)
}

fn report(sent: u32, later: u32, given_up: u32) -> Value {
    json!({ "sent": sent, "later": later, "givenUp": given_up, "unknown": 0 })
}

// ── Sent ────────────────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn a_mail_has_text_and_html_and_leaves_no_row() {
    let world = World::new().await;
    let (admin, email) = (world.admin().await, fresh());
    invited(&admin, &email).await;
    let row = only(&world).await;
    assert!(row["due_pk"] == "DUE#MAIL" && row.get("ttl").is_none_or(Value::is_null), "{row}");
    assert_eq!(world.deliver().await, report(1, 0, 0));
    let mails = outbox().mails_to(&email);
    let [mail] = mails.as_slice() else { panic!("{mails:?}") };
    assert_eq!(mail.from, "Upzento CRM <crm@localhost.example>");
    assert_eq!(mail.id, format!("{}@localhost.example", row["sk"].as_str().unwrap()));
    let link = format!("http://localhost:3002/accept-invitation?token={}", token(mail));
    assert!(mail.html.as_deref().unwrap().contains(&format!("href=\"{link}\"")), "{mail:?}");
    for part in [&mail.text, &mail.html] {
        assert!(part.as_deref().unwrap().contains("Hello Grace,"), "{mail:?}");
    }
    assert_eq!(queue(&world).await, Vec::<Value>::new());
    assert_eq!(world.deliver().await, report(0, 0, 0));
}

#[tokio::test]
async fn the_table_alone_tells_neither_token_nor_recipient_of_a_mail() {
    let world = World::new().await;
    let (admin, email) = (world.admin().await, fresh());
    let user = invited(&admin, &email).await;
    let waiting = world.rows().await;
    let token = world.mailed_token(&email).await;
    for row in &waiting {
        assert!(!row.to_string().contains(&token), "{row}");
        let is_the_user = user.ends_with(row["sk"].as_str().unwrap());
        assert!(is_the_user || !row.to_string().contains(&email), "{row}");
    }
}

#[tokio::test]
async fn the_compiled_function_sends_mail_too() {
    let world = World::compiled().await;
    let (admin, email) = (world.admin().await, fresh());
    invited(&admin, &email).await;
    let token = world.mailed_token(&email).await;
    assert_eq!(queue(&world).await, Vec::<Value>::new());
    let acceptance = json!({ "token": token, "password": PASSWORD });
    world.anyone().post("/v1/auth/invitations/accept").json(acceptance).is(200).await;
    let printed = world.printed();
    for secret in [token.as_str(), &email, "Grace", PASSWORD] {
        assert!(!printed.contains(secret), "{secret} in {printed}");
    }
    let lines = printed.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let sent = lines.filter(|line| line["message"] == "mail" && line["outcome"] == "sent").count();
    assert_eq!(sent, 1, "{printed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn functions_that_run_at_once_send_each_mail_once() {
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

// ── Refused ─────────────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn a_mail_that_is_refused_for_now_is_tried_again_and_again_and_sent_at_last() {
    let world = World::new().await;
    let (admin, email) = (world.admin().await, fresh());
    invited(&admin, &email).await;
    let name = only(&world).await["sk"].as_str().unwrap().to_owned();
    outbox().refuse(&email, Refusal::Temporary);
    assert_eq!(world.deliver().await, report(0, 1, 0));
    for (attempts, minutes) in [(2, 1), (3, 2), (4, 4), (5, 8)] {
        world.clock().advance(minutes * 60 - 25);
        assert_eq!(world.deliver().await, report(0, 0, 0), "not before {minutes} minutes have passed");
        world.clock().advance(25);
        assert_eq!(world.deliver().await, report(0, 1, 0), "after {minutes} minutes");
        assert_eq!(only(&world).await["attempts"].as_f64(), Some(f64::from(attempts)));
    }
    outbox().accept(&email);
    world.clock().advance(16 * 60);
    assert_eq!(world.deliver().await, report(1, 0, 0));
    let mails = outbox().mails_to(&email);
    assert_eq!(mails.iter().map(|mail| mail.id.as_str()).collect::<Vec<_>>(), [format!("{name}@localhost.example")]);
    assert_eq!(queue(&world).await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_mail_that_is_refused_for_good_is_given_up_and_the_user_stays() {
    let world = World::new().await;
    let (admin, email) = (world.admin().await, fresh());
    let user = invited(&admin, &email).await;
    outbox().refuse(&email, Refusal::Permanent);
    assert_eq!(world.deliver().await, report(0, 0, 1));
    let row = only(&world).await;
    assert!(row["failedAt"].is_string() && row["ttl"].is_number(), "{row}");
    assert!(row.get("due_pk").is_none() && row.get("due_sk").is_none(), "{row}");
    world.clock().advance(3600);
    assert_eq!(world.deliver().await, report(0, 0, 0));
    let admin = admin.again().await;
    assert_eq!(admin.get(&user).is(200).await.body["status"], "INVITED");
    outbox().accept(&email);
    admin.post(&format!("{user}/invitation")).is(202).await;
    assert_eq!(world.letters(&email).await.len(), 1);
    world.assert_whole().await;
}

#[tokio::test]
async fn one_bad_address_holds_up_nobody_else() {
    let world = World::new().await;
    let admin = world.admin().await;
    let emails = [fresh(), fresh(), fresh()];
    outbox().refuse(&emails[0], Refusal::Permanent);
    outbox().refuse(&emails[1], Refusal::Temporary);
    for email in &emails {
        invited(&admin, email).await;
    }
    assert_eq!(world.deliver().await, report(1, 1, 1));
    assert_eq!(emails.map(|email| outbox().mails_to(&email).len()), [0, 0, 1]);
}

#[tokio::test]
async fn a_mail_whose_token_has_expired_is_not_sent() {
    let world = World::new().await;
    let (admin, email) = (world.admin().await, fresh());
    invited(&admin, &email).await;
    world.anyone().post("/v1/auth/password/forgot").json(json!({ "email": admin.email() })).is(202).await;
    world.clock().advance(3601);
    assert_eq!(world.deliver().await, report(1, 0, 1), "a reset is good for an hour");
    assert_eq!((outbox().mails_to(&email).len(), outbox().mails_to(admin.email()).len()), (1, 0));
    world.anyone().post("/v1/auth/password/forgot").json(json!({ "email": email })).is(202).await;
    world.clock().advance(7 * 24 * 3600 + 1);
    assert_eq!(world.deliver().await, report(0, 0, 1), "an invitation for a week");
    assert_eq!(outbox().mails_to(&email).len(), 1);
}

#[tokio::test]
async fn a_mail_that_would_only_be_tried_after_its_token_expired_is_given_up() {
    let world = World::new().await;
    let admin = world.admin().await;
    world.anyone().post("/v1/auth/password/forgot").json(json!({ "email": admin.email() })).is(202).await;
    outbox().refuse(admin.email(), Refusal::Temporary);
    world.clock().advance(3600 - 40);
    assert_eq!(world.deliver().await, report(0, 0, 1));
    assert!(only(&world).await["failedAt"].is_string());
}

// ── When the table fails ────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn a_table_that_fails_before_a_sending_loses_nothing() {
    let world = World::with_faults().await;
    let (admin, email) = (world.admin().await, fresh());
    invited(&admin, &email).await;
    world.faults().next_writes([Fault::ServerError; 12]);
    assert_eq!(world.deliver().await["unknown"], 1);
    assert_eq!(outbox().mails_to(&email), [], "who has not claimed it does not send it");
    world.faults().none();
    assert_eq!(world.deliver().await, report(1, 0, 0));
    assert_eq!(outbox().mails_to(&email).len(), 1);
}

#[tokio::test]
async fn a_table_that_fails_after_a_sending_makes_the_same_mail_come_twice() {
    let world = World::with_faults().await;
    let (admin, email) = (world.admin().await, fresh());
    invited(&admin, &email).await;
    world.faults().writes_after_one([Fault::ServerError; 12]);
    assert_eq!(world.deliver().await, report(1, 0, 0));
    world.faults().none();
    assert_eq!(only(&world).await["attempts"].as_f64(), Some(1.0));
    assert_eq!(world.deliver().await, report(0, 0, 0), "it rests while it may yet be under way");
    world.clock().advance(61);
    assert_eq!(world.deliver().await, report(1, 0, 0));
    let mails = outbox().mails_to(&email);
    assert!(mails.len() == 2 && mails[0].id == mails[1].id, "{mails:?}");
    assert_eq!(queue(&world).await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_delivery_whose_answers_were_lost_sends_once() {
    let world = World::with_faults().await;
    let (admin, email) = (world.admin().await, fresh());
    invited(&admin, &email).await;
    world.faults().next_writes([Fault::AnswerLost]);
    assert_eq!(world.deliver().await, report(1, 0, 0));
    world.faults().none();
    world.clock().advance(61);
    assert_eq!(world.deliver().await, report(0, 0, 0));
    assert_eq!(outbox().mails_to(&email).len(), 1);
}

#[tokio::test]
async fn an_invitation_whose_answer_was_lost_is_one_user_and_one_mail() {
    let world = World::with_faults().await;
    let (admin, email) = (world.admin().await, fresh());
    let users = format!("{}/users", agency(&admin).await);
    world.faults().next_writes([Fault::AnswerLost]);
    admin.post(&users).json(person(&email)).created().await;
    world.faults().none();
    assert_eq!(world.letters(&email).await.len(), 1);
    world.assert_whole().await;
}
