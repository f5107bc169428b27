// The booking widget: service, staff member, day and time, details, confirmation.
class Booking extends Widget {
  async start() {
    this.submission = new SubmissionKey();
    this.onPageHide = () => this.leave();
    addEventListener("pagehide", this.onPageHide, { signal: this.aborter.signal });
    this.config = await this.api.config();
    this.setLanguage(this.config.language);
    this.setBrand(this.config.brand.color);
    this.emit("ready");
    await this.chooseService();
  }

  leave() {
    if (this.hold) this.api.release(this.hold);
    this.hold = null;
    clearInterval(this.timer);
  }

  chooseService() {
    const { services } = this.config;
    const given = services.find(({ id }) => id === this.attribute("service")) || (services.length === 1 && services[0]);
    if (given) return this.setService(given);
    const choices = services.map((service) => {
      const choose = () => this.run(() => this.setService(service));
      const choice = button(h("span", {}, service.name), choose);
      choice.append(this.facts(service));
      return h("li", {}, choice);
    });
    const none = !services.length && h("p", {}, this.t("noneAhead"));
    this.show(heading(this.t("services")), none, h("ul", { class: "choices" }, choices));
    return null;
  }

  facts({ duration, price, currency }) {
    const texts = [this.t("minutes", { n: duration }), price !== null && this.format.price(price, currency)];
    return h("span", { class: "small" }, texts.filter(Boolean).join(" · "));
  }

  async setService(service) {
    this.service = service;
    this.emit("service", { serviceId: service.id });
    const { items } = await this.api.get("staff", { serviceId: service.id });
    this.people = items;
    const given = items.find(({ id }) => id === this.attribute("staff")) || (items.length === 1 && items[0]);
    if (given) return this.setStaff(given);
    const choice = (person) => {
      const choose = () => this.run(() => this.setStaff(person));
      return h("li", {}, button(person ? person.name : this.t("anyStaff"), choose));
    };
    this.show(heading(this.t("staff")), h("ul", { class: "choices" }, [null, ...items].map(choice)), this.backTo(() => this.chooseService()));
    return null;
  }

  // A staff member, or `null` for any.
  async setStaff(person) {
    this.person = person;
    this.emit("staff", { staffId: person ? person.id : null });
    return this.chooseTime();
  }

  zone() {
    const wanted = this.attribute("time-zone");
    if (wanted === "staff") return (this.person || this.config).timeZone;
    return wanted && isZone(wanted) ? wanted : visitorZone();
  }

  slotQuery() {
    return { serviceId: this.service.id, staffId: this.person && this.person.id };
  }

  async chooseTime(date) {
    this.form = null;
    const load = async (from, to) => (await this.api.get("availability", { ...this.slotQuery(), from, to, held: this.hold })).slots;
    const pick = (slot) => this.take(slot);
    const zoneIsFixed = Boolean(this.attribute("time-zone"));
    this.picker = new Picker({ widget: this, zone: this.zone(), zoneIsFixed, load, pick });
    const canGoBack = this.config.services.length > 1 && !this.attribute("service");
    this.show(heading(this.t("when")), this.picker.element, canGoBack && this.backTo(() => this.chooseService()));
    await this.picker.show(date || this.picker.today);
  }

  // Holds the chosen start, and asks for the details. Without a hold, the booking decides.
  async take(slot) {
    this.chosen = slot;
    this.emit("time", { startTime: slot.start, staffIds: slot.staffIds });
    try {
      this.hold = await this.api.write("POST", "holds", { ...this.slotQuery(), startTime: slot.start });
      this.emit("hold", { holdId: this.hold.id, expiresAt: this.hold.expiresAt });
    } catch (failure) {
      if (failure.code === "slot_unavailable") return this.offerNext();
      if (failure.code !== "too_many_holds") throw failure;
      this.hold = null;
    }
    this.enterDetails();
    return null;
  }

