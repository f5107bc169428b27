//! Partial contacts, to create a contact with or to merge into one.

use crate::contacts::{Contact, TagId};
use crate::value::{Email, Language, Name, PersonName, Phone, TimeZone, ValidationErrors};

/// Some fields of a contact, to create it with or to merge into it.
///
/// Absent fields and empty names keep their values.
#[derive(Clone, Debug, Default)]
pub struct PartialContact {
    /// Given name.
    pub first_name: PersonName,
    /// Family name.
    pub last_name: PersonName,
    /// Email.
    pub email: Option<Email>,
    /// Phone number.
    pub phone: Option<Phone>,
    /// Employer.
    pub company: Option<Name>,
    /// Position at the employer.
    pub job_title: Option<Name>,
    /// How the client got the contact.
    pub source: Option<Name>,
    /// Time zone.
    pub time_zone: Option<TimeZone>,
    /// Language.
    pub language: Option<Language>,
    /// Tags to add to those of the contact.
    pub tag_ids: Vec<TagId>,
}

impl PartialContact {
    /// Creates a contact.
    ///
    /// # Errors
    /// If there is neither a name nor an email nor a phone number, or there are too many tags.
    pub fn into_new(self) -> Result<Contact, ValidationErrors> {
        let contact = Contact {
            first_name: self.first_name,
            last_name: self.last_name,
            email: self.email,
            phone: self.phone,
            company: self.company,
            job_title: self.job_title,
            source: self.source,
            time_zone: self.time_zone,
            language: self.language,
            reminders_off: false,
            tag_ids: Vec::new(),
        };
        with_tags(contact.identified()?, self.tag_ids)
    }

    /// Merges the fields into a contact.
    ///
    /// # Errors
    /// If the contact would have too many tags.
    pub fn merged_into(self, contact: &Contact) -> Result<Contact, ValidationErrors> {
        let current = contact.clone();
        // An email that differs only in case is no change.
        let new_email = self.email.filter(|email| !current.has_email(email));
        let or = |name: PersonName, current| if name.is_empty() { current } else { name };
        let merged = Contact {
            first_name: or(self.first_name, current.first_name),
            last_name: or(self.last_name, current.last_name),
            email: new_email.or(current.email),
            phone: self.phone.or(current.phone),
            company: self.company.or(current.company),
            job_title: self.job_title.or(current.job_title),
            source: self.source.or(current.source),
            time_zone: self.time_zone.or(current.time_zone),
            language: self.language.or(current.language),
            reminders_off: current.reminders_off,
            tag_ids: current.tag_ids,
        };
        with_tags(merged, self.tag_ids)
    }
}

fn with_tags(mut contact: Contact, more: Vec<TagId>) -> Result<Contact, ValidationErrors> {
    for tag in more {
        if !contact.tag_ids.contains(&tag) {
            contact.tag_ids.push(tag);
        }
    }
    if contact.tag_ids.len() > Contact::MAX_TAGS {
        return Err(ValidationErrors::field("/tagIds", Contact::too_many_tags()));
    }
    Ok(contact)
}

#[cfg(test)]
mod tests {
    use proptest::option;
    use proptest::prelude::*;

    use super::*;

    fn any_name() -> impl Strategy<Value = Option<Name>> {
        option::of("[a-z]{1,3}".prop_map(|name| name.parse().unwrap()))
    }

    prop_compose! {
        fn any_partial()(names in (any_name(), any_name(), any_name(), any_name(), any_name()), email in option::of("[a-z]@[a-z]\\.example")) -> PartialContact {
            let (first_name, last_name, company, job_title, source) = names;
            let [first_name, last_name] = [first_name, last_name].map(|name| name.map(Name::into).unwrap_or_default());
            PartialContact { first_name, last_name, company, job_title, source, email: email.map(|email| email.parse().unwrap()), ..PartialContact::default() }
        }
    }

    fn has_value(contact: &Contact) -> [bool; 6] {
        let [first, last] = [&contact.first_name, &contact.last_name].map(|name| !name.is_empty());
        [
            first,
            last,
            contact.email.is_some(),
            contact.company.is_some(),
            contact.job_title.is_some(),
            contact.source.is_some(),
        ]
    }

    #[test]
    fn contact_requires_a_name_an_email_or_a_phone() {
        assert!(PartialContact { company: "Engines".parse().ok(), ..PartialContact::default() }.into_new().is_err());
        for enough in [
            PartialContact { first_name: "Ada".parse().unwrap(), ..PartialContact::default() },
            PartialContact { last_name: "Lovelace".parse().unwrap(), ..PartialContact::default() },
            PartialContact { email: "ada@example.com".parse().ok(), ..PartialContact::default() },
            PartialContact { phone: "+14155552671".parse().ok(), ..PartialContact::default() },
        ] {
            assert!(enough.into_new().is_ok());
        }
    }

    proptest! {
        #[test]
        fn merge_clears_no_field_and_is_idempotent(first in any_partial(), second in any_partial()) {
            let Ok(contact) = first.into_new() else { return Ok(()) };
            let merged = second.clone().merged_into(&contact).unwrap();
            for (before, after) in has_value(&contact).iter().zip(has_value(&merged)) {
                prop_assert!(!before || after);
            }
            prop_assert_eq!(second.merged_into(&merged).unwrap(), merged);
        }
    }
}
