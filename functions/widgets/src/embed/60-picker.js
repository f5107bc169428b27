// The maximum number of months that are searched for a free time.
const MAX_MONTHS = 12;

// A calendar with the free times of a service. Keys are those of the date grid of the ARIA Authoring Practices.
class Picker {
  // `load(from, to)` returns the slots, `pick(slot)` is called with the chosen one.
  constructor({ widget, zone, zoneIsFixed, load, pick }) {
    Object.assign(this, { widget, zone, zoneIsFixed, load, pick });
    this.element = h("div", {});
    this.days = new Map();
    this.today = dateIn(zone, new Date());
    this.focused = this.today;
  }

  // Shows the month of a date. `focus` moves the focus to the date.
  async show(date, focus) {
    const { t, format } = this.widget;
    this.focused = date < this.today ? this.today : date;
    this.selected = null;
    if (monthOf(this.focused) !== this.month) {
      this.month = monthOf(this.focused);
      this.element.replaceChildren(h("p", {}, t("loading")));
      this.days = await this.read(this.month);
      this.widget.say(this.days.size ? format.month(this.month) : t("noTimes", { month: format.month(this.month) }));
    }
    this.render();
    if (focus) this.dayButton(this.focused).focus();
  }

  // The slots of a month by their local dates.
  async read(month) {
    const from = Math.max(startOf(this.zone, month).getTime(), Date.now());
    const to = startOf(this.zone, addMonths(month, 1)).getTime();
    const days = new Map();
    if (from >= to) return days;
    const slots = await this.load(new Date(from).toISOString(), new Date(to).toISOString());
    for (const slot of slots) {
      const date = dateIn(this.zone, new Date(slot.start));
      days.set(date, [...(days.get(date) || []), slot]);
    }
    return days;
  }

  // The first free slot from a month on.
  async findNext(month) {
    for (let count = 0; count < MAX_MONTHS; count += 1) {
      const days = await this.read(month);
      const first = [...days.keys()].sort()[0];
      if (first) return { date: first, slot: days.get(first)[0] };
      month = addMonths(month, 1);
    }
    return null;
  }

  async showNext() {
    const { t } = this.widget;
    const found = await this.findNext(addMonths(this.month, 1));
    if (found) await this.show(found.date, true);
    else this.element.append(h("p", { role: "alert" }, t("noneAhead")));
  }

  render() {
    const { t, format } = this.widget;
    const move = (months) => this.widget.run(() => this.show(addMonths(this.month, months)));
    const previous = button("‹", () => move(-1), { "aria-label": t("previousMonth"), "aria-disabled": String(this.month <= this.today) });
    const next = button("›", () => move(1), { "aria-label": t("nextMonth") });
    this.times = h("div", {});
    const find = button(t("findNext"), () => this.widget.run(() => this.showNext()));
    const none = h("p", {}, t("noTimes", { month: format.month(this.month) }), " ", find);
    this.element.replaceChildren(
      h("div", { class: "bar" }, previous, h("strong", { id: "month" }, format.month(this.month)), next),
      this.grid(),
      ...(this.days.size ? [] : [none]),
      this.zoneField(),
      this.times,
    );
  }

  grid() {
    const { language, format } = this.widget;
    const first = addDays(this.month, -weekdayOf(language, this.month));
    const week = (start) => [0, 1, 2, 3, 4, 5, 6].map((day) => addDays(start, day));
    const rows = [];
    for (let start = first; monthOf(start) <= this.month; start = addDays(start, 7)) {
      rows.push(h("tr", {}, week(start).map((date) => h("td", {}, monthOf(date) === this.month && this.day(date)))));
    }
    const head = week(first).map((date) => h("th", { scope: "col", abbr: format.longWeekday(date) }, format.weekday(date)));
    const onkeydown = (event) => this.key(event);
    return h("table", { role: "grid", "aria-labelledby": "month", onkeydown }, h("thead", {}, h("tr", {}, head)), h("tbody", {}, rows));
  }

  day(date) {
    const { t, format } = this.widget;
    const count = (this.days.get(date) || []).length;
    const free = t(["noneFree", "oneFree"][count] || "someFree", { n: count });
    return button(String(Number(date.slice(8))), () => this.choose(date), {
      "data-date": date,
      class: count ? "free" : null,
      tabindex: date === this.focused ? "0" : "-1",
      "aria-label": `${format.day(date)}, ${free}`,
      "aria-disabled": count ? null : "true",
      "aria-pressed": String(date === this.selected),
    });
  }

  dayButton(date) {
    return this.element.querySelector(`[data-date="${date}"]`);
  }

  key(event) {
    const weekday = weekdayOf(this.widget.language, this.focused);
    const targets = {
      ArrowLeft: () => addDays(this.focused, -1),
      ArrowRight: () => addDays(this.focused, 1),
      ArrowUp: () => addDays(this.focused, -7),
      ArrowDown: () => addDays(this.focused, 7),
      Home: () => addDays(this.focused, -weekday),
      End: () => addDays(this.focused, 6 - weekday),
      PageUp: () => addMonths(this.focused, event.shiftKey ? -12 : -1),
      PageDown: () => addMonths(this.focused, event.shiftKey ? 12 : 1),
    };
    const target = targets[event.key];
    if (!target) return;
    event.preventDefault();
    this.widget.run(() => this.show(target(), true));
  }

  // Shows the times of a day and moves the focus to them.
  choose(date) {
    const { t, format } = this.widget;
    if (!this.days.has(date)) return;
    for (const old of this.element.querySelectorAll("[data-date]")) {
      const isChosen = old.dataset.date === date;
      old.setAttribute("aria-pressed", String(isChosen));
      old.setAttribute("tabindex", isChosen ? "0" : "-1");
    }
    this.selected = date;
    this.focused = date;
    const title = h("h3", { tabindex: "-1" }, t("timesOn", { day: format.day(date) }));
    const items = this.days.get(date).map((slot) => {
      const pick = () => this.widget.run(() => this.pick(slot));
      return h("li", {}, button(format.time(this.zone, new Date(slot.start)), pick, { "data-start": slot.start }));
    });
    const back = button(t("toCalendar"), () => this.dayButton(date).focus());
    this.times.replaceChildren(title, h("ul", { class: "times" }, items), back);
    title.focus();
    this.widget.emit("day", { date, timeZone: this.zone });
  }

  zoneField() {
    const { t } = this.widget;
    if (this.zoneIsFixed || !Intl.supportedValuesOf) return h("p", { class: "small" }, t("inZone", { zone: this.zone }));
    const zones = Intl.supportedValuesOf("timeZone");
    const all = zones.includes(this.zone) ? zones : [this.zone, ...zones];
    const options = all.map((zone) => h("option", { value: zone, selected: zone === this.zone }, zone.replace(/_/g, " ")));
    const onchange = (event) => {
      this.zone = event.target.value;
      this.today = dateIn(this.zone, new Date());
      this.month = null;
      this.widget.run(() => this.show(this.focused));
    };
    return h("p", { class: "field small" }, h("label", { for: "zone" }, t("zone")), h("select", { id: "zone", onchange }, options));
  }
}
