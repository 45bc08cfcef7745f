//! Tests of the conversion from HTML to text.

use super::text_of;

fn check(html: &str, text: &str) {
    assert_eq!(text_of(html), format!("{text}\n"), "{html}");
}

#[test]
fn blocks_are_separated_and_lines_are_kept() {
    check("<p>a\n  b</p><p>c<br>d</p>e", "a b\n\nc\nd\n\ne");
    check("<div>a</div><div>b <i>c</i></div>", "a\nb c");
    check("<h1>a</h1>b<hr>c", &format!("a\n\nb\n\n{}\n\nc", "-".repeat(40)));
    check("<ul><li>a<ol><li>b<li>c</ol><li>d</ul>", "* a\n\n  1. b\n  2. c\n* d");
    check("<blockquote><p>a</p>b</blockquote>", "> a\n> \n> b");
    check("<pre>a\n  b</pre>", "a\n  b");
    check("&lt;b&gt; &eacute;&shy;&nbsp;x <title>t</title><script>s</script>", "<b> é\u{a0}x");
}

#[test]
fn a_layout_table_becomes_paragraphs() {
    let inner = "<table><tr><td>Hello</td></tr></table>";
    check(
        &format!("<table role='presentation'><tr><td>{inner}</td><td>Bye</td></tr></table>"),
        "Hello\n\nBye",
    );
    check(&format!("<table><tr><td>{inner}</td><td>x</td></tr></table>"), "Hello\n\nx");
    check("<table><tr><td>a</td></tr><tr><td>b</td></tr></table>", "a\n\nb");
    check("<table><tr><td><p>a</p><p>b</p></td><td>c</td></tr></table>", "a\n\nb\n\nc");
    check("<table><tr><td>&nbsp;</td></tr></table>a", "a");
}

#[test]
fn a_data_table_is_aligned() {
    check(
        "<table><caption style='display:none'>x</caption><tr><th>Item<th align=right>Sum</tr>\
         <tr><td>Tea<br>green<td align=right>€1.00</tr><tr><td>Coffee<td align=right>€12.00</tr>\
         <tr><th colspan=2>All of it, and more</tr></table>",
        "Item       Sum\nTea      €1.00\ngreen\nCoffee  €12.00\nAll of it, and\nmore",
    );
    let words = "word ".repeat(20);
    let html = format!("<table><tr><td>{words}<td>€1,234,567.45</tr></table>");
    let text = text_of(&html);
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 78), "{text}");
    assert!(text.lines().next().unwrap().ends_with("  €1,234,567.45"), "{text}");
}

#[test]
fn a_table_that_is_too_wide_becomes_a_list() {
    let word = "x".repeat(60);
    check(
        &format!(
            "<table><tr><th>Item<th>Price<th>Sum</tr><tr><td>{word}<td>€1,234,567.45<td>€1,234,567.45</tr>\
             <tr><th colspan=2>Total<td>€1,234,567.45</tr></table>"
        ),
        &format!("Item: {word}\nPrice: €1,234,567.45\nSum: €1,234,567.45\n\nTotal: €1,234,567.45"),
    );
}

#[test]
fn amounts_are_not_split() {
    let amount = "1\u{202f}234\u{202f}567,45\u{a0}€";
    let text = text_of(&format!("<p>{}{amount} x</p>", "wörter ".repeat(10)));
    assert!(text.contains(amount), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 78), "{text}");
}

#[test]
fn hidden_elements_are_skipped() {
    check(
        "<style>.p { display: none; }</style><div style='display:none;max-height:0'>Preheader</div>\
         <p class='x p'>a</p><p hidden>b</p><!-- c --><!--[if mso]><p>d</p><![endif]-->e",
        "e",
    );
}

#[test]
fn links_are_numbered_unless_their_text_is_the_url() {
    check(
        "<p><a href='https://a.example/o'>Your order</a>, <a href='https://b.example'>b.example</a> \
         <a href='#x'>below</a> <a>plain</a> <a href='mailto:a@b.example'>a@b.example</a> \
         <a href='https://c.example'><img alt='Shop'></a> <img alt='Logo'><img alt=''></p>",
        "[Your order][1], b.example below plain a@b.example [Shop][2] [Logo]\n\n\
         [1]: https://a.example/o\n[2]: https://c.example",
    );
}

#[test]
fn adjacent_links_are_separated_and_equal_urls_share_a_number() {
    check(
        "<a href='https://a.example/'>a</a><a href='https://b.example/x'>b</a><img alt=c><a href='https://a.example/'>d</a>",
        "[a][1] [b][2] [c] [d][1]\n\n[1]: https://a.example/\n[2]: https://b.example/x",
    );
}

#[test]
fn a_link_without_text_shows_its_url_once() {
    check("<a href='https://a.example/sale'><img alt=''></a>", "https://a.example/sale");
    check(
        "<a href='https://a.example'><img></a> <a href='https://a.example'>Shop</a>",
        "[Shop][1]\n\n[1]: https://a.example",
    );
    check(
        "x<a href='https://a.example'><img></a><a href='https://a.example'><img></a>",
        "x https://a.example",
    );
    check("<a href='https://a.example'> </a>x", "x");
    check(
        "<a href='tel:+49221123'>+49 221 123</a> <a href='tel:110'>Help 110</a>",
        "+49 221 123 [Help 110][1]\n\n[1]: tel:110",
    );
}

