//! Names of columns in the files of common products, in English and German.
//!
//! Names are compared by their letters and digits: `E-mail 1 - Value` is `email1value`.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::header::Column;

/// How well a name fits its column: the lower, the better.
///
/// If several columns of a file are the same field, a row has the value of the first one that is not empty.
pub(super) type Rank = u16;

/// The rank of names that often have another meaning. Such a column is only used if no other one is the field.
pub(super) const WEAK: Rank = 1000;

/// Names besides the name of the field, the most specific ones first.
const ALIASES: [(Column, &[&str]); 8] = [
    (Column::FirstName, &["givenname", "forename", "personfirstname", "contactfirstname", "vorname", "rufname"]),
    (
        Column::LastName,
        &["familyname", "surname", "personlastname", "contactlastname", "nachname", "familienname", "zuname"],
    ),
    (
        Column::Name,
        &[
            "fullname",
            "contactname",
            "displayname",
            "personname",
            "personfullname",
            "vollst\u{e4}ndigername",
            "anzeigename",
            "kontaktname",
            "kontakt",
        ],
    ),
    (
        Column::Email,
        &[
            "emailaddress",
            "emailadresse",
            "mail",
            "mailadresse",
            "primaryemail",
            "email1value",
            "email1address",
            "email1",
            "personemail",
            "personemailwork",
            "contactemail",
            "emailwork",
            "workemail",
            "businessemail",
            "emailgesch\u{e4}ftlich",
            "emailhome",
            "homeemail",
            "personemailhome",
            "personalemail",
            "emailprivat",
            "personemailother",
            "otheremail",
            "email2",
            "email2value",
            "email2address",
            "emailadresse2",
            "email3",
            "email3value",
            "email3address",
            "emailadresse3",
            "secondaryemail",
            "additionalemailaddresses",
        ],
    ),
    (
        Column::Phone,
        &[
            "phonenumber",
            "primaryphone",
            "phone1value",
            "phone1",
            "telephone",
            "telephonenumber",
            "tel",
            "telefon",
            "telefonnummer",
            "rufnummer",
            "personphone",
            "contactphone",
            "mobile",
            "mobilephone",
            "mobilephonenumber",
            "mobilenumber",
            "cell",
            "cellphone",
            "cellphonenumber",
            "handy",
            "handynummer",
            "mobil",
            "mobiltelefon",
            "mobilnummer",
            "mobiltelefonnummer",
            "personphonemobile",
            "phonemobile",
            "personphonework",
            "phonework",
            "workphone",
            "businessphone",
            "officephone",
            "telefongesch\u{e4}ftlich",
            "telefonb\u{fc}ro",
            "personphonehome",
            "phonehome",
            "homephone",
            "telefonprivat",
            "personphoneother",
            "otherphone",
            "weiterestelefon",
            "phone2",
            "phone2value",
            "businessphone2",
            "telefongesch\u{e4}ftlich2",
            "homephone2",
            "telefonprivat2",
            "phone3",
            "phone3value",
        ],
    ),
    (
        Column::Company,
        &[
            "companyname",
            "organization",
            "organisation",
            "organizationname",
            "organization1name",
            "associatedcompany",
            "primaryassociatedcompany",
            "account",
            "accountname",
            "personorganization",
            "employer",
            "firma",
            "firmenname",
            "unternehmen",
            "unternehmensname",
            "arbeitgeber",
        ],
    ),
    (
        Column::JobTitle,
        &[
            "organizationtitle",
            "organization1title",
            "personjobtitle",
            "jobposition",
            "position",
            "berufsbezeichnung",
            "funktion",
            "stellenbezeichnung",
        ],
    ),
    (Column::Source, &["leadsource", "originalsource", "quelle", "leadquelle", "herkunft"]),
];

/// Names of tags; products without tags have categories.
const TAGS: &[&str] = &["tag", "personlabels", "categories", "kategorien", "schlagw\u{f6}rter", "schlagworte"];

/// Names that often have another meaning: `Title` is a salutation in Outlook.
const WEAK_ALIASES: [(&str, Column); 1] = [("title", Column::JobTitle)];

static BY_NAME: LazyLock<HashMap<String, (Column, Rank)>> = LazyLock::new(|| {
    let aliases = ALIASES.into_iter().chain([(Column::Tags, TAGS)]);
    let aliases = aliases.flat_map(|(column, names)| {
        (1..).zip(names.iter()).map(move |(rank, name)| ((*name).to_owned(), (column, rank)))
    });
    let weak = WEAK_ALIASES.map(|(name, column)| (name.to_owned(), (column, WEAK)));
    let fields = Column::ALL.into_iter().map(|column| (column.name().to_lowercase(), (column, 0)));
    weak.into_iter().chain(aliases).chain(fields).collect()
});

/// The column with a name in any spelling: `First Name`, `first_name` and `firstName` are equal.
pub(super) fn column(name: &str) -> Option<(Column, Rank)> {
    BY_NAME.get(&letters(name)).copied()
}

/// The letters and digits of a name, in lower case.
pub(super) fn letters(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_common_products_are_known() {
        for (name, expected) in [
            ("First Name", Column::FirstName),
            ("last_name", Column::LastName),
            ("E-mail 1 - Value", Column::Email),
            ("Phone 1 - Value", Column::Phone),
            ("Organization Name", Column::Company),
            ("Organization Title", Column::JobTitle),
            ("Given Name", Column::FirstName),
            ("Family Name", Column::LastName),
            ("Phone Number", Column::Phone),
            ("Associated Company", Column::Company),
            ("E-mail Address", Column::Email),
            ("Business Phone", Column::Phone),
            ("Account Name", Column::Company),
            ("Lead Source", Column::Source),
            ("Email Address", Column::Email),
            ("TAGS", Column::Tags),
            ("Person - Name", Column::Name),
            ("Person - Email - Work", Column::Email),
            ("Person - Phone - Mobile", Column::Phone),
            ("Person - Organization", Column::Company),
            ("Organization - Name", Column::Company),
            ("Vorname", Column::FirstName),
            ("Nachname", Column::LastName),
            ("E-Mail-Adresse", Column::Email),
            ("Telefon gesch\u{e4}ftlich", Column::Phone),
            ("Mobiltelefon", Column::Phone),
            ("Firma", Column::Company),
            ("Position", Column::JobTitle),
            ("Kategorien", Column::Tags),
        ] {
            assert_eq!(column(name).map(|(column, _)| column), Some(expected), "{name}");
        }
        for unknown in ["", "E-mail 1 - Label", "Notes", "Record ID", "shoe size", "Lead Status"] {
            assert_eq!(column(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn aliases_are_distinct_and_normalized() {
        let names: Vec<_> = ALIASES.iter().flat_map(|(_, names)| names.iter()).chain(TAGS).collect();
        for name in &names {
            assert_eq!(letters(name), **name);
        }
        assert_eq!(BY_NAME.len(), names.len() + WEAK_ALIASES.len() + Column::ALL.len());
    }
}
