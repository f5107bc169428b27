// The contact form.
class Lead extends Widget {
  async start() {
    this.submission = new SubmissionKey();
    this.config = await this.api.config();
    this.setLanguage(this.config.language);
    this.setBrand(this.config.brand.color);
    this.emit("ready");
    const opensDeal = this.attribute("open-deal") !== "false";
    const fields = [
      ...this.personFields(),
      field(this.t, "company", { autocomplete: "organization", optional: true, maxlength: 200 }),
      opensDeal && field(this.t, "message", { multiline: true, maxlength: 5000 }),
    ];
    this.showForm(heading(this.t("contact")), this.makeForm(fields, this.t("send"), (values) => this.send(values, opensDeal)));
  }

  async send(values, openDeal) {
    const tagIds = (this.attribute("tag-ids") || "").split(/\s+/).filter(Boolean);
    const lead = { ...values, ...this.context(), tagIds, openDeal };
    await this.submit("leads", lead);
    this.form = null;
    this.emit("lead");
    this.show(heading(this.t("thanks")));
  }
}
