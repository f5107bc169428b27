"use strict";
// Logs the events of the widgets, which bubble up to the document.
const names = ["ready", "service", "staff", "day", "time", "hold", "booked", "moved", "cancelled", "confirmed", "lead", "error"];
for (const name of names) {
  document.addEventListener(`upzento:${name}`, (event) => {
    const item = document.createElement("li");
    item.textContent = `${event.target.localName} ${event.type} ${JSON.stringify(event.detail)}`;
    document.getElementById("events").append(item);
  });
}
