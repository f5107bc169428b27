// The base URL of the API: the folder of this script.
const BASE = (() => {
  const script = globalThis.document && document.currentScript;
  if (script && script.src) return new URL(".", script.src).href;
  return globalThis.location ? `${location.origin}/widgets/` : "";
})();

// A failed request: the problem of the API, or the code `offline` or `unreachable`.
class Failure extends Error {
  constructor(code, problem = {}) {
    super(problem.detail || code);
    this.code = code;
    this.errors = problem.errors || [];
  }
}

// The text for a failure.
const failureText = (t, { code }) => {
  const texts = {
    offline: "offline", unreachable: "unreachable", domain_not_authorized: "unreachable", not_found: "unreachable",
    slot_unavailable: "taken", too_many_attempts: "busy", too_many_holds: "busy", too_many_bookings: "tooMany",
    unauthenticated: "invalidLink", invalid: "invalidFields", captcha_failed: "captcha",
  };
  return t(texts[code] || "unavailable");
};

const pause = (seconds, signal) => new Promise((resolve, reject) => {
  const timer = setTimeout(resolve, seconds * 1000);
  signal.addEventListener("abort", () => {
    clearTimeout(timer);
    reject(signal.reason);
  }, { once: true });
});

// A random text, also on pages without HTTPS.
const randomKey = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

// The number of attempts of a request that may be repeated.
const ATTEMPTS = 4;

// The API of one widget. All requests end when `signal` is aborted.
class Api {
  constructor(key, signal) {
    this.root = `${BASE}${encodeURIComponent(key)}/`;
    this.signal = signal;
  }

  async config() {
    const config = await this.send("GET", "config");
    this.token = config.sessionToken;
    return config;
  }

  get(path, query = {}) {
    return this.send("GET", path, { query, authorize: Boolean(query.held) });
  }

  // Sends a request of the session, with a new token if it has expired.
  async write(method, path, body, options = {}) {
    const request = { ...options, body, authorize: true };
    try {
      return await this.send(method, path, request);
    } catch (failure) {
      if (failure.code !== "unauthenticated") throw failure;
      await this.config();
      return this.send(method, path, request);
    }
  }

  // Sends a request. It is repeated after a lost response if that is safe.
  async send(method, path, options = {}) {
    const isSafe = method === "GET" || options.idempotencyKey;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.attempt(method, path, options);
      } catch (failure) {
        const { code, wait } = failure;
        const isLost = ["unreachable", "unavailable", "offline"].includes(code) && isSafe;
        if (attempt === ATTEMPTS || !(isLost || code === "too_fast") || this.signal.aborted) throw failure;
        await pause(wait || 0.4 * 2 ** attempt, this.signal);
      }
    }
  }

  async attempt(method, path, { query, body, idempotencyKey, captcha, authorize }) {
    const url = new URL(this.root + path);
    for (const [name, value] of Object.entries(query || {})) {
      if (value && name !== "held") url.searchParams.set(name, value);
    }
    const headers = {};
    if (body) headers["content-type"] = "application/json";
    if (authorize && this.token) headers.authorization = `Bearer ${this.token}`;
    if (idempotencyKey) headers["idempotency-key"] = idempotencyKey;
    if (captcha) headers["captcha-response"] = captcha;
    const request = { method, headers, body: body && JSON.stringify(body), signal: this.signal, credentials: "omit" };
    const response = await fetch(url, request).catch((error) => {
      throw this.signal.aborted ? error : new Failure(navigator.onLine === false ? "offline" : "unreachable");
    });
    if (response.ok) return response.status === 204 ? null : response.json();
    const problem = await response.json().catch(() => ({}));
    const failure = new Failure(problem.code || (response.status === 429 ? "too_many_attempts" : "unavailable"), problem);
    failure.wait = Number(response.headers.get("retry-after")) || 0;
    throw failure;
  }

  // Releases a hold without waiting, also while the page closes.
  release(hold) {
    const headers = { authorization: `Bearer ${this.token}` };
    fetch(`${this.root}holds/${hold.id}`, { method: "DELETE", headers, keepalive: true }).catch(() => {});
  }
}
