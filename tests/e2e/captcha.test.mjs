// The challenge of a CAPTCHA provider, on a local server of its own that requires one.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createServer } from "node:http";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

// The salon of this file is on another server than that of the other files.
const PORT = Number(process.env.SITE_PORT) + 20;
const provider = createServer();
process.env.API_URL = `http://localhost:${PORT}`;
process.env.WIDGETS_URL = `http://localhost:${PORT + 1}`;
process.env.SITE_PORT = String(PORT + 3);
const { Salon, chooseTime, fillIn, startBrowser, visit } = await import("./salon.mjs");
const { startWebsites } = await import("./websites.mjs");

// A provider as the widgets see it: an object with the methods of Turnstile, whose challenge is a button.
const SCRIPT = `{
  const shown = new Map();
  globalThis.turnstile = {
    render(element, { sitekey }) {
      const solve = document.createElement("button");
      solve.textContent = "I am a person";
      solve.onclick = () => shown.set(element, sitekey + " " + Math.random());
      element.append(solve);
      return element;
    },
    getResponse: (element) => shown.get(element),
    reset: (element) => shown.delete(element),
  };
}`;

const used = new Set();
const verify = async (request, response) => {
  let body = "";
  for await (const part of request) body += part;
  const form = new URLSearchParams(body);
  const answer = form.get("response");
  const success = form.get("secret") === "shh" && answer.startsWith("site-key ") && !used.has(answer);
  used.add(answer);
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ success }));
};

let browser;
let local;
let websites;
const dataDir = mkdtempSync(join(tmpdir(), "upzento-captcha-"));

before(async () => {
  provider.on("request", verify);
  await new Promise((resolve) => provider.listen(0, "127.0.0.1", resolve));
  const admin = JSON.parse(process.env.ADMIN);
  const env = {
    ...process.env, PORT: String(PORT), DYNAMODB_PORT: String(PORT + 10), DATA_DIR: dataDir, SEED: "empty",
    ADMIN_EMAIL: admin.email, ADMIN_PASSWORD: admin.password,
    CAPTCHA_PROVIDER: "turnstile", CAPTCHA_SITE_KEY: "site-key", CAPTCHA_SECRET: "shh",
    CAPTCHA_VERIFY_URL: `http://127.0.0.1:${provider.address().port}/`,
  };
  const server = fileURLToPath(new URL("../../target/debug/local", import.meta.url));
  local = spawn(server, { env, stdio: ["ignore", "ignore", "inherit"] });
  websites = await startWebsites(PORT + 3, process.env.WIDGETS_URL);
  for (let attempt = 0; attempt < 300; attempt += 1) {
    const answer = await fetch(`${process.env.API_URL}/health`).catch(() => null);
    if (answer && answer.ok) break;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  browser = await startBrowser();
});

after(async () => {
  await browser.close();
  websites.close();
  provider.close();
  local.kill("SIGTERM");
  await new Promise((resolve) => local.on("exit", resolve));
  rmSync(dataDir, { recursive: true, force: true });
});

// Opens a page that gets the script of the provider from here.
const open = async (url) => {
  const page = await visit(browser, "about:blank");
  await page.route("https://challenges.cloudflare.com/**", (route) => route.fulfill({ contentType: "text/javascript", body: SCRIPT }));
  await page.goto(url);
  return page;
};

const solve = (page) => page.getByRole("button", { name: "I am a person" }).click();

test("visitor books after solving the challenge", async () => {
  const salon = await Salon.open();
  const page = await open(salon.page(salon.booking()));
  await chooseTime(page);
  await fillIn(page);
  await page.getByRole("button", { name: "Book now" }).click();
  await page.getByText("Please complete the check").waitFor();
  assert.equal((await salon.appointments()).length, 0);
  await solve(page);
  await page.getByRole("button", { name: "Book now" }).click();
  await page.getByRole("heading", { name: "Your appointment is booked" }).waitFor();
  assert.equal((await salon.appointments()).length, 1);
  assert.equal(await page.getByRole("button", { name: "I am a person" }).count(), 0);
  assert.deepEqual(page.problems, []);
});

test("failed attempt asks for another response, and books once", async () => {
  const salon = await Salon.open();
  const page = await open(salon.page(salon.booking()));
  await chooseTime(page);
  await fillIn(page);
  await solve(page);
  // The response of the first request is lost, and so are its repetitions.
  await page.route("**/appointments", async (route) => {
    await route.fetch();
    await route.abort();
  });
  await page.getByRole("button", { name: "Book now" }).click();
  await page.getByText("The service cannot be reached").waitFor();
  await page.unroute("**/appointments");
  await solve(page);
  await page.getByRole("button", { name: "Book now" }).click();
  await page.getByRole("heading", { name: "Your appointment is booked" }).waitFor();
  assert.equal((await salon.appointments()).length, 1);
});

test("hosted page loads the script of the provider under its policy", async () => {
  const salon = await Salon.open();
  const page = await open(`${process.env.WIDGETS_URL}/widgets/${salon.key}/booking`);
  await chooseTime(page);
  await solve(page);
  assert.deepEqual(page.problems, []);
});

test("visitor sends the contact form after solving the challenge", async () => {
  const salon = await Salon.open();
  const page = await open(salon.page(`<upzento-lead widget-key="${salon.key}"></upzento-lead>`));
  await fillIn(page);
  await page.getByLabel("Message").fill("Do you open on Sundays?");
  await solve(page);
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByRole("heading", { name: /Thank you/ }).waitFor();
});
