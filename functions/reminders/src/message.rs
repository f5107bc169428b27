//! Composes a mail: subject, text, HTML, links and the calendar file.

use askama::Template;
use shared::appointments::{Appointment, AppointmentStatus, CalendarFile, calendar_event};
use shared::identity::ClientScope;
use shared::mailer::{Attachment, EmailMessage, mail_address};
use shared::reminders::{Occasion, Recipient, Reminder, opt_out_token};
use shared::table::Key;
use shared::tenants::{ClientRecord, WidgetsUrl};
use shared::value::{Color, Email};
use shared::web::{App, Problem, Result};
use shared::widgets::manage_token;

use crate::facts::{Facts, People};
use crate::wording::MailLanguage;

/// What a mail needs beside its facts.
pub(crate) struct Setting<'a> {
    pub(crate) app: &'a App,
    pub(crate) scope: ClientScope,
    /// The base of the links.
    pub(crate) widgets_url: &'a WidgetsUrl,
}

/// The variables of the templates, which have one file for each language and part.
#[derive(Clone, Debug)]
struct Content {
    occasion: Occasion,
    is_for_staff: bool,
    /// The name of the client.
    brand: String,
    /// The color of the client's brand.
    color: String,
    service: String,
    staff: String,
    /// The name of the contact, for a mail to the staff member.
    contact: Option<String>,
    /// The time in words, with its zone.
    time: String,
    /// The page of the appointment, for a mail to the contact; it opens the step that is appended.
    page: Option<String>,
    /// Whether the appointment can be confirmed.
    can_confirm: bool,
    /// The link that stops reminders.
    unsubscribe_url: Option<String>,
}

#[derive(Template)]
enum Text {
    #[template(path = "en.txt")]
    English { c: Content },
    #[template(path = "de.txt")]
    German { c: Content },
}

#[derive(Template)]
enum Html {
    #[template(path = "en.html")]
    English { c: Content, subject: String },
    #[template(path = "de.html")]
    German { c: Content, subject: String },
}

impl Text {
    const fn new(language: MailLanguage, c: Content) -> Self {
        match language {
            MailLanguage::English => Self::English { c },
            MailLanguage::German => Self::German { c },
        }
    }
}

impl Html {
    const fn new(language: MailLanguage, c: Content, subject: String) -> Self {
        match language {
            MailLanguage::English => Self::English { c, subject },
            MailLanguage::German => Self::German { c, subject },
        }
    }
}

/// The color of a client without one.
const DEFAULT_COLOR: &str = "#1d4ed8";

/// Composes a mail; `None` if no server takes mail for the address.
pub(crate) fn compose(
    setting: &Setting<'_>,
    (key, facts): (&Key<Reminder>, &Facts),
    appointment: &Appointment,
    people: &People,
    to: &Email,
) -> Result<Option<EmailMessage>> {
    let Some(to) = mail_address(to) else { return Ok(None) };
    let client = facts.client.as_ref().ok_or_else(|| Problem::internal("a mail of a client that does not exist"))?;
    let language = language(client, people, facts.mail.recipient);
    let content = describe(setting, facts, client, (appointment, people), language)?;
    let subject = subject(language, &content);
    let text = Text::new(language, content.clone()).render();
    let html = Html::new(language, content.clone(), subject.clone()).render();
    let reply_to = client.fields.brand.as_ref().and_then(|brand| brand.reply_to.as_ref());
    Ok(Some(EmailMessage {
        id: message_id(key, &facts.mail),
        from_name: Some(content.brand.clone()),
        to,
        reply_to: reply_to.and_then(mail_address),
        subject,
        text: text.map_err(Problem::internal)?,
        html: html.map_err(Problem::internal)?,
        unsubscribe_url: content.unsubscribe_url.clone(),
        attachment: Some(calendar_file(appointment, &content)),
    }))
}

