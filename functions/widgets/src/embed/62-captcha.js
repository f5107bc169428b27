// The challenge of a CAPTCHA provider, shown in the page: the scripts of the providers do not reach into a shadow root.
class Captcha {
  constructor({ provider, siteKey, scriptUrl }, language) {
    this.element = h("div", { slot: "captcha" });
    this.ready = loadScript(scriptUrl).then(() => {
      this.api = globalThis[provider];
      const options = { sitekey: siteKey, language, hl: language };
      this.id = this.api.render(this.element, options);
    });
    // Without the script there is no response, and the form says so.
    this.ready.catch(() => {});
  }

  // The response to the challenge. It can be used once.
  async response() {
    await this.ready.catch(() => {
      throw new Failure("unavailable");
    });
    const response = this.api.getResponse(this.id);
    if (!response) throw new Failure("captcha_failed");
    return response;
  }

  reset() {
    if (this.api) this.api.reset(this.id);
  }
}

// Adds a script to the page once, and waits for it. One that failed is added again by the next form.
const scripts = new Map();
const loadScript = (src) => {
  if (!scripts.has(src)) {
    scripts.set(src, new Promise((resolve, reject) => {
      const onerror = () => {
        scripts.delete(src);
        reject(new Error(src));
      };
      document.head.append(h("script", { src, async: true, onload: resolve, onerror }));
    }));
  }
  return scripts.get(src);
};
