import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { Salon, chooseTime, fillIn, startBrowser, visit } from "./salon.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

let browser;
before(async () => {
  browser = await startBrowser();
});
after(() => browser.close());

// The violations that axe finds in the widget. No value without a text may be shown either.
const violations = async (page) => {
  const text = await page.locator("main > *").evaluate((element) => element.shadowRoot.textContent);
  assert.doesNotMatch(text, /false|undefined|null|NaN|\[object/);
  await page.evaluate(axe);
  const result = await page.evaluate(() => window.axe.run("main"));
  return result.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
};

const open = () => Salon.open({ brand: { color: "#f6c945" } }, { people: ["Ann", "Ben"], services: [{}, { name: "Shave" }] });

test("axe reports nothing at any step", async () => {
  const salon = await open();
  const page = await visit(browser, salon.page(salon.booking()));
  const check = async (step) => assert.deepEqual(await violations(page), [], step);
  await page.getByRole("heading", { name: "Choose a service" }).waitFor();
  await check("services");
  await page.getByRole("button", { name: /Shave/ }).click();
  await page.getByRole("heading", { name: "Choose a person" }).waitFor();
  await check("staff");
  await page.getByRole("button", { name: "Ben" }).click();
  await page.locator("td button.free").first().click();
  await check("times");
  await page.locator("[data-start]").first().click();
  await page.getByRole("heading", { name: "Your details" }).waitFor();
  await check("details");
  await fillIn(page);
  await page.getByRole("button", { name: "Book now" }).click();
  await page.getByRole("heading", { name: "Your appointment is booked" }).waitFor();
  await check("booked");
  await page.getByRole("button", { name: "Change or cancel" }).click();
  await page.getByRole("button", { name: "Move" }).waitFor();
  await check("manage");
  const lead = await visit(browser, salon.page(`<upzento-lead widget-key="${salon.key}"></upzento-lead>`));
  await lead.getByLabel("Message").waitFor();
  assert.deepEqual(await violations(lead), [], "lead");
});

const focused = (page) => page.evaluate(() => {
  let active = document.activeElement;
  while (active.shadowRoot) active = active.shadowRoot.activeElement;
  return active.getAttribute("aria-label") || active.textContent;
});

const focusedDate = (page) => page.evaluate(() => {
  const { activeElement } = document.querySelector("upzento-booking").shadowRoot;
  return activeElement.dataset.date;
});

test("appointment is booked with the keyboard alone", async () => {
  const salon = await open();
  const page = await visit(browser, salon.page(salon.booking()));
  await page.getByRole("heading", { name: "Choose a service" }).waitFor();
  const press = async (...keys) => {
    for (const key of keys) await page.keyboard.press(key);
  };
  await press("Tab", "Enter");
  await page.getByRole("heading", { name: "Choose a person" }).waitFor();
  assert.equal(await focused(page), "Choose a person");
  await press("Tab", "Enter");
  await page.locator("td button.free").first().waitFor();
  // The month, then the calendar, which is one stop.
  await press("Tab", "Tab", "Tab");
  await press("Enter");
  await page.locator("[data-start]").first().waitFor();
  assert.match(await focused(page), /^Times on /);
  await press("Tab", "Enter");
  await page.getByRole("heading", { name: "Your details" }).waitFor();
  await press("Tab");
  await page.keyboard.type("Ada");
  await press("Tab");
  await page.keyboard.type("Lovelace");
  await press("Tab");
  await page.keyboard.type("ada@example.com");
  await press("Enter");
  await page.getByRole("heading", { name: "Your appointment is booked" }).waitFor();
  assert.equal((await salon.appointments()).length, 1);
});

test("calendar has the keys of a date grid", async () => {
  const salon = await Salon.open({}, { services: [{ horizonDays: 800 }] });
  const page = await visit(browser, salon.page(salon.booking()));
  const first = page.locator('td button[tabindex="0"]');
  await first.waitFor();
  const today = await first.getAttribute("data-date");
  await first.focus();
  const after = async (key) => {
    await page.keyboard.press(key);
    await page.waitForTimeout(300);
    return focusedDate(page);
  };
  const plus = (date, days) => new Date(Date.parse(`${date}T00:00:00Z`) + days * 864e5).toISOString().slice(0, 10);
  assert.equal(await after("ArrowRight"), plus(today, 1));
  assert.equal(await after("ArrowDown"), plus(today, 8));
  const home = await after("Home");
  assert.equal(new Date(`${home}T00:00:00Z`).getUTCDay(), 0);
  assert.equal(await after("End"), plus(home, 6));
  const end = plus(home, 6);
  const nextMonth = await after("PageDown");
  assert.ok(nextMonth > end && nextMonth.slice(0, 7) !== end.slice(0, 7));
  const nextYear = await after("Shift+PageDown");
  assert.equal(Number(nextYear.slice(0, 4)), Number(nextMonth.slice(0, 4)) + 1);
  assert.match(await focused(page), /^[A-Z][a-z]+day, [A-Z][a-z]+ \d+, (no free times|\d+ free times?)$/);
});

for (const width of [320, 1280]) {
  test(`flow fits into a width of ${width} pixels`, async () => {
    const salon = await open();
    const page = await visit(browser, salon.page(salon.booking()), { viewport: { width, height: 800 } });
    const fits = async (step) => {
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      assert.ok(overflow <= 0, `${step}: ${overflow} pixels too wide`);
    };
    await page.getByRole("button", { name: /Shave/ }).click();
    await fits("services");
    await page.getByRole("button", { name: "Ben" }).click();
    await page.locator("td button.free").first().waitFor();
    await fits("calendar");
    await chooseTime(page);
    await page.getByRole("heading", { name: "Your details" }).waitFor();
    await fits("details");
  });
}
