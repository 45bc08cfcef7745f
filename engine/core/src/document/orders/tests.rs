use std::io::BufReader;

use super::*;

type Row = (String, String, u64, u64);

fn read(text: &str, form: OrderForm, bytes_max: usize) -> Vec<Row> {
    rows(&mut text.as_bytes(), form, bytes_max)
}

fn rows(input: &mut dyn BufRead, form: OrderForm, bytes_max: usize) -> Vec<Row> {
    let mut orders = Vec::new();
    let mut each = |order: OrderText| {
        let body = String::from_utf8(order.body).unwrap();
        orders.push((order.name, body, order.line, order.column));
        true
    };
    read_orders(input, form, "x", bytes_max, &mut each).unwrap();
    orders
}

fn row(name: &str, body: &str, line: u64, column: u64) -> Row {
    (name.to_owned(), body.to_owned(), line, column)
}

#[test]
fn orders_are_named_by_line_and_blank_lines_are_skipped() {
    let text = "{\"a\":1}\r\n\n{\"a\":2}";
    let expected = [row("x-1", "{\"a\":1}", 1, 1), row("x-3", "{\"a\":2}", 3, 1)];
    assert_eq!(read(text, OrderForm::Lines, 100), expected);
    assert_eq!(read(text, OrderForm::Documents, 100), expected, "with any file name");
    assert_eq!(read("{}", OrderForm::Lines, 100), [row("x-1", "{}", 1, 1)]);
    assert!(read("\n \n", OrderForm::Lines, 100).is_empty());
}

#[test]
fn a_single_document_has_the_name_of_its_source() {
    assert_eq!(read("{}\n\n", OrderForm::Documents, 100), [row("x", "{}\n\n", 1, 1)]);
    assert_eq!(
        read("{\n \"}\": 1\n}\n", OrderForm::Documents, 100),
        [row("x", "{\n \"}\": 1\n}\n", 1, 1)]
    );
    assert_eq!(read("not an order\nat all\n", OrderForm::Documents, 100).len(), 1);
    assert_eq!(read("{\"a\":\n", OrderForm::Documents, 100), [row("x", "{\"a\":\n", 1, 1)]);
    assert_eq!(
        read("", OrderForm::Documents, 100),
        [row("x", "", 1, 1)],
        "an empty file is passed on as an invalid order"
    );
    assert!(
        read("", OrderForm::Stream, 100).is_empty() && read("", OrderForm::Lines, 100).is_empty()
    );
}

#[test]
fn multi_line_documents_can_follow_each_other() {
    let expected = [row("x-1", "{\n}", 1, 1), row("x-3", "{\n}", 3, 1)];
    assert_eq!(read("{\n}\n{\n}\n", OrderForm::Documents, 100), expected);
    let expected = [row("x-1", "// orders", 1, 1), row("x-2", "{}", 2, 1)];
    assert_eq!(read("// orders\n{}", OrderForm::Documents, 100), expected);
}

#[test]
fn an_array_is_split_into_elements_with_any_file_name() {
    let text = " [\n{\"a\":[1,\"]\\\"\"]},\n  {}, 7 ]\n";
    let expected =
        [row("x-1", "{\"a\":[1,\"]\\\"\"]}", 2, 1), row("x-2", "{}", 3, 3), row("x-3", "7", 3, 7)];
    assert_eq!(read(text, OrderForm::Documents, 100), expected);
    assert_eq!(read(text, OrderForm::Lines, 100), expected);
    assert_eq!(read("[\"ü\",{}]", OrderForm::Documents, 100)[1], row("x-2", "{}", 1, 6));
    assert!(read("[ ]", OrderForm::Documents, 100).is_empty());
}

#[test]
fn each_fault_in_an_array_is_passed_on_as_one_invalid_order() {
    let trailing = [row("x-1", "{}", 1, 2), row("x", "]", 1, 5)];
    assert_eq!(read("[{},]", OrderForm::Documents, 100), trailing);
    let twice = [row("x-1", "{}", 1, 2), row("x", ",", 1, 5), row("x-2", "{}", 1, 6)];
    assert_eq!(read("[{},,{}]", OrderForm::Documents, 100), twice);
    assert_eq!(
        read("[{}", OrderForm::Documents, 100),
        [row("x-1", "{}", 1, 2), row("x", "", 1, 4)]
    );
    assert_eq!(read("[{\"a\":", OrderForm::Documents, 100), [row("x-1", "{\"a\":", 1, 2)]);
    let after = [row("x-1", "{}", 1, 2), row("x-2", "]", 2, 1)];
    assert_eq!(read("[{}]\n]", OrderForm::Documents, 100), after);
}

#[test]
fn a_byte_order_mark_is_skipped() {
    for form in [OrderForm::Lines, OrderForm::Documents] {
        assert_eq!(read("\u{feff}{}\n{}", form, 100)[0], row("x-1", "{}", 1, 1));
        assert_eq!(read("\u{feff}[{}]", form, 100), [row("x-1", "{}", 1, 2)]);
    }
}

#[test]
fn an_order_that_is_too_large_is_cut_and_does_not_hide_the_next_one() {
    let long = format!("{{\"a\":\"{}\"}}", "9".repeat(5000));
    for text in [format!("{long}\n{{}}\n"), format!("[{long},{{}}]")] {
        let orders = read(&text, OrderForm::Documents, 10);
        assert_eq!(orders.len(), 2);
        assert_eq!(orders[0].1.len(), 11, "one byte more than the maximum");
        assert!(orders[1].1.starts_with('{'));
    }
}

/// The chunks of a pipe can end anywhere.
#[test]
fn the_result_does_not_depend_on_where_input_chunks_end() {
    for text in
        ["\u{feff}{\"ü\":\"\\\"}\"}\n{}\n", "[{\"a\":\"\\\\\"},{\"b\":[]}]", "{\n\"a\":1}\n {}\n"]
    {
        for form in [OrderForm::Lines, OrderForm::Documents] {
            let mut pieces = BufReader::with_capacity(1, text.as_bytes());
            assert_eq!(rows(&mut pieces, form, 100), read(text, form, 100), "{text:?}");
        }
    }
}
