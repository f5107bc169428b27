//! The names of the table's key attributes, as its definition states them.

use std::collections::BTreeMap;

use serde_json::Value;

/// The attributes that make up a key of the table or of one of its indexes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyNames {
    /// The partition key's attribute.
    pub partition: String,
    /// The sort key's attribute, where there is one.
    pub sort: Option<String>,
}

/// The keys of the table and of its indexes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSchema {
    /// The table's own key.
    pub key: KeyNames,
    /// The global secondary indexes' keys, by index name.
    pub indexes: BTreeMap<String, KeyNames>,
}

impl TableSchema {
    /// Reads the properties of an `AWS::DynamoDB::Table`, which name keys as `CreateTable` does.
    ///
    /// # Panics
    /// If the definition lacks a key, or has a key of several partition attributes, which nothing here reads.
    pub fn from_definition(definition: &Value) -> Self {
        let indexes = definition["GlobalSecondaryIndexes"].as_array();
        Self { key: key_names(definition), indexes: indexes.into_iter().flatten().map(named_index).collect() }
    }

    /// The key that a read uses: an index's where one is named, else the table's.
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

    /// A table with one index, as the template would define it.
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
    fn the_table_and_its_indexes_are_read() {
        let schema = TableSchema::from_definition(&definition());
        assert_eq!(schema.key.partition, "pk");
        assert_eq!(schema.key.sort.as_deref(), Some("sk"));
        assert_eq!(schema.read_key(Some("gsi1")).unwrap().partition, "gsi1pk");
        assert_eq!(schema.read_key(Some("gsi2")), None);
    }

    #[test]
    fn the_projects_table_is_read() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../template.yaml");
        let template = infra::template::Template::load(path.as_ref()).unwrap();
        let schema = TableSchema::from_definition(&template.tables["Table"]);
        assert_eq!(schema.key.partition, "pk");
    }
}
