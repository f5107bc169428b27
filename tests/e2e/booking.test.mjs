import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Salon, book, chooseTime, events, fillIn, startBrowser, visit } from "./salon.mjs";

let browser;
before(async () => {
  browser = await startBrowser();
});
after(() => browser.close());

test("visitor books an appointment on the website of the client", async () => {
  const salon = await Salon.open({}, { people: ["Ann", "Ben"], services: [{}, { name: "Shave", duration: 30 }] });
  const page = await visit(browser, salon.page(salon.booking('source="spring"')));
  await page.getByRole("button", { name: /Shave/ }).click();
  await page.getByRole("button", { name: "Ben" }).click();
  const start = await book(page);
  const [appointment, ...others] = await salon.appointments();
  assert.equal(others.length, 0);
  assert.equal(appointment.source, "WIDGET");
  assert.equal(appointment.staffId, salon.people[1].id);
  assert.equal(Date.parse(appointment.startTime), Date.parse(start));
  const contact = await salon.get(`${salon.path}/contacts/${appointment.contactId}`);
  assert.deepEqual([contact.email, contact.source, contact.timeZone], ["ada@example.com", "spring", "Europe/Berlin"]);
  assert.deepEqual(await events(page), ["ready", "service", "staff", "day", "time", "hold", "booked"]);
  const file = await page.getByRole("link", { name: "Add to calendar" }).getAttribute("href");
  assert.match(await (await fetch(file)).text(), /BEGIN:VEVENT/);
  assert.deepEqual(page.problems, []);
});

test("widget speaks German and shows the price in the currency of the client", async () => {
  const salon = await Salon.open({ language: "de" }, { services: [{}, { name: "Rasur" }] });
  const page = await visit(browser, salon.page(salon.booking('language="de"')));
  await page.getByRole("heading", { name: "Leistung wählen" }).waitFor();
  assert.match(await page.getByRole("button", { name: /Haircut/ }).textContent(), /60 Min\. · 40,00/);
});

test("held start is not offered to other visitors until it is released", async () => {
  const salon = await Salon.open();
  const url = salon.page(salon.booking());
  const [ada, eve] = [await visit(browser, url), await visit(browser, url)];
  const start = await chooseTime(ada);
  await ada.getByText("This time is held for you").waitFor();
  await eve.locator("td button.free").first().waitFor();
  await eve.reload();
  await eve.locator("td button.free").first().click();
  assert.equal(await eve.locator(`[data-start="${start}"]`).count(), 0);
  await ada.getByRole("button", { name: "Back", exact: true }).click();
  await ada.locator("td button.free").first().waitFor();
  await eve.reload();
  await eve.locator("td button.free").first().click();
  assert.equal(await eve.locator(`[data-start="${start}"]`).count(), 1);
});

test("start that is taken meanwhile is reported with the next free one", async () => {
  const salon = await Salon.open();
  const page = await visit(browser, salon.page(salon.booking()));
  const start = await chooseTime(page);
  await fillIn(page);
  const [service, person] = [salon.services[0].id, salon.people[0].id];
  await salon.post(`${salon.path}/appointments`, { serviceId: service, staffId: person, startTime: start });
  await page.getByRole("button", { name: "Book now" }).click();
  await page.getByText("This time has just been taken.").waitFor();
  await page.getByRole("button", { name: /Take the next free time/ }).click();
  await fillIn(page);
  await page.getByRole("button", { name: "Book now" }).click();
  await page.getByRole("heading", { name: "Your appointment is booked" }).waitFor();
  assert.equal((await salon.appointments()).length, 2);
});

test("lost response and double click create one appointment", async () => {
  const salon = await Salon.open();
  const page = await visit(browser, salon.page(salon.booking()));
  await chooseTime(page);
  await fillIn(page);
  let lost = 0;
  await page.route("**/appointments", async (route) => {
    if (route.request().method() !== "POST" || lost > 0) return route.continue();
    lost += 1;
    await route.fetch();
    return route.abort("connectionreset");
  });
  await page.getByRole("button", { name: "Book now" }).dblclick();
  await page.getByRole("heading", { name: "Your appointment is booked" }).waitFor();
  assert.equal(lost, 1);
  assert.equal((await salon.appointments()).length, 1);
});

test("invalid fields are marked and focused", async () => {
  const salon = await Salon.open();
  const page = await visit(browser, salon.page(salon.booking('name="Ada Lovelace" email="ada@example.com"')));
  await chooseTime(page);
  await page.getByLabel("Phone").fill("123");
  await page.getByRole("button", { name: "Book now" }).click();
  await page.getByText("Please check the marked fields.").waitFor();
  const phone = page.getByLabel("Phone");
  assert.equal(await phone.getAttribute("aria-invalid"), "true");
  assert.equal(await phone.evaluate((input) => input.getRootNode().activeElement === input), true);
  await phone.fill("");
  await page.getByRole("button", { name: "Book now" }).click();
  await page.getByRole("heading", { name: "Your appointment is booked" }).waitFor();
});

test("visitor changes the time zone, and a fixed zone cannot be changed", async () => {
  const salon = await Salon.open();
  const page = await visit(browser, salon.page(salon.booking()));
  const zone = page.getByLabel("Time zone");
  assert.equal(await zone.inputValue(), "Europe/Berlin");
  await zone.selectOption("Asia/Tokyo");
  await page.locator("td button.free").first().waitFor();
  const fixed = await visit(browser, salon.page(salon.booking('time-zone="staff"')), { timezoneId: "Asia/Tokyo" });
  await fixed.getByText("All times are in Europe/Berlin.").waitFor();
  assert.equal(await fixed.getByLabel("Time zone").count(), 0);
});

test("month without free times leads to the next free one", async () => {
  const soon = new Date(Date.now() + 40 * 864e5);
  const salon = await Salon.open({}, { people: [], services: [{ horizonDays: 120 }] });
  const overrides = { [soon.toISOString().slice(0, 10)]: [{ start: "09:00", end: "12:00" }] };
  await salon.post(`${salon.path}/staff`, { name: "Ann", email: "ann@salon.example", overrides });
  const page = await visit(browser, salon.page(salon.booking()));
  await page.getByRole("button", { name: "Find the next free time" }).click();
  await page.locator("td button.free").first().waitFor();
  assert.equal(await page.locator("td button.free").count(), 1);
});

test("offline visitor is told and can try again", async () => {
  const salon = await Salon.open();
  const page = await visit(browser, salon.page(salon.booking()));
  await page.locator("td button.free").first().click();
  await page.context().setOffline(true);
  await page.locator("[data-start]").first().click();
  await page.getByText("You are offline.").waitFor();
  await page.context().setOffline(false);
  await page.getByRole("button", { name: "Try again" }).click();
  await page.getByRole("heading", { name: "Your details" }).waitFor();
});
