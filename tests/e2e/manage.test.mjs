import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Salon, book, chooseTime, events, startBrowser, visit } from "./salon.mjs";

let browser;
before(async () => {
  browser = await startBrowser();
});
after(() => browser.close());

// Books an appointment and opens the page of its link.
const booked = async (salon) => {
  const page = await visit(browser, salon.page(salon.booking()));
  const start = await book(page);
  const link = await page.getByRole("link", { name: "Link to this appointment" }).getAttribute("href");
  return { page, start, link };
};

test("visitor confirms, moves and cancels on the page of the link", async () => {
  const salon = await Salon.open();
  const { link, start } = await booked(salon);
  const page = await visit(browser, link);
  await page.getByRole("button", { name: "Confirm" }).click();
  await page.getByText("Confirmed", { exact: true }).waitFor();
  assert.equal((await salon.appointments())[0].status, "CONFIRMED");

  await page.getByRole("button", { name: "Move" }).click();
  await page.locator("td button.free").first().waitFor();
  const later = await chooseTime(page, 2);
  await page.getByRole("button", { name: "Move" }).waitFor();
  const [moved] = await salon.appointments();
  assert.equal(Date.parse(moved.startTime), Date.parse(later));
  assert.notEqual(later, start);

  await page.getByRole("button", { name: "Cancel the appointment" }).click();
  await page.getByRole("button", { name: "No, keep it" }).click();
  await page.getByRole("button", { name: "Cancel the appointment" }).click();
  await page.getByRole("button", { name: "Yes, cancel" }).click();
  await page.getByText("Cancelled", { exact: true }).waitFor();
  assert.equal((await salon.appointments())[0].status, "CANCELLED");
  assert.deepEqual(await events(page), ["confirmed", "day", "moved", "cancelled"]);
  assert.deepEqual(page.problems, []);
});

test("visitor cancels in place after booking", async () => {
  const salon = await Salon.open();
  const { page } = await booked(salon);
  await page.getByRole("button", { name: "Change or cancel" }).click();
  await page.getByRole("button", { name: "Cancel the appointment" }).click();
  await page.getByRole("button", { name: "Yes, cancel" }).click();
  await page.getByText("Cancelled", { exact: true }).waitFor();
  assert.equal((await events(page)).at(-1), "cancelled");
});

test("link of a replaced widget key still works", async () => {
  const salon = await Salon.open();
  const { link } = await booked(salon);
  await salon.post(`${salon.path}/widget/rotate`);
  const page = await visit(browser, link);
  await page.getByText("Haircut").waitFor();
});

test("invalid link is reported", async () => {
  const salon = await Salon.open();
  const { link } = await booked(salon);
  const page = await visit(browser, link.replace(/token=[^&]*/, "token=x"));
  await page.getByText("This link is no longer valid.").waitFor();
});
