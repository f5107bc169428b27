//! The key attributes of the table and its indexes, from the table definition.

use std::collections::BTreeMap;

use serde_json::Value;

/// The attributes that make up a key of the table or of one of its indexes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyNames {
    /// The partition key's attribute.
    pub partition: String,
    /// The sort key's attribute, if any.
    pub sort: Option<String>,
}

/// The keys of the table and of its indexes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSchema {
    /// The table's own key.
    pub key: KeyNames,
    /// The keys of the global secondary indexes, by index name.
    pub indexes: BTreeMap<String, KeyNames>,
}

impl TableSchema {
    /// Parses the properties of an `AWS::DynamoDB::Table`.
    ///
    /// They name keys as `CreateTable` does.
    ///
    /// # Panics
    /// If the definition lacks a key, or a key has several partition attributes, which the harness does not
    /// support.
    pub fn from_definition(definition: &Value) -> Self {
        let indexes = definition["GlobalSecondaryIndexes"].as_array();
        Self { key: key_names(definition), indexes: indexes.into_iter().flatten().map(named_index).collect() }
    }

    /// The key that a read uses: that of the named index, otherwise the table's.
    pub(crate) fn read_key(&self, index: Option<&str>) -> Option<&KeyNames> {
        match index {
            Some(name) => self.indexes.get(name),
            None => Some(&self.key),
        }
    }
}

fn named_index(index: &Value) -> (String, KeyNames) {
    let name = index["IndexName"].as_str().expect("an index has a name");
    (name.to_owned(), key_names(index))
}

fn key_names(definition: &Value) -> KeyNames {
    let partition = attributes(definition, "HASH");
    let [partition] = partition.as_slice() else {
        panic!("a key has one partition attribute, this one has {partition:?}");
    };
    KeyNames { partition: partition.clone(), sort: attributes(definition, "RANGE").pop() }
}

fn attributes(definition: &Value, kind: &str) -> Vec<String> {
    let elements = definition["KeySchema"].as_array().into_iter().flatten();
    elements
        .filter(|element| element["KeyType"] == kind)
        .filter_map(|element| element["AttributeName"].as_str())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;

    /// A table definition with one index, in the template's format.
    pub(crate) fn definition() -> Value {
        json!({
            "KeySchema": [
                { "AttributeName": "pk", "KeyType": "HASH" },
                { "AttributeName": "sk", "KeyType": "RANGE" },
            ],
            "GlobalSecondaryIndexes": [{
                "IndexName": "gsi1",
                "KeySchema": [
                    { "AttributeName": "gsi1pk", "KeyType": "HASH" },
                    { "AttributeName": "gsi1sk", "KeyType": "RANGE" },
                ],
            }],
        })
    }

    #[test]
    fn keys_of_table_and_indexes_are_parsed() {
        let schema = TableSchema::from_definition(&definition());
        assert_eq!(schema.key.partition, "pk");
        assert_eq!(schema.key.sort.as_deref(), Some("sk"));
        assert_eq!(schema.read_key(Some("gsi1")).unwrap().partition, "gsi1pk");
        assert_eq!(schema.read_key(Some("gsi2")), None);
    }

    #[test]
    fn table_of_the_template_is_parsed() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../template.yaml");
        let template = infra::aws::template::Template::load(path.as_ref()).unwrap();
        let schema = TableSchema::from_definition(&template.tables["Table"]);
        assert_eq!(schema.key.partition, "pk");
    }
}
