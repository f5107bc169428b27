//! The outbox as a page: each mail as its reader sees it.

use askama::Template;

use crate::smtp::Mail;

/// The policy of the page: the mails are frames with styles of their own, without scripts.
pub(super) const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; img-src https: data:; frame-src 'self'; base-uri 'none'";

#[derive(Template)]
#[template(path = "outbox.html")]
struct OutboxPage<'a> {
    mails: &'a [Mail],
}

/// The page with these mails, newest first.
pub(super) fn render(mails: &[Mail]) -> askama::Result<String> {
    OutboxPage { mails }.render()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smtp::File;

    #[test]
    fn mail_is_shown_in_a_frame_without_scripts_and_its_texts_are_escaped() {
        let mail = Mail {
            id: "1".to_owned(),
            from: "Salon <crm@example.com>".to_owned(),
            reply_to: None,
            to: vec!["ada@example.com".to_owned()],
            subject: "<b>Reminder</b>".to_owned(),
            text: Some("Hello".to_owned()),
            html: Some("<p title=\"x\">Hello</p>".to_owned()),
            unsubscribe_url: Some("http://localhost:3001/reminders/unsubscribe?token=x".to_owned()),
            attachments: vec![File { name: "appointment.ics".to_owned(), text: "BEGIN:VCALENDAR".to_owned() }],
            received_at: "2026-03-03T09:00:00Z".parse().unwrap(),
        };
        let page = render(&[mail]).unwrap();
        assert!(page.contains("&#60;b&#62;Reminder&#60;/b&#62;") && !page.contains("<b>Reminder"), "{page}");
        assert!(page.contains("sandbox=\"allow-popups allow-popups-to-escape-sandbox\""), "{page}");
        assert!(
            page.contains("srcdoc=\"&#60;base target=&#34;_blank&#34;&#62;&#60;p title=&#34;x&#34;&#62;"),
            "{page}"
        );
        assert!(page.contains("reminders/unsubscribe?token=x") && page.contains("BEGIN:VCALENDAR"), "{page}");
    }

    #[test]
    fn empty_outbox_says_so() {
        assert!(render(&[]).unwrap().contains("No mail yet"));
    }
}
