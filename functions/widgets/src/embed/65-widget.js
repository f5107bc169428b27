// In Node there are no elements: importing the script must not fail.
const Element = globalThis.HTMLElement || class {};

// What all widgets have in common: the shadow root, the API, the announcements and the errors.
class Widget extends Element {
  connectedCallback() {
    const root = this.shadowRoot || this.attachShadow({ mode: "open" });
    this.aborter = new AbortController();
    this.api = new Api(this.attribute("widget-key") || "", this.aborter.signal);
    this.setLanguage();
    this.live = h("div", { class: "sr", role: "status" });
    this.alerts = h("p", { class: "alert", role: "alert" });
    this.body = h("div", {});
    root.adoptedStyleSheets = [sheet(STYLE)];
    root.replaceChildren(h("div", { class: "w", lang: this.language }, this.alerts, this.body, this.live));
    this.wait();
    this.run(() => this.start());
  }

  disconnectedCallback() {
    this.leave();
    this.aborter.abort();
  }

  // What is undone when the widget is removed.
  leave() {}

  attribute(name) {
    return this.getAttribute(name) || undefined;
  }

  // The attribute, the language of the page and that of the browser come before that of the client.
  setLanguage(ofClient) {
    this.language = chooseLanguage(this.attribute("language"), document.documentElement.lang, navigator.language, ofClient);
    this.t = translator(this.language);
    this.format = formats(this.language);
  }

  setBrand(color) {
    this.shadowRoot.adoptedStyleSheets = [sheet(brandStyle(color)), sheet(STYLE)];
  }

  wait() {
    this.body.replaceChildren(h("p", {}, this.t("loading")));
  }

  // Replaces the step and moves the focus to its heading, except at the first step: it must not take the focus from the page.
  show(...children) {
    this.alerts.textContent = "";
    if (this.captcha) this.captcha.element.remove();
    this.captcha = null;
    this.body.replaceChildren(...children.flat().filter(Boolean));
    const title = this.body.querySelector("h2");
    if (title && this.hasShown) title.focus();
    this.hasShown = true;
  }

  say(text) {
    this.live.textContent = text;
  }

  emit(name, detail = {}) {
    this.dispatchEvent(new CustomEvent(`upzento:${name}`, { bubbles: true, composed: true, detail }));
  }

  // Runs a step, and shows its failure. While a step runs, no other one begins.
  async run(step) {
    const { aborter } = this;
    if (this.running === aborter) return;
    this.running = aborter;
    try {
      await step();
    } catch (failure) {
      if (!aborter.signal.aborted) this.fail(failure, step);
    } finally {
      if (this.running === aborter) this.running = null;
    }
  }

  fail(failure, step) {
    // A fault of the widget itself, for the console of the browser.
    if (!(failure instanceof Failure)) console.error(failure);
    this.emit("error", { code: failure.code || "internal" });
    // The details of the API are in English.
    const describe = ({ detail }) => (this.language === "en" ? detail : this.t("invalidField"));
    if (this.form && showFieldErrors(this.form, failure.errors || [], describe)) {
      this.alerts.textContent = this.t("invalidFields");
      return;
    }
    this.alerts.textContent = failureText(this.t, failure);
    if (!this.form) this.body.replaceChildren(button(this.t("again"), () => this.run(step)));
  }

  // A form that is sent once at a time.
  makeForm(fields, submitText, send) {
    const submit = h("button", { type: "submit", class: "primary" }, submitText);
    const onsubmit = (event) => {
      event.preventDefault();
      this.alerts.textContent = "";
      submit.setAttribute("aria-disabled", "true");
      this.say(this.t("sending"));
      const done = () => submit.removeAttribute("aria-disabled");
      this.run(() => send(valuesOf(this.form))).then(done);
    };
    const challenge = this.config.captcha && h("slot", { name: "captcha" });
    this.form = h("form", { onsubmit }, h("p", { class: "small" }, this.t("required")), fields, honeypot(this.t), challenge, submit);
    return this.form;
  }

  // Shows a step with a form, and the challenge that the form needs.
  showForm(...children) {
    this.show(...children);
    if (!this.config.captcha) return;
    this.captcha = new Captcha(this.config.captcha, this.language);
    this.append(this.captcha.element);
  }

  // Sends a form with the response to its challenge. Each attempt needs another response.
  async submit(path, values) {
    const { captcha } = this;
    const options = { idempotencyKey: this.submission.for(values), captcha: captcha && (await captcha.response()) };
    try {
      return await this.api.write("POST", path, values, options);
    } catch (failure) {
      if (captcha) captcha.reset();
      throw failure;
    }
  }

  // The fields of a person. The name of the attribute is split at its last space.
  personFields() {
    const name = this.attribute("name") || "";
    const at = name.lastIndexOf(" ");
    return [
      field(this.t, "firstName", { autocomplete: "given-name", maxlength: 100, value: name.slice(0, Math.max(at, 0)) }),
      field(this.t, "lastName", { autocomplete: "family-name", maxlength: 100, value: name.slice(at + 1) }),
      field(this.t, "email", { type: "email", autocomplete: "email", maxlength: 254, value: this.attribute("email") }),
      field(this.t, "phone", { type: "tel", autocomplete: "tel", maxlength: 40, optional: true }),
    ];
  }

  // What is sent about the visitor beside the fields.
  context() {
    return { source: this.attribute("source"), timeZone: visitorZone(), language: this.language };
  }
}

// One key for each intended submission: the same values have the same key.
class SubmissionKey {
  for(values) {
    const text = JSON.stringify(values);
    if (text !== this.text) Object.assign(this, { text, key: randomKey() });
    return this.key;
  }
}
