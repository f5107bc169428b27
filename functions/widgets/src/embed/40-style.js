// The style of all widgets. Pages set the custom properties to change it.
const STYLE = [
  ":host{display:block;font:16px/1.5 var(--upzento-font,system-ui,sans-serif);color:var(--upzento-text,#1f2933);",
  "--c:var(--upzento-color,var(--brand,#1d4ed8));--o:var(--upzento-on-color,var(--on-brand,#fff));",
  "--r:var(--upzento-radius,8px);--l:#8292a2}",
  "*{box-sizing:border-box}",
  ".w{max-width:34rem}",
  "h2{font-size:1.25rem;line-height:1.3;margin:0 0 .75rem}h2:focus{outline:none}",
  "p{margin:0 0 .75rem}ul{list-style:none;margin:0 0 .75rem;padding:0}",
  "button,input,textarea,select{font:inherit;color:inherit;border:1px solid var(--l);border-radius:var(--r);background:#fff}",
  "button{padding:.55rem 1rem;cursor:pointer;min-height:44px}",
  "button[aria-disabled=true]{opacity:.6;cursor:default}",
  ":focus-visible{outline:3px solid var(--c);outline-offset:2px}",
  ".primary{background:var(--c);color:var(--o);border-color:var(--c);font-weight:600}",
  ".danger{background:#b42318;color:#fff;border-color:#b42318}",
  ".choices button{display:flex;justify-content:space-between;gap:1rem;width:100%;text-align:left;margin-bottom:.5rem}",
  ".times{display:grid;grid-template-columns:repeat(auto-fill,minmax(5.5rem,1fr));gap:.5rem}.times button{width:100%;padding:.5rem}",
  ".bar{display:flex;align-items:center;justify-content:space-between;gap:.5rem;margin-bottom:.5rem}.bar strong{text-align:center}",
  ".actions{display:flex;flex-wrap:wrap;gap:.5rem;margin:.75rem 0}.actions a{padding:.6rem 0;margin-right:.5rem}a{color:inherit}",
  "table{width:100%;border-collapse:collapse;table-layout:fixed;margin-bottom:.75rem}th{font-size:.8rem;font-weight:600;padding:.25rem 0}",
  "td{padding:1px;text-align:center}",
  "td button{width:100%;min-height:40px;padding:0;border-color:transparent;background:none;color:#5b6875}",
  "td button.free{border-color:var(--c);color:inherit;font-weight:600}",
  "td button[aria-pressed=true]{background:var(--c);color:var(--o)}",
  ".field label{display:block;font-weight:600}.field input,.field textarea,select{width:100%;padding:.5rem .6rem;min-height:44px}",
  ".field textarea{min-height:5rem}",
  "[aria-invalid]{border-color:#b42318;border-width:2px}.error,.alert{color:#b42318}.error:empty,.alert:empty{display:none}",
  ".small{font-size:.875rem}.summary{border-left:4px solid var(--c);padding-left:.75rem}",
  ".sr,.trap{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}",
  "@media(forced-colors:active){td button.free{border-color:ButtonText}}",
].join("");

// The style of the hosted pages.
const PAGE_STYLE =
  "body{margin:0;background:#f5f7fa}main{max-width:38rem;margin:0 auto;padding:1.5rem 1rem;background:#fff;min-height:100vh;box-sizing:border-box}";

// A constructed style sheet: policies without a style source allow it.
const sheet = (text) => {
  const made = new CSSStyleSheet();
  made.replaceSync(text);
  return made;
};

// Black or white, whichever has the higher contrast on a color such as `#2f855a` (WCAG 2.2, relative luminance).
const readableOn = (color) => {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const part = parseInt(color.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#000" : "#fff";
};

const brandStyle = (color) => (color ? `:host{--brand:${color};--on-brand:${readableOn(color)}}` : "");
