// Creates an element. Properties that begin with `on` are listeners, all others are attributes.
const h = (tag, properties, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
};

const button = (text, onclick, properties) => h("button", { type: "button", onclick, ...properties }, text);

// A heading that can be focused when its step begins.
const heading = (text) => h("h2", { tabindex: "-1" }, text);

// A labelled field of a form, with the place of its error.
const field = (t, name, properties) => {
  const { optional, multiline, ...attributes } = properties;
  const id = `f-${name}`;
  const label = optional ? `${t(name)} (${t("optional")})` : t(name);
  const input = h(multiline ? "textarea" : "input", {
    id, name, required: !optional, "aria-describedby": `${id}-error`, ...attributes,
  });
  if (attributes.value) input.value = attributes.value;
  return h("p", { class: "field" }, h("label", { for: id }, label), input, h("span", { id: `${id}-error`, class: "error" }));
};

// A field that people do not see and programs fill in.
const honeypot = (t) => h(
  "p", { class: "trap", "aria-hidden": "true" },
  h("label", {}, t("leaveEmpty"), h("input", { name: "website", tabindex: "-1", autocomplete: "off" })),
);

// The values of a form, without those that are empty.
const valuesOf = (form) => {
  const entries = [...new FormData(form)].map(([name, value]) => [name, value.trim()]);
  return Object.fromEntries(entries.filter(([, value]) => value));
};

// Shows errors at their fields, as `describe` words them, and focuses the first one. Returns whether there is one.
const showFieldErrors = (form, errors, describe) => {
  let first;
  for (const input of form.querySelectorAll("input, textarea")) {
    const error = errors.find(({ pointer }) => pointer === `/${input.name}`);
    const place = form.querySelector(`[id="${input.id}-error"]`);
    if (!place) continue;
    place.textContent = error ? describe(error) : "";
    if (error) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
    if (error && !first) first = input;
  }
  if (first) first.focus();
  return Boolean(first);
};
