import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { Salon, startBrowser, visit } from "./salon.mjs";

const { API_URL } = process.env;
const PASSWORD = "a quiet harbour at dawn";

let browser;
before(async () => {
  browser = await startBrowser();
});
after(() => browser.close());

// The link in the newest mail to an address.
const mailedLink = async (address) => {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const mails = await (await fetch(`${API_URL}/_local/outbox`)).json();
    const mail = mails.find((candidate) => JSON.stringify(candidate).includes(address));
    const link = mail && JSON.stringify(mail).match(/http:\/\/localhost:\d+\/[a-z-]+\?token=[\w-]+/);
    if (link) return link[0];
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`no mail to ${address}`);
};

const setPassword = async (link, email) => {
  const page = await visit(browser, link);
  await page.locator("#password input").fill(PASSWORD);
  await page.locator("#password button").click();
  await page.getByText("The password is set.").waitFor();
  await page.locator("#sign-in input[name=email]").fill(email);
  await page.locator("#sign-in input[name=password]").fill(PASSWORD);
  await page.getByRole("button", { name: "Sign in" }).click();
  return page;
};

test("invited user accepts the invitation of the mail and signs in", async () => {
  const salon = await Salon.open();
  const email = `ada.${randomUUID()}@salon.example`;
  await salon.post(`${salon.path}/users`, { email, firstName: "Ada", lastName: "Lovelace" });
  const page = await setPassword(await mailedLink(email), email);
  await page.getByText("Signed in as Ada Lovelace (CLIENT_USER).").waitFor();
  assert.deepEqual(page.problems, []);
});

test("user resets a forgotten password with the link of the mail", async () => {
  const salon = await Salon.open();
  const email = `ada.${randomUUID()}@salon.example`;
  await salon.post(`${salon.path}/users`, { email, firstName: "Ada", lastName: "Lovelace", password: "seven small boats sail" });
  const request = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ email }) };
  assert.equal((await fetch(`${API_URL}/v1/auth/password/forgot`, request)).status, 202);
  const page = await setPassword(await mailedLink(email), email);
  await page.getByText("Signed in as Ada Lovelace (CLIENT_USER).").waitFor();
});

test("invalid token is reported", async () => {
  const { DEMO_URL } = process.env;
  const page = await visit(browser, `${DEMO_URL}/reset-password?token=x`);
  await page.locator("#password input").fill(PASSWORD);
  await page.locator("#password button").click();
  await page.locator("#result").filter({ hasText: /token/i }).waitFor();
});
