// The frame of the hosted pages.
class Page extends Element {
  connectedCallback() {
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet(PAGE_STYLE)];
  }
}

// A second inclusion of the script, and a program without elements, define nothing.
const ELEMENTS = { "upzento-booking": Booking, "upzento-lead": Lead, "upzento-manage": Manage, "upzento-page": Page };
if (globalThis.customElements) {
  for (const [name, element] of Object.entries(ELEMENTS)) {
    if (!customElements.get(name)) customElements.define(name, element);
  }
}
