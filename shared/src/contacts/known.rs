use crate::entity::{Contact, TagId};
use crate::value::{Email, InvalidValue, Name, Phone, ValidationErrors};

/// What somebody knows of a contact who may be there already. What they do not know blanks no field.
#[derive(Clone, Debug, Default)]
pub struct PartialContact {
    /// Given name.
    pub first_name: Option<Name>,
    /// Family name.
    pub last_name: Option<Name>,
    /// Email.
    pub email: Option<Email>,
    /// Telephone number.
    pub phone: Option<Phone>,
    /// Whom the person works for.
    pub company: Option<Name>,
    /// What the person does there.
    pub job_title: Option<Name>,
    /// Where the contact came from.
    pub source: Option<Name>,
    /// Tags that the contact is to have beside those that it has.
    pub tag_ids: Vec<TagId>,
}

impl PartialContact {
    /// A new contact of it. A contact has two names: at fault without.
    pub fn into_new(self) -> Result<Contact, ValidationErrors> {
        let Self { first_name, last_name, email, phone, company, job_title, source, tag_ids } = self;
        let missing = |pointer: &str| {
            ValidationErrors::field(pointer, InvalidValue::new("required", "is required of a new contact"))
        };
        let (first_name, last_name) = match (first_name, last_name) {
            (Some(first_name), Some(last_name)) => (first_name, last_name),
            (None, Some(_)) => return Err(missing("/firstName")),
            (Some(_), None) => return Err(missing("/lastName")),
            (None, None) => return Err(missing("/firstName").and(missing("/lastName"))),
        };
        let contact = Contact { first_name, last_name, email, phone, company, job_title, source, tag_ids: Vec::new() };
        with_tags(contact, tag_ids)
    }

    /// A contact that is there, with it.
    pub fn merged_into(self, contact: &Contact) -> Result<Contact, ValidationErrors> {
        let is = contact.clone();
        // Another spelling of the same email is no news.
        let news = self.email.filter(|email| is.email.as_ref().is_none_or(|own| own.folded() != email.folded()));
        let merged = Contact {
            first_name: self.first_name.unwrap_or(is.first_name),
            last_name: self.last_name.unwrap_or(is.last_name),
            email: news.or(is.email),
            phone: self.phone.or(is.phone),
            company: self.company.or(is.company),
            job_title: self.job_title.or(is.job_title),
            source: self.source.or(is.source),
            tag_ids: is.tag_ids,
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
        fn any_known()(names in (any_name(), any_name(), any_name(), any_name(), any_name()), email in option::of("[a-z]@[a-z]\\.example")) -> PartialContact {
            let (first_name, last_name, company, job_title, source) = names;
            PartialContact { first_name, last_name, company, job_title, source, email: email.map(|email| email.parse().unwrap()), ..PartialContact::default() }
        }
    }

    fn set(contact: &Contact) -> [bool; 4] {
        [contact.email.is_some(), contact.company.is_some(), contact.job_title.is_some(), contact.source.is_some()]
    }

    proptest! {
        #[test]
        fn merging_blanks_nothing_and_merging_again_changes_nothing(first in any_known(), then in any_known()) {
            let Ok(contact) = first.into_new() else { return Ok(()) };
            let merged = then.clone().merged_into(&contact).unwrap();
            for (had, has) in set(&contact).iter().zip(set(&merged)) {
                prop_assert!(!had || has);
            }
            prop_assert_eq!(then.merged_into(&merged).unwrap(), merged);
        }
    }
}
