import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Salon, events, fillIn, startBrowser, visit } from "./salon.mjs";

let browser;
before(async () => {
  browser = await startBrowser();
});
after(() => browser.close());

test("visitor sends the contact form", async () => {
  const salon = await Salon.open();
  const tag = await salon.post(`${salon.path}/tags`, { name: "website" });
  const lead = `<upzento-lead widget-key="${salon.key}" tag-ids="${tag.id}" source="footer"></upzento-lead>`;
  const page = await visit(browser, salon.page(lead));
  await fillIn(page);
  await page.getByLabel("Message").fill("Do you open on Sundays?");
  await page.getByRole("button", { name: "Send" }).dblclick();
  await page.getByRole("heading", { name: /Thank you/ }).waitFor();
  const [contact] = (await salon.get(`${salon.path}/contacts?email=ada@example.com`)).items;
  assert.deepEqual([contact.source, contact.tagIds], ["footer", [tag.id]]);
  const { items } = await salon.get(`${salon.path}/contacts/${contact.id}/deals`);
  assert.equal(items.length, 1);
  const notes = await salon.get(`${salon.path}/deals/${items[0].id}/notes`);
  assert.equal(notes.items[0].content, "Do you open on Sundays?");
  assert.deepEqual(await events(page), ["ready", "lead"]);
});