/// The id of the message: equal for all attempts, another one after a move.
fn message_id(key: &Key<Reminder>, mail: &Reminder) -> String {
    format!("{}-{}", key.sort_key().replace('#', "-").to_lowercase(), mail.start.unix_seconds())
}

/// The contact's language, or else that of the client.
fn language(client: &ClientRecord, people: &People, recipient: Recipient) -> MailLanguage {
    let contact = people.contact.as_ref().filter(|_| recipient == Recipient::Contact);
    let of_contact = contact.and_then(|row| row.contact.fields.language.as_ref());
    MailLanguage::of(of_contact.unwrap_or(&client.fields.language))
}

fn describe(
    setting: &Setting<'_>,
    facts: &Facts,
    client: &ClientRecord,
    (appointment, people): (&Appointment, &People),
    language: MailLanguage,
) -> Result<Content> {
    let Reminder { occasion, recipient, .. } = facts.mail;
    let is_for_staff = recipient == Recipient::Staff;
    let contact = people.contact.as_ref().map(|row| &row.contact);
    let zone = if is_for_staff {
        people.staff.staff.fields.time_zone
    } else {
        contact.and_then(|contact| contact.fields.time_zone).unwrap_or(client.fields.time_zone)
    };
    let url = setting.widgets_url;
    let unsubscribes = !is_for_staff && occasion == Occasion::Reminder;
    let unsubscribe_url = contact.filter(|_| unsubscribes).map(|contact| {
        let token = opt_out_token(setting.app, setting.scope, contact.id)?;
        Ok::<_, Problem>(format!("{url}/reminders/unsubscribe?token={token}"))
    });
    let color = client.fields.brand.as_ref().and_then(|brand| brand.color.as_ref());
    Ok(Content {
        occasion,
        is_for_staff,
        brand: client.fields.display_name(),
        color: color.map_or(DEFAULT_COLOR, Color::as_str).to_owned(),
        service: people.service.fields.name.to_string(),
        staff: people.staff.staff.fields.name.to_string(),
        contact: contact.filter(|_| is_for_staff).map(|contact| contact.fields.display_name()),
        time: language.time(appointment.start_time, zone),
        page: if is_for_staff { None } else { page(setting, facts, appointment, language)? },
        can_confirm: appointment.status == AppointmentStatus::Scheduled,
        unsubscribe_url: unsubscribe_url.transpose()?,
    })
}

/// The page on which the contact confirms, moves or cancels an open appointment.
fn page(
    setting: &Setting<'_>,
    facts: &Facts,
    appointment: &Appointment,
    language: MailLanguage,
) -> Result<Option<String>> {
    let Some(widget) = facts.widget.as_ref().filter(|_| appointment.status.is_open()) else { return Ok(None) };
    let Some(token) = manage_token(setting.app, setting.scope, appointment)? else { return Ok(None) };
    let (url, key, id, language) = (setting.widgets_url, &widget.key, appointment.id, language.tag());
    Ok(Some(format!("{url}/widgets/{key}/manage/{id}?token={token}&language={language}")))
}

fn subject(language: MailLanguage, content: &Content) -> String {
    let Content { service, brand, .. } = content;
    let about = match (language, content.occasion) {
        (MailLanguage::English, Occasion::Reminder) => "Reminder",
        (MailLanguage::English, Occasion::Confirmation) => "Appointment booked",
        (MailLanguage::English, Occasion::Moved) => "Appointment moved",
        (MailLanguage::English, Occasion::Cancelled) => "Appointment cancelled",
        (MailLanguage::German, Occasion::Reminder) => "Erinnerung",
        (MailLanguage::German, Occasion::Confirmation) => "Termin gebucht",
        (MailLanguage::German, Occasion::Moved) => "Termin verschoben",
        (MailLanguage::German, Occasion::Cancelled) => "Termin abgesagt",
    };
    format!("{about}: {service} – {brand}")
}