#[test]
fn a_link_around_blocks_has_its_number_after_them() {
    check(
        "<a href='https://a.example/1'><h2>Title</h2><p>Read it</p></a><a href='https://a.example/2'>b</a>",
        "Title\n\nRead it [1]\n\n[b][2]\n\n[1]: https://a.example/1\n[2]: https://a.example/2",
    );
    check("<a href='https://a.example/1'><p>a</p>b</a>", "a\n\nb [1]\n\n[1]: https://a.example/1");
}

#[test]
fn strikethrough_quotations_and_list_numbers_are_marked() {
    check("Was <s>€20.00 </s>€15.00, <del>no</del>", "Was ~~€20.00~~ €15.00, ~~no~~");
    check("<span style='text-decoration: line-through'>€2</span> €1", "~~€2~~ €1");
    check("<q>a</q>", "“a”");
    check("<ol start=3><li>a<li value=7>b<li>c</ol>", "3. a\n7. b\n8. c");
}

#[test]
fn a_data_table_with_blocks_in_its_cells_is_aligned() {
    let heads = "<tr><th>Item<th>Qty<th align=right>Price</tr>";
    check(
        &format!(
            "<table>{heads}<tr><td><p>Tea</p><p>Size: L</p><td>2<td align=right>€12.50</tr></table>"
        ),
        "Item     Qty   Price\nTea      2    €12.50\nSize: L",
    );
    check(
        &format!("<table>{heads}<tr><td>Tea<ul><li>green</ul><td>2<td align=right>€1</tr></table>"),
        "Item     Qty  Price\nTea      2       €1\n* green",
    );
    let inner = "<table><tr><td><img alt=''><td>Tea</tr></table>";
    check(
        &format!("<table>{heads}<tr><td>{inner}<td>2<td align=right>€1</tr></table>"),
        "Item  Qty  Price\nTea   2       €1",
    );
    check(
        "<table><tr><td><p>Tea</p><p>L</p><td>€1</tr><tr><td>Cup<td>€2</tr></table>",
        "Tea  €1\nL\nCup  €2",
    );
    // Mail frameworks use header cells for layout.
    check("<table><tr><th><p>a</p><p>b</p></th><th><p>c</p></th></tr></table>", "a\n\nb\n\nc");
}

#[test]
fn empty_columns_are_removed() {
    check(
        "<table><tr><td><td>A<td>&nbsp;<td>B</tr><tr><td colspan=3>CC<td>D</tr></table>",
        "A   B\nCC  D",
    );
}

#[test]
fn a_cell_that_spans_rows_keeps_its_column() {
    check(
        "<table><tr><td rowspan=2>Tea<td>500 g<td>€1</tr><tr><td>1 kg<td>€2</tr><tr><td>Cup<td>-<td>€3</tr></table>",
        "Tea  500 g  €1\n     1 kg   €2\nCup  -      €3",
    );
    check("<table><tr><td rowspan=0>a<td>b</tr><tr><td>c<td>d</tr></table>", "a  b\nc  d");
    let html = "<tr><td rowspan=999999 colspan=40>a<td>b</tr>".repeat(50);
    assert_eq!(text_of(&format!("<table>{html}</table>")).lines().count(), 50);
}

#[test]
fn numbers_in_a_table_are_not_split() {
    let words =
        "A tea pot of Japanese cast iron with a sieve of stainless steel, 1.2 litres, and a cup";
    for figures in
        ["<td>€ 1,112.50", "<td>2 pcs<td>3 Nov 2026", "<td style='white-space: nowrap'>+49 221 12"]
    {
        let text = text_of(&format!("<table><tr><td>{words}{figures}</tr></table>"));
        let whole = figures.split("<td").skip(1).filter_map(|cell| cell.split_once('>'));
        for (_, figure) in whole {
            assert!(text.contains(figure), "{text}");
        }
        assert!(text.lines().all(|line| line.chars().count() <= 78), "{text}");
    }
}

#[test]
fn values_stay_isolated() {
    check("<p>طلب <bdi>2026-001</bdi></p>", "طلب \u{2068}2026-001\u{2069}");
}

#[test]
fn broken_and_deep_html_terminates() {
    for html in
        ["", "<", "<p", "<table><td>", "</p></p>", "<table><tr><td colspan=999999999>a</table>"]
    {
        let _text = text_of(html);
    }
    let deep = "<div>".repeat(100_000);
    assert_eq!(text_of(&format!("{deep}a")), "a\n");
    let long = format!(
        "<table><tr><td>{}<td>1</tr>{}</table>",
        "a".repeat(100_000),
        "<tr><td>a<td>1".repeat(1_000)
    );
    let text = text_of(&format!("<table><tr><th>x<td>{long}</tr></table>"));
    assert!(text.len() < 300_000, "{}", text.len());
    let wide = "<td>a".repeat(100_000);
    assert!(text_of(&format!("<table><tr>{wide}</table>")).starts_with("a\n\na"));
}
