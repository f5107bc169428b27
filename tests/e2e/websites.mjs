// The websites of clients: pages with widgets, under any host name.
import { createServer } from "node:http";

const escape = (text) => text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);

// A page with the HTML in `body`. `policy=strict` allows the script and the calls of the widgets only.
const page = (widgetsUrl, query) => {
  const script = `<script src="${escape(widgetsUrl)}/widgets/embed.js?ver=6.4.1" async></script>`;
  const scripts = script.repeat(Number(query.get("scripts") || 1));
  const body = query.get("body") || "";
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Website</title>${scripts}</head><body><main>${body}</main></body></html>`;
};

const policyOf = (widgetsUrl, query) => {
  if (query.get("policy") !== "strict") return {};
  return { "content-security-policy": `default-src 'none'; script-src ${widgetsUrl}; connect-src ${widgetsUrl}` };
};

// Serves the websites on a port until they are closed.
export const startWebsites = async (port, widgetsUrl) => {
  const server = createServer((request, response) => {
    const query = new URL(request.url, "http://website.example").searchParams;
    const headers = { "content-type": "text/html; charset=utf-8", ...policyOf(widgetsUrl, query) };
    response.writeHead(200, headers).end(page(widgetsUrl, query));
  });
  await new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));
  return server;
};
