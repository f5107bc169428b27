// Confirms, moves or cancels one appointment with the token of its link.
class Manage extends Widget {
  async start() {
    this.path = `appointments/${encodeURIComponent(this.attribute("appointment-id"))}`;
    this.query = { token: this.attribute("token") };
    await this.refresh();
    const steps = { move: () => this.choose(), cancel: () => this.askToCancel() };
    const step = this.isOpen && steps[this.attribute("action")];
    if (step) await step();
  }

  async refresh(message) {
    this.appointment = await this.api.get(this.path, this.query);
    this.render(message);
  }

  zone() {
    const wanted = this.attribute("time-zone");
    return wanted && isZone(wanted) ? wanted : visitorZone();
  }

  render(message) {
    const { appointment, t } = this;
    const { status, serviceName, staffName, startTime } = appointment;
    this.isOpen = ["SCHEDULED", "CONFIRMED"].includes(status) && Date.parse(startTime) > Date.now();
    const zone = this.zone();
    const when = `${this.format.full(zone, new Date(startTime))} (${zone})`;
    const file = `${this.api.root}${this.path}/calendar.ics?token=${encodeURIComponent(this.query.token)}`;
    const actions = [
      status === "SCHEDULED" && button(t("confirm"), () => this.run(() => this.confirm()), { class: "primary" }),
      button(t("move"), () => this.run(() => this.choose())),
      button(t("cancel"), () => this.askToCancel()),
      h("a", { href: file }, t("calendarFile")),
    ];
    this.show(
      heading(t("yourAppointment")),
      h("p", { class: "summary" }, h("strong", {}, serviceName), ` ${t("with", { name: staffName })}`, h("br"), when, h("br"), h("span", {}, t(`status${status}`))),
      this.isOpen && h("div", { class: "actions" }, actions),
    );
    if (message) this.say(t(message));
  }

  send(method, action, body) {
    return this.api.send(method, this.path + action, { query: this.query, body });
  }

  async confirm() {
    await this.send("POST", "/confirm");
    this.emit("confirmed", { appointmentId: this.appointment.id });
    await this.refresh("confirmed");
  }

  askToCancel() {
    const { t } = this;
    const yes = button(t("yesCancel"), () => this.run(() => this.cancel()), { class: "danger" });
    const no = button(t("keep"), () => this.render());
    this.show(heading(t("reallyCancel")), h("div", { class: "actions" }, yes, no));
  }

  async cancel() {
    await this.send("DELETE", "").catch((failure) => {
      // It was cancelled already, perhaps by a request whose response was lost.
      if (failure.code !== "not_found") throw failure;
    });
    this.emit("cancelled", { appointmentId: this.appointment.id });
    await this.refresh("cancelled");
  }

  async choose(date) {
    const { id, serviceId, staffId } = this.appointment;
    const load = async (from, to) =>
      (await this.api.get("availability", { serviceId, staffId, from, to, rescheduling: id, ...this.query })).slots;
    const pick = (slot) => this.move(slot);
    this.picker = new Picker({ widget: this, zone: this.zone(), zoneIsFixed: Boolean(this.attribute("time-zone")), load, pick });
    this.show(heading(this.t("when")), this.picker.element, h("p", {}, button(this.t("back"), () => this.render())));
    await this.picker.show(date || dateIn(this.picker.zone, new Date(this.appointment.startTime)));
  }

  async move(slot) {
    try {
      await this.send("POST", "/reschedule", { startTime: slot.start });
    } catch (failure) {
      if (failure.code !== "slot_unavailable") throw failure;
      await this.choose(dateIn(this.picker.zone, new Date(slot.start)));
      this.alerts.textContent = this.t("taken");
      return;
    }
    this.emit("moved", { appointmentId: this.appointment.id, startTime: slot.start });
    await this.refresh("moved");
  }
}
