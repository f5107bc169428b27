//! Conditions on items and updates of items, as DynamoDB expressions.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;

use super::entity::{DOCUMENT, Entity, Layout, stored_name};
use super::error::StoreError;
use crate::value::{Id, Instant};

/// A value that an expression compares with or writes.
#[derive(Clone, Debug, PartialEq)]
pub struct Operand(AttributeValue);

impl Operand {
    /// The serialized form of a value, such as the name of an enum's variant.
    pub fn serialize(value: &impl Serialize) -> Result<Self, StoreError> {
        serde_dynamo::aws_sdk_dynamodb_1::to_attribute_value(value).map(Self).map_err(StoreError::internal)
    }

    /// The value as an attribute of an item.
    pub(super) fn into_attribute(self) -> AttributeValue {
        self.0
    }

    /// A set with one text.
    pub fn set_of(text: &impl ToString) -> Self {
        Self(AttributeValue::Ss(vec![text.to_string()]))
    }
}

macro_rules! numbers {
    ($($type:ty),*) => {$(
        impl From<$type> for Operand {
            fn from(number: $type) -> Self {
                Self(AttributeValue::N(number.to_string()))
            }
        }
    )*};
}

numbers!(i8, i64, u64, usize);

impl From<&str> for Operand {
    fn from(text: &str) -> Self {
        Self(AttributeValue::S(text.to_owned()))
    }
}

impl From<String> for Operand {
    fn from(text: String) -> Self {
        Self(AttributeValue::S(text))
    }
}

impl From<Instant> for Operand {
    fn from(instant: Instant) -> Self {
        instant.to_string().into()
    }
}

impl<T> From<Id<T>> for Operand {
    fn from(id: Id<T>) -> Self {
        id.to_string().into()
    }
}

/// A condition on the stored item of a part of a transaction.
#[derive(Clone, Debug)]
pub enum Condition {
    /// No condition.
    Always,
    /// The item exists.
    Exists,
    /// The item does not exist.
    NotExists,
    /// A comparison of a field, an operator and a value.
    Compare(&'static str, &'static str, Operand),
    /// The item does not exist, or has no such field.
    Absent(&'static str),
    /// A set has an element.
    Contains(&'static str, Operand),
    /// A set does not have an element, or does not exist.
    Lacks(&'static str, Operand),
    /// Both conditions hold. See [`Condition::and`].
    And(Box<Condition>, Box<Condition>),
    /// At least one of the conditions holds. See [`Condition::or`].
    Or(Box<Condition>, Box<Condition>),
}

impl Condition {
    /// The entity has this version.
    pub fn version(version: u64) -> Self {
        Self::equal("version", version)
    }

    /// `field = value`.
    pub fn equal(field: &'static str, value: impl Into<Operand>) -> Self {
        Self::Compare(field, "=", value.into())
    }

    /// `field <> value`.
    pub fn not_equal(field: &'static str, value: impl Into<Operand>) -> Self {
        Self::Compare(field, "<>", value.into())
    }

    /// `field < value`.
    pub fn less(field: &'static str, value: impl Into<Operand>) -> Self {
        Self::Compare(field, "<", value.into())
    }

    /// `field <= value`.
    pub fn at_most(field: &'static str, value: impl Into<Operand>) -> Self {
        Self::Compare(field, "<=", value.into())
    }

    /// `field > value`.
    pub fn greater(field: &'static str, value: impl Into<Operand>) -> Self {
        Self::Compare(field, ">", value.into())
    }

    /// `field >= value`.
    pub fn at_least(field: &'static str, value: impl Into<Operand>) -> Self {
        Self::Compare(field, ">=", value.into())
    }

    /// A set field has this text.
    pub fn contains(field: &'static str, text: impl Into<Operand>) -> Self {
        Self::Contains(field, text.into())
    }

    /// A set field does not have this text, or does not exist.
    pub fn lacks(field: &'static str, text: impl Into<Operand>) -> Self {
        Self::Lacks(field, text.into())
    }

    /// This condition and the other one.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Always, condition) | (condition, Self::Always) => condition,
            (one, other) => Self::And(Box::new(one), Box::new(other)),
        }
    }

    /// This condition or the other one, or both.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Always, _) | (_, Self::Always) => Self::Always,
            (one, other) => Self::Or(Box::new(one), Box::new(other)),
        }
    }
}

/// Changes of single fields of an item.
#[derive(Clone, Debug, Default)]
pub struct Update {
    set: Vec<(String, Operand)>,
    add: Vec<(String, Operand)>,
    delete: Vec<(String, Operand)>,
}

impl Update {
    /// Sets a field.
    #[must_use]
    pub fn set(mut self, field: impl Into<String>, value: impl Into<Operand>) -> Self {
        self.set.push((field.into(), value.into()));
        self
    }

    /// Adds to a number, or adds the elements of a set.
    ///
    /// An absent number counts as 0, an absent set as empty.
    #[must_use]
    pub fn add(mut self, field: impl Into<String>, value: impl Into<Operand>) -> Self {
        self.add.push((field.into(), value.into()));
        self
    }

    /// Removes the elements of a set.
    #[must_use]
    pub fn delete(mut self, field: impl Into<String>, value: impl Into<Operand>) -> Self {
        self.delete.push((field.into(), value.into()));
        self
    }
}

/// The expressions of one part, with their placeholders.
#[derive(Debug, Default)]
pub(super) struct Expressions {
    pub(super) names: HashMap<String, String>,
    pub(super) values: HashMap<String, AttributeValue>,
}

