import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Salon, book, startBrowser, visit } from "./salon.mjs";

const { API_URL } = process.env;

let browser;
before(async () => {
  browser = await startBrowser();
});
after(async () => {
  await setClock({ reset: true });
  await browser.close();
});

const setClock = (change) => fetch(`${API_URL}/_local/clock`, { method: "PUT", body: JSON.stringify(change) });

// Sends what is due, and returns the mail to an address with this subject.
const remind = async (email, subject) => {
  await fetch(`${API_URL}/_local/tick`, { method: "POST" });
  const mails = await (await fetch(`${API_URL}/_local/outbox`)).json();
  const mail = mails.find((other) => other.to.includes(email) && other.subject === subject);
  assert.ok(mail, subject);
  return mail;
};

// The link in a mail that ends with this text.
const linkOf = ({ text }, end) => text.split(/\s/).find((word) => word.startsWith("http") && word.endsWith(end));

test("links of the confirmation open the step, and change nothing without another click", async () => {
  const salon = await Salon.open();
  const page = await visit(browser, salon.page(salon.booking()));
  await book(page, "linked@example.com");
  const mail = await remind("linked@example.com", "Appointment booked: Haircut – Salon");
  const cancel = await visit(browser, linkOf(mail, "&action=cancel"));
  await cancel.getByRole("heading", { name: "Do you really want to cancel?" }).waitFor();
  assert.equal((await salon.appointments())[0].status, "SCHEDULED");
  const move = await visit(browser, linkOf(mail, "&action=move"));
  await move.getByRole("heading", { name: "Choose a day and a time" }).waitFor();
  const confirm = await visit(browser, linkOf(mail, "&action=confirm"));
  await confirm.getByRole("button", { name: "Confirm" }).click();
  await confirm.getByText("The appointment is confirmed.").waitFor();
  assert.equal((await salon.appointments())[0].status, "CONFIRMED");
});

test("reminder arrives at its time, is readable in the outbox, and its link stops reminders", async () => {
  // More than an hour ahead, so that there is a reminder.
  const salon = await Salon.open({}, { services: [{ minNotice: 120 }] });
  const page = await visit(browser, salon.page(salon.booking()));
  const start = await book(page, "reminded@example.com");
  await setClock({ now: new Date(Date.parse(start) - 59 * 60_000).toISOString() });
  const mail = await remind("reminded@example.com", "Reminder: Haircut – Salon");
  const outbox = await visit(browser, `${API_URL}/_local/outbox`);
  await outbox.getByRole("heading", { name: mail.subject }).waitFor();
  const frame = outbox.frameLocator(`iframe[title="${mail.subject}"]`);
  await frame.getByText("This is a reminder of your appointment").waitFor();
  const stop = await visit(browser, mail.unsubscribeUrl);
  await stop.getByRole("button", { name: "Stop reminders" }).click();
  await stop.getByText("You will get no more reminders.").waitFor();
  const [contact] = (await (await Salon.of(salon)).get(`${salon.path}/contacts?email=reminded@example.com`)).items;
  assert.equal(contact.remindersOff, true);
  for (const { problems } of [outbox, stop]) assert.deepEqual(problems, []);
});