/// The appointment as a calendar file, which updates the event of an earlier one.
fn calendar_file(appointment: &Appointment, content: &Content) -> Attachment {
    let summary = if content.is_for_staff {
        [Some(content.service.clone()), content.contact.clone()].into_iter().flatten().collect::<Vec<_>>().join(" – ")
    } else {
        format!("{} – {}", content.service, content.brand)
    };
    let mut file = CalendarFile::new();
    file.push(calendar_event(appointment, &summary, appointment.meta.updated_at));
    Attachment { name: "appointment.ics", media_type: "text/calendar; charset=utf-8", content: file.to_text() }
}

#[cfg(test)]
mod tests {
    use expect_test::{ExpectFile, expect_file};

    use super::*;

    fn content(occasion: Occasion, is_for_staff: bool) -> Content {
        let page = "https://widgets.example.com/widgets/wk_0/manage/0195?token=t&language=en".to_owned();
        let is_open = occasion != Occasion::Cancelled;
        let is_reminder = occasion == Occasion::Reminder;
        let unsubscribe_url = "https://widgets.example.com/reminders/unsubscribe?token=t".to_owned();
        Content {
            occasion,
            is_for_staff,
            brand: "Salon <Ada> & Co".to_owned(),
            color: DEFAULT_COLOR.to_owned(),
            service: "Haircut".to_owned(),
            staff: "Ann".to_owned(),
            contact: is_for_staff.then(|| "Zoë Adams".to_owned()),
            time: "Monday, 2 March 2026, 10:30 (Europe/Berlin)".to_owned(),
            page: Some(page).filter(|_| is_open && !is_for_staff),
            can_confirm: is_open,
            unsubscribe_url: Some(unsubscribe_url).filter(|_| is_reminder && !is_for_staff),
        }
    }

    const OCCASIONS: [Occasion; 4] = [Occasion::Reminder, Occasion::Confirmation, Occasion::Moved, Occasion::Cancelled];

    /// All texts of a language, one after the other.
    fn texts(language: MailLanguage) -> String {
        let contents = OCCASIONS.into_iter().flat_map(|occasion| [content(occasion, false), content(occasion, true)]);
        let texts = contents.map(|content| {
            let subject = subject(language, &content);
            format!("=== {subject}\n{}\n", Text::new(language, content).render().unwrap())
        });
        texts.collect()
    }

    /// Compares with a snapshot. `UPDATE_EXPECT=1` writes the snapshot.
    fn assert_snapshot(text: &str, snapshot: &ExpectFile) {
        snapshot.assert_eq(text);
    }

    #[test]
    fn english_texts_match_the_snapshot() {
        assert_snapshot(&texts(MailLanguage::English), &expect_file!["../snapshots/en.txt"]);
    }

    #[test]
    fn german_texts_match_the_snapshot() {
        assert_snapshot(&texts(MailLanguage::German), &expect_file!["../snapshots/de.txt"]);
    }

    #[test]
    fn html_matches_the_snapshot_and_escapes_names() {
        let content = content(Occasion::Reminder, false);
        let subject = subject(MailLanguage::English, &content);
        let html = Html::new(MailLanguage::English, content, subject).render().unwrap();
        assert!(html.contains("Salon &#60;Ada&#62; &#38; Co") && !html.contains("<Ada>"), "{html}");
        assert_snapshot(&html, &expect_file!["../snapshots/reminder.html"]);
    }

    #[test]
    fn html_of_both_languages_has_the_same_links() {
        for occasion in OCCASIONS {
            let links = |language| {
                let html = Html::new(language, content(occasion, false), "s".to_owned()).render().unwrap();
                html.matches("href=").count()
            };
            let english = links(MailLanguage::English);
            assert_eq!(links(MailLanguage::German), english, "{occasion:?}");
            assert_eq!(
                english,
                match occasion {
                    Occasion::Reminder => 4,
                    Occasion::Confirmation | Occasion::Moved => 3,
                    Occasion::Cancelled => 0,
                }
            );
        }
    }
}
