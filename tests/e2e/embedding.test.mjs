import assert from "node:assert/strict";
import { writeFileSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { DEMO_URL, Salon, WIDGETS_URL, book, startBrowser, visit } from "./salon.mjs";

let browser;
before(async () => {
  browser = await startBrowser();
});
after(() => browser.close());

test("website that is not registered gets no data and shows the refusal", async () => {
  const salon = await Salon.open();
  const page = await visit(browser, salon.page(salon.booking(), { host: "evil.example" }));
  await page.getByText("does not work on this website").waitFor({ timeout: 20_000 });
  assert.equal(await page.locator("td button").count(), 0);
});

test("booking works under a strict policy without violations", async () => {
  const salon = await Salon.open();
  const page = await visit(browser, salon.page(salon.booking(), { policy: "strict" }));
  await book(page);
  await page.getByRole("button", { name: "Change or cancel" }).click();
  await page.getByRole("button", { name: "Move" }).waitFor();
  assert.deepEqual(page.problems, []);
  const color = await page.locator("upzento-booking").evaluate((element) => getComputedStyle(element.shadowRoot.querySelector(".summary")).borderLeftWidth);
  assert.equal(color, "4px");
});

test("widget uses neither cookies nor storage", async () => {
  const salon = await Salon.open();
  const page = await visit(browser, salon.page(salon.booking()));
  await page.addInitScript(() => {
    for (const name of ["localStorage", "sessionStorage", "indexedDB"]) {
      Object.defineProperty(window, name, { get: () => { throw new Error(`${name} is off`); } });
    }
    Object.defineProperty(document, "cookie", { get: () => { throw new Error("cookies are off"); } });
  });
  await page.reload();
  await book(page);
  assert.deepEqual(page.problems, []);
  assert.deepEqual(await page.context().cookies(), []);
});

test("element that is removed and added twenty times works once", async () => {
  const salon = await Salon.open();
  const page = await visit(browser, salon.page(salon.booking()));
  await page.locator("td button.free").first().waitFor();
  await page.evaluate(async () => {
    const element = document.querySelector("upzento-booking");
    const parent = element.parentNode;
    for (let count = 0; count < 20; count += 1) {
      element.remove();
      if (count % 3 === 0) await new Promise((resolve) => setTimeout(resolve, 20));
      parent.append(element);
    }
  });
  await book(page);
  assert.equal((await salon.appointments()).length, 1);
  assert.deepEqual(page.problems, []);
});

test("script that is included twice defines the elements once", async () => {
  const salon = await Salon.open();
  const page = await visit(browser, salon.page(salon.booking(), { scripts: "2" }));
  await book(page);
  assert.deepEqual(page.problems, []);
});

test("script can be imported in Node", async () => {
  const script = await (await fetch(`${WIDGETS_URL}/widgets/embed.js`)).text();
  const file = join(mkdtempSync(join(tmpdir(), "embed-")), "embed.mjs");
  writeFileSync(file, script);
  await import(pathToFileURL(file).href);
});

test("page is framed on registered websites alone", async () => {
  const salon = await Salon.open();
  const frame = `<iframe src="${WIDGETS_URL}/widgets/${salon.key}/booking" width="600" height="800"></iframe>`;
  const page = await visit(browser, salon.page(frame));
  await page.frameLocator("iframe").locator("td button.free").first().waitFor();
  const other = await visit(browser, salon.page(frame, { host: "evil.example" }));
  await other.waitForTimeout(1000);
  assert.equal(await other.frameLocator("iframe").locator("upzento-booking").count(), 0);
});

test("hosted page works as a plain link", async () => {
  const salon = await Salon.open();
  const page = await visit(browser, `${WIDGETS_URL}/widgets/${salon.key}/booking?utm_source=mail`);
  await book(page);
  assert.deepEqual(page.problems, []);
});

test("demo website has both widgets, and refuses under another host name", async () => {
  const page = await visit(browser, `${DEMO_URL}/`);
  await page.getByRole("heading", { name: "Choose a service" }).waitFor();
  await page.getByRole("heading", { name: "Contact us" }).waitFor();
  assert.match(await page.locator("#events").textContent(), /upzento-booking upzento:ready/);
  await page.getByRole("link", { name: /not registered/ }).click();
  await page.getByText("does not work on this website").first().waitFor({ timeout: 20_000 });
});
