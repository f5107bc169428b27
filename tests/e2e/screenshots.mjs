// Makes the screenshots of the README: the booking flow on a desktop and on a phone.
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { Salon, fillIn, startBrowser, visit } from "./salon.mjs";

const folder = fileURLToPath(new URL("../../functions/widgets/images/", import.meta.url));
mkdirSync(folder, { recursive: true });

const screens = [
  ["desktop", { viewport: { width: 760, height: 780 } }],
  ["phone", { viewport: { width: 375, height: 780 }, deviceScaleFactor: 1 }],
];

for (const [name, options] of screens) {
  test(`screenshots on a ${name}`, async () => {
    const browser = await startBrowser();
    const services = [{ name: "Haircut", duration: 45, price: 39.5 }, { name: "Colour", duration: 90, price: 85 }];
    const salon = await Salon.open({ brand: { color: "#2f855a" } }, { people: ["Grace"], services });
    const page = await visit(browser, salon.page(salon.booking()), options);
    const shoot = (step) => page.screenshot({ path: `${folder}${name}-${step}.png` });
    await page.getByRole("button", { name: /Haircut/ }).click();
    await page.getByRole("button", { name: "Next month" }).click();
    await page.locator("td button.free").nth(9).click();
    await page.locator("[data-start]").first().waitFor();
    await page.evaluate(() => scrollTo(0, 0));
    await shoot("calendar");
    await page.locator("[data-start]").nth(9).click();
    await fillIn(page);
    await page.evaluate(() => scrollTo(0, 0));
    await shoot("details");
    await page.getByRole("button", { name: "Book now" }).click();
    await page.getByRole("heading", { name: "Your appointment is booked" }).waitFor();
    await shoot("booked");
    await browser.close();
  });
}