  // The start was taken: shows the day again and offers the next free start.
  async offerNext() {
    const slot = this.chosen;
    this.hold = null;
    const date = dateIn(this.zone(), new Date(slot.start));
    await this.chooseTime(date);
    const later = [...this.picker.days.values()].flat().find(({ start }) => Date.parse(start) > Date.parse(slot.start));
    const next = later || ((await this.picker.findNext(addMonths(monthOf(date), 1))) || {}).slot;
    this.alerts.textContent = this.t("taken");
    if (!next) return;
    const text = this.t("nextFree", { time: this.format.full(this.picker.zone, new Date(next.start)) });
    this.picker.element.prepend(button(text, () => this.run(() => this.take(next)), { class: "primary" }));
  }

  enterDetails() {
    const zone = this.picker.zone;
    const note = h("p", { class: "small" });
    const showNote = () => {
      const isHeld = this.hold && Date.parse(this.hold.expiresAt) > Date.now();
      const text = isHeld ? this.t("held", { time: this.format.time(zone, new Date(this.hold.expiresAt)) }) : this.t("expired");
      if (note.textContent !== text) note.textContent = text;
    };
    clearInterval(this.timer);
    if (this.hold) {
      showNote();
      this.timer = setInterval(showNote, 1000);
    }
    const fields = [...this.personFields(), field(this.t, "notes", { multiline: true, optional: true, maxlength: 2000 })];
    const form = this.makeForm(fields, this.t("book"), (values) => this.book(values));
    const back = this.backTo(() => {
      this.leave();
      return this.chooseTime(dateIn(zone, new Date(this.chosen.start)));
    });
    this.showForm(heading(this.t("details")), this.summary(this.chosen.start, zone), note, form, back);
  }

  summary(start, zone) {
    const person = this.person || this.people.find(({ id }) => this.hold && id === this.hold.staffId);
    const who = person ? ` ${this.t("with", { name: person.name })}` : "";
    const when = `${this.format.full(zone, new Date(start))} (${zone})`;
    return h("p", { class: "summary" }, h("strong", {}, this.service.name), who, h("br"), when);
  }

  async book(values) {
    const booking = {
      ...this.slotQuery(), startTime: this.chosen.start, holdId: this.hold && this.hold.id, ...values, ...this.context(),
    };
    try {
      const booked = await this.submit("appointments", booking);
      clearInterval(this.timer);
      this.hold = null;
      this.form = null;
      this.emit("booked", { appointmentId: booked.id, startTime: booked.startTime, staffId: booked.staffId });
      this.confirm(booked);
    } catch (failure) {
      if (failure.code === "slot_unavailable") return this.offerNext();
      if (failure.errors && failure.errors.some(({ pointer }) => pointer === "/holdId")) {
        this.hold = null;
        return this.book(values);
      }
      throw failure;
    }
    return null;
  }

  confirm(booked) {
    const zone = this.picker.zone;
    const path = `${this.api.root}appointments/${booked.id}/calendar.ics?token=${encodeURIComponent(booked.manageToken)}`;
    const page = `${this.api.root}manage/${booked.id}?token=${encodeURIComponent(booked.manageToken)}&language=${this.language}`;
    const change = button(this.t("change"), () => {
      const manage = h("upzento-manage", {
        "widget-key": this.attribute("widget-key"), "appointment-id": booked.id, token: booked.manageToken,
        language: this.language, "time-zone": zone,
      });
      change.replaceWith(manage);
    });
    const links = h(
      "p", { class: "actions" },
      h("a", { href: path }, this.t("calendarFile")), h("a", { href: page, target: "_blank", rel: "noopener" }, this.t("manageLink")),
    );
    this.person = this.people.find(({ id }) => id === booked.staffId);
    this.show(heading(this.t("booked")), this.summary(booked.startTime, zone), links, change);
    this.say(this.t("booked"));
  }

  backTo(step) {
    return h("p", {}, button(this.t("back"), () => this.run(async () => step())));
  }
}
