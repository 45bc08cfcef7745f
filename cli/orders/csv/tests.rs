use oms_engine::schema::{OrderSchema, TypeRules};
use serde_json::json;

use super::*;

fn schema() -> OrderSchema {
    let schema = json!({
        "type": "object",
        "required": ["id", "amount"],
        "additionalProperties": false,
        "properties": {
            "id": { "type": "string" },
            "amount": { "type": "string", "format": "decimal" },
            "weight": { "type": "number" },
            "pieces": { "type": "integer" },
            "gift": { "type": "boolean" },
            "a.b": { "type": "string" },
            "customer": { "type": "object", "properties": { "name": { "type": "string" }, "a/b": { "type": "string" } } },
            "items": { "type": "array", "maxItems": 3, "items": { "type": "object", "properties": { "sku": { "type": "string" } } } },
            "tags": { "type": "array", "items": { "type": "string" } },
        },
    });
    let (schema, problems) = OrderSchema::compile(&schema, TypeRules::Current);
    assert!(problems.is_empty(), "{problems:?}");
    schema
}

/// Returns each order as `name line:column body`, or as `line:column fault`.
fn read(text: impl AsRef<[u8]>) -> Vec<String> {
    let (schema, mut found) = (schema(), Vec::new());
    let mut input = text.as_ref();
    read_csv(&mut input, "f", (schema.node(), 1_000), &mut |text, row| {
        found.push(match row.fault {
            Some(((line, column), message)) => {
                assert!(text.body.is_empty());
                format!("{line}:{column} {message}")
            }
            None => {
                let body = String::from_utf8(text.body).unwrap();
                format!("{} {}:{} {body}", text.name, text.line, text.column)
            }
        });
        true
    })
    .unwrap();
    found
}

#[test]
fn cells_have_the_types_of_the_schema_and_keep_their_digits() {
    let text = "id,amount,weight,pieces,gift,customer.name,/customer/a~1b,a.b\r\n\
                A1,007.10,12.300000000000000000001,12,true,Ann,x,y\r\n\
                A2,1,007,+5,yes,,,\r\n";
    assert_eq!(
        read(text),
        [
            r#"f-2 2:1 {"a.b":"y","amount":"007.10","customer":{"a/b":"x","name":"Ann"},"gift":true,"id":"A1","pieces":12,"weight":12.300000000000000000001}"#,
            r#"f-3 3:1 {"amount":"1","gift":"yes","id":"A2","pieces":"+5","weight":"007"}"#,
        ]
    );
}

#[test]
fn quotes_line_breaks_and_a_byte_order_mark_are_read() {
    let text = "\u{feff}\"id\",amount\n\"A \"\"1\"\", é\r\nnext\",1\n\n\nA2,2";
    assert_eq!(
        read(text),
        [
            r#"f-2 2:1 {"amount":"1","id":"A \"1\", é\r\nnext"}"#,
            r#"f-6 6:1 {"amount":"2","id":"A2"}"#,
        ]
    );
    assert_eq!(read("id,amount\rA1,1\rA2,2\r").len(), 2);
}

#[test]
fn elements_of_lists_have_columns_of_their_own() {
    let text = "id,amount,items.0.sku,items.1.sku,tags.0\nA,1,mug,cup,x\nB,1,mug,,\nC,1,,cup,\n";
    assert_eq!(
        read(text),
        [
            r#"f-2 2:1 {"amount":"1","id":"A","items":[{"sku":"mug"},{"sku":"cup"}],"tags":["x"]}"#,
            r#"f-3 3:1 {"amount":"1","id":"B","items":[{"sku":"mug"}]}"#,
            "4:6 an earlier element of the list `items` is empty",
        ]
    );
}

#[test]
fn a_row_with_a_fault_does_not_hide_the_next_one() {
    let text = b"id,amount\nA1\nA2,2\nA3,3,4\n\"\xff\",1\nA4,4\n";
    assert_eq!(
        read(text),
        [
            "2:1 the row has 1 cell, but the first row has 2",
            r#"f-3 3:1 {"amount":"2","id":"A2"}"#,
            "4:4 the row has 3 cells, but the first row has 2",
            "5:1 the cell is not UTF-8 text",
            r#"f-6 6:1 {"amount":"4","id":"A4"}"#,
        ]
    );
}

#[test]
fn a_file_without_rows_has_no_orders_and_a_file_without_a_header_has_a_fault() {
    assert_eq!(read("id,amount\n"), Vec::<String>::new());
    assert_eq!(read("id,amount"), Vec::<String>::new());
    let missing = "1:1 the file has no row with the names of columns";
    assert_eq!(read(""), [missing]);
    assert_eq!(read("\n\n"), [missing]);
}

#[test]
fn a_fault_in_the_header_is_reported_once() {
    let fault = |header: &str| {
        let found = read(format!("{header}\n1,2\n3,4\n"));
        assert_eq!(found.len(), 1, "{found:?}");
        found[0].clone()
    };
    assert_eq!(fault("id,id"), "1:4 the column `id` exists twice");
    assert_eq!(fault("id,"), "1:4 a column has no name");
    assert_eq!(
        fault("id,customer..name"),
        "1:4 the name of the column `customer..name` is incomplete"
    );
    assert_eq!(
        fault("id,amuont"),
        "1:4 the order schema has no member for the column `amuont`; did you mean `amount`?"
    );
    assert_eq!(
        fault("customer,id"),
        "1:1 `customer` is an object; use one column for each of its members, such as `customer.name`"
    );
    assert_eq!(
        fault("id,items"),
        "1:4 `items` is a list; use one column for each of its elements, such as `items.0`"
    );
    assert_eq!(
        fault("id,items.3.sku"),
        "1:4 the column `items.3.sku` must name an element of the list `items`, such as `items.0`"
    );
    assert_eq!(
        fault("id,amount.x"),
        "1:4 the column `amount.x` does not exist, because `amount` is not an object"
    );
}

#[test]
fn a_missing_quotation_mark_does_not_fill_the_memory() {
    let text = format!("id,amount\n\"A1,1\n{}", "A2,2\n".repeat(10_000));
    let found = read(text);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("2:1 the row is larger than 10192 bytes"), "{found:?}");
}

#[test]
fn the_place_of_a_value_is_that_of_its_cell() {
    let (places, line) = field_places(b"\r\na,\"x\ny\",,\xc3\xa9,z\n", 4);
    assert_eq!(places, [(5, 1), (5, 3), (6, 4), (6, 5), (6, 7)]);
    assert_eq!(line, 7);
    let cells = vec![("/id".to_owned(), (2, 1)), ("/customer/name".to_owned(), (2, 9))];
    let row = Row { cells, fault: None };
    assert_eq!(row.place("/customer/name"), Some((2, 9)));
    assert_eq!(row.place("/customer"), Some((2, 9)));
    assert_eq!((row.place("/i"), row.place("")), (None, None));
}
