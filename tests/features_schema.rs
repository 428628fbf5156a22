//! The schema is a contract with every shipped model: names, order, sources and hash are pinned here. A change of
//! any of them, or of what a column means, needs a new version and a retrained zoo.

use ibkr_trader::features::schema::{self, Source};

#[test]
fn the_hash_is_pinned() {
    assert_eq!(
        (schema::VERSION, schema::COLUMNS, schema::hash().as_str()),
        (2, 53, "dfd8ed6cae867ba2ae0ebe4ac01c3d0b9028dccecf6391e62806f3e2c30a8fab")
    );
}

#[test]
fn names_are_unique_and_found_and_bar_columns_come_first() {
    for (i, name) in schema::NAMES.iter().enumerate() {
        assert_eq!(schema::index_of(name), Some(i), "{name} stands twice");
    }
    assert_eq!(schema::index_of("no_such_column"), None);
    assert_eq!(schema::NAMES[schema::BAR_COLUMNS - 1], "change_prob");
    assert_eq!(schema::source(schema::BAR_COLUMNS - 1), Source::Bar);
    assert_eq!(schema::source(schema::BAR_COLUMNS), Source::Quote);
}

#[test]
fn the_shipped_zoo_was_trained_on_this_schema_and_on_no_quote_column() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/models/manifest.json");
    let manifest: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(manifest["feature_schema"]["hash"], schema::hash());
    for model in manifest["models"].as_array().unwrap() {
        // A score of another family is made of such columns itself.
        let inputs = model["inputs"].as_array().unwrap().iter();
        for input in inputs.filter(|i| !i.as_str().unwrap().starts_with("z:")) {
            let index = schema::index_of(input.as_str().unwrap()).unwrap();
            assert_eq!(schema::source(index), Source::Bar, "{} reads {input}", model["name"]);
        }
        assert!(model["training"]["last_day"].as_str().unwrap() < "2026-04-13", "test days were trained on");
    }
}
