// Starts the local server and the websites of clients, and runs the tests in this folder against them.
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startWebsites } from "./websites.mjs";

const PORT = Number(process.env.E2E_PORT || 4700);
const folder = fileURLToPath(new URL(".", import.meta.url));
const server = fileURLToPath(new URL("../../target/debug/local", import.meta.url));
const dataDir = mkdtempSync(join(tmpdir(), "upzento-e2e-"));
const admin = { email: "admin@example.com", password: "seven small boats sail slowly" };

const environment = {
  ...process.env,
  PORT: String(PORT),
  DYNAMODB_PORT: String(PORT + 10),
  DATA_DIR: dataDir,
  SEED: "demo",
  ADMIN_EMAIL: admin.email,
  ADMIN_PASSWORD: admin.password,
};

const isReady = async () => {
  for (let attempt = 0; attempt < 300; attempt += 1) {
    if (local.exitCode !== null) throw new Error(`the local server ended with ${local.exitCode}`);
    const answer = await fetch(`http://localhost:${PORT}/health`).catch(() => null);
    if (answer && answer.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error("the local server does not answer");
};

const local = spawn(server, { env: environment, stdio: ["ignore", "ignore", "inherit"] });
const websites = await startWebsites(PORT + 3, `http://localhost:${PORT + 1}`);
let code = 1;
try {
  await isReady();
  const named = process.argv.slice(2);
  const files = named.length ? named : readdirSync(folder).filter((name) => name.endsWith(".test.mjs")).sort();
  const run = spawn(process.execPath, ["--test", "--test-concurrency=1", ...files], {
    cwd: folder,
    stdio: "inherit",
    env: {
      ...process.env,
      API_URL: `http://localhost:${PORT}`,
      WIDGETS_URL: `http://localhost:${PORT + 1}`,
      DEMO_URL: `http://localhost:${PORT + 2}`,
      SITE_PORT: String(PORT + 3),
      ADMIN: JSON.stringify(admin),
    },
  });
  code = await new Promise((resolve) => run.on("exit", resolve));
} finally {
  websites.close();
  local.kill("SIGTERM");
  await new Promise((resolve) => local.on("exit", resolve));
  rmSync(dataDir, { recursive: true, force: true });
}
process.exit(code);