impl Expressions {
    /// The expression of a condition; `None` without a condition.
    pub(super) fn condition<T: Entity>(&mut self, condition: Condition) -> Option<String> {
        Some(match condition {
            Condition::Always => return None,
            Condition::Exists => "attribute_exists(pk)".to_owned(),
            Condition::NotExists => "attribute_not_exists(pk)".to_owned(),
            Condition::Compare(field, operator, value) => {
                format!("{} {operator} {}", self.path::<T>(field), self.value(value))
            }
            Condition::Absent(field) => format!("attribute_not_exists({})", self.path::<T>(field)),
            Condition::Contains(field, value) => format!("contains({}, {})", self.path::<T>(field), self.value(value)),
            Condition::Lacks(field, value) => {
                format!("NOT contains({}, {})", self.path::<T>(field), self.value(value))
            }
            Condition::And(one, other) => self.both::<T>(*one, "AND", *other)?,
            Condition::Or(one, other) => self.both::<T>(*one, "OR", *other)?,
        })
    }

    fn both<T: Entity>(&mut self, one: Condition, operator: &str, other: Condition) -> Option<String> {
        Some(format!("({}) {operator} ({})", self.condition::<T>(one)?, self.condition::<T>(other)?))
    }

    /// The expression of an update.
    ///
    /// # Errors
    /// `ADD` and `DELETE` change top-level attributes only (DynamoDB's update expressions), so no fields of a
    /// [`Layout::Document`].
    pub(super) fn update<T: Entity>(&mut self, Update { set, add, delete }: Update) -> Result<String, StoreError> {
        if matches!(T::LAYOUT, Layout::Document) && !(add.is_empty() && delete.is_empty()) {
            return Err(StoreError::internal("ADD or DELETE for a field of a document"));
        }
        let mut clauses = Vec::new();
        for (keyword, separator, changes) in [("SET", " = ", set), ("ADD", " ", add), ("DELETE", " ", delete)] {
            let changes = changes
                .into_iter()
                .map(|(field, value)| format!("{}{separator}{}", self.path::<T>(&field), self.value(value)));
            let changes: Vec<_> = changes.collect();
            if !changes.is_empty() {
                clauses.push(format!("{keyword} {}", changes.join(", ")));
            }
        }
        Ok(clauses.join(" "))
    }

    /// The path of a field in the item.
    fn path<T: Entity>(&mut self, field: &str) -> String {
        match T::LAYOUT {
            Layout::Flat => self.name(field),
            Layout::Document => format!("{}.{}", self.name(DOCUMENT), self.name(stored_name(field))),
        }
    }

    /// A placeholder for a name, because many names are reserved words of DynamoDB.
    fn name(&mut self, name: &str) -> String {
        let placeholder = format!("#{name}");
        self.names.insert(placeholder.clone(), name.to_owned());
        placeholder
    }

    fn value(&mut self, Operand(value): Operand) -> String {
        let placeholder = format!(":v{}", self.values.len());
        self.values.insert(placeholder.clone(), value);
        placeholder
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Flat {}
    impl Entity for Flat {}

    #[derive(Serialize, Deserialize)]
    struct Document {}
    impl Entity for Document {
        const LAYOUT: Layout = Layout::Document;
    }

    #[test]
    fn condition_names_the_field_where_the_layout_stores_it() {
        let mut flat = Expressions::default();
        assert_eq!(flat.condition::<Flat>(Condition::version(3)).as_deref(), Some("#version = :v0"));
        let mut document = Expressions::default();
        assert_eq!(document.condition::<Document>(Condition::version(3)).as_deref(), Some("#d.#v = :v0"));
        assert_eq!(document.values[":v0"], AttributeValue::N("3".to_owned()));
    }

    #[test]
    fn combined_conditions_are_parenthesized() {
        let condition = Condition::NotExists.or(Condition::less("n", 5_u64).and(Condition::Absent("end")));
        let text = Expressions::default().condition::<Flat>(condition);
        assert_eq!(
            text.as_deref(),
            Some("(attribute_not_exists(pk)) OR ((#n < :v0) AND (attribute_not_exists(#end)))")
        );
    }

    #[test]
    fn set_without_an_element_is_negated_containment() {
        let condition = Condition::lacks("ids", "a").and(Condition::lacks("ids", "b"));
        let text = Expressions::default().condition::<Flat>(condition);
        assert_eq!(text.as_deref(), Some("(NOT contains(#ids, :v0)) AND (NOT contains(#ids, :v1))"));
    }

    #[test]
    fn condition_that_always_holds_adds_nothing() {
        let mut expressions = Expressions::default();
        let exists = Some("attribute_exists(pk)");
        assert_eq!(expressions.condition::<Flat>(Condition::Always.and(Condition::Exists)).as_deref(), exists);
        assert_eq!(expressions.condition::<Flat>(Condition::Exists.and(Condition::Always)).as_deref(), exists);
        assert_eq!(expressions.condition::<Flat>(Condition::version(3).or(Condition::Always)), None);
        assert!(expressions.names.is_empty() && expressions.values.is_empty());
    }

    #[test]
    fn update_changes_the_field_where_the_layout_stores_it() {
        let update = || Update::default().set("status", "WON");
        assert_eq!(Expressions::default().update::<Flat>(update()).unwrap(), "SET #status = :v0");
        assert_eq!(Expressions::default().update::<Document>(update()).unwrap(), "SET #d.#status = :v0");
    }

    #[test]
    fn fields_of_a_document_are_not_added_to() {
        let update = Update::default().add("n", 1_u64);
        assert!(Expressions::default().update::<Document>(update).is_err());
    }

    #[test]
    fn update_groups_its_clauses() {
        let update = Update::default().add("n", 1_u64).set("at", "x").add("m", -1_i64);
        assert_eq!(Expressions::default().update::<Flat>(update).unwrap(), "SET #at = :v0 ADD #n :v1, #m :v2");
    }
}
