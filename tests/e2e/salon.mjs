// A salon that the tests set up through the API, and visitors of its website.
import { existsSync } from "node:fs";
import { randomUUID } from "node:crypto";
import { chromium } from "playwright-core";

const { API_URL, SITE_PORT, ADMIN } = process.env;
export const { WIDGETS_URL, DEMO_URL } = process.env;

const PATHS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

// Starts the browser. Host names that end in `.example` lead to this machine.
export const startBrowser = () => {
  const executablePath = process.env.CHROMIUM || PATHS.find((path) => existsSync(path));
  if (!executablePath) throw new Error("Chromium is missing: apt-get install chromium, or set CHROMIUM to its path");
  const args = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--host-resolver-rules=MAP *.example 127.0.0.1"];
  return chromium.launch({ executablePath, args });
};

const send = async (method, path, token, body) => {
  const headers = { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }) };
  const response = await fetch(API_URL + path, { method, headers, body: body && JSON.stringify(body) });
  const answer = response.status === 204 ? null : await response.json();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(answer)}`);
  return answer;
};

// The access token of the first admin.
export const signIn = async () => (await send("POST", "/v1/auth/login", null, JSON.parse(ADMIN))).accessToken;

const ALWAYS = [{ days: ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], start: "00:00", end: "24:00" }];

export class Salon {
  // Creates a client with a domain, a service of an hour and staff members who always work.
  static async open(fields = {}, { people = ["Ann"], services = [{}] } = {}) {
    const salon = new Salon();
    salon.token = await signIn();
    const tenant = await salon.post("/v1/tenants", { name: "Tenant" });
    const agency = await salon.post(`/v1/tenants/${tenant.id}/agencies`, { name: "Agency" });
    const client = await salon.post(`/v1/agencies/${agency.id}/clients`, { name: "Salon", timeZone: "Europe/Berlin", currency: "EUR", ...fields });
    salon.path = `/v1/clients/${client.id}`;
    salon.host = `www.salon-${randomUUID()}.example`;
    await salon.post(`${salon.path}/domains`, { domain: salon.host });
    salon.services = [];
    for (const service of services) {
      salon.services.push(await salon.post(`${salon.path}/services`, { name: "Haircut", duration: 60, price: 40, ...service }));
    }
    salon.people = [];
    for (const name of people) {
      const person = { name, email: `${name.toLowerCase()}@salon.example`, weeklyHours: ALWAYS };
      salon.people.push(await salon.post(`${salon.path}/staff`, person));
    }
    const stages = [{ name: "New", probability: 10 }];
    await salon.post(`${salon.path}/pipelines`, { name: "Sales", stages });
    salon.key = (await salon.get(`${salon.path}/widget`)).widgetKey;
    return salon;
  }

  // The same salon with a new access token, after the clock has moved on.
  static async of(salon) {
    return Object.assign(new Salon(), salon, { token: await signIn() });
  }

  get(path) {
    return send("GET", path, this.token);
  }

  post(path, body) {
    return send("POST", path, this.token, body);
  }

  async appointments() {
    const range = `from=${new Date().toISOString()}&to=${new Date(Date.now() + 60 * 864e5).toISOString()}`;
    return (await this.get(`${this.path}/appointments?${range}&limit=100`)).items;
  }

  // The address of a page of the salon's website with this HTML.
  page(body, { host = this.host, ...query } = {}) {
    return `http://${host}:${SITE_PORT}/?${new URLSearchParams({ body, ...query })}`;
  }

  booking(attributes = "") {
    return `<upzento-booking widget-key="${this.key}" ${attributes}></upzento-booking>`;
  }
}

// Opens a page as a visitor of its own, and records the events of the widgets and the errors of the page.
export const visit = async (browser, url, options = {}) => {
  const context = await browser.newContext({ timezoneId: "Europe/Berlin", locale: "en-US", ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  page.problems = [];
  page.on("pageerror", (error) => page.problems.push(String(error)));
  page.on("console", (message) => {
    if (message.text().includes("Content Security Policy")) page.problems.push(message.text());
  });
  await page.addInitScript(() => {
    window.widgetEvents = [];
    const names = ["ready", "service", "staff", "day", "time", "hold", "booked", "moved", "cancelled", "confirmed", "lead", "error"];
    for (const name of names) {
      document.addEventListener(`upzento:${name}`, ({ detail }) => window.widgetEvents.push({ name, ...detail }));
    }
  });
  await page.goto(url);
  return page;
};

export const events = async (page) => (await page.evaluate(() => window.widgetEvents)).map(({ name }) => name);

// Chooses the first day with free times, and a time of it by its index.
export const chooseTime = async (page, index = 0) => {
  await page.locator("td button.free").first().click();
  const time = page.locator("[data-start]").nth(index);
  const start = await time.getAttribute("data-start");
  await time.click();
  return start;
};

export const fillIn = async (page, email = "ada@example.com") => {
  await page.getByLabel("First name").fill("Ada");
  await page.getByLabel("Last name").fill("Lovelace");
  await page.getByLabel("Email").fill(email);
};

// Books the first free time, and returns its start.
export const book = async (page, email) => {
  const start = await chooseTime(page);
  await fillIn(page, email);
  await page.getByRole("button", { name: "Book now" }).click();
  await page.getByRole("heading", { name: "Your appointment is booked" }).waitFor();
  return start;
};
