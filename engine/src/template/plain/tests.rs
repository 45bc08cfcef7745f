//! What HTML becomes as text.

use super::text_of;

fn check(html: &str, text: &str) {
    assert_eq!(text_of(html), format!("{text}\n"), "{html}");
}

#[test]
fn blocks_stand_apart_and_lines_below_each_other() {
    check("<p>a\n  b</p><p>c<br>d</p>e", "a b\n\nc\nd\n\ne");
    check("<div>a</div><div>b <i>c</i></div>", "a\nb c");
    check("<h1>a</h1>b<hr>c", &format!("a\n\nb\n\n{}\n\nc", "-".repeat(40)));
    check("<ul><li>a<ol><li>b<li>c</ol><li>d</ul>", "* a\n\n  1. b\n  2. c\n* d");
    check("<blockquote><p>a</p>b</blockquote>", "> a\n> \n> b");
    check("<pre>a\n  b</pre>", "a\n  b");
    check("&lt;b&gt; &eacute;&shy;&nbsp;x <title>t</title><script>s</script>", "<b> é\u{a0}x");
}

#[test]
fn a_table_of_the_layout_flows() {
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
fn a_table_for_readers_is_aligned() {
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
fn no_amount_is_divided() {
    let amount = "1\u{202f}234\u{202f}567,45\u{a0}€";
    let text = text_of(&format!("<p>{}{amount} x</p>", "wörter ".repeat(10)));
    assert!(text.contains(amount), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 78), "{text}");
}

#[test]
fn what_is_hidden_is_left_out() {
    check(
        "<style>.p { display: none; }</style><div style='display:none;max-height:0'>Preheader</div>\
         <p class='x p'>a</p><p hidden>b</p><!-- c --><!--[if mso]><p>d</p><![endif]-->e",
        "e",
    );
}

#[test]
fn links_become_notes_unless_they_say_where_they_lead() {
    check(
        "<p><a href='https://a.example/o'>Your order</a>, <a href='https://b.example'>b.example</a> \
         <a href='#x'>below</a> <a>plain</a> <a href='mailto:a@b.example'>a@b.example</a> \
         <a href='https://c.example'><img alt='Shop'></a> <img alt='Logo'><img alt=''></p>",
        "[Your order][1], b.example below plain a@b.example [Shop][2] [Logo]\n\n\
         [1]: https://a.example/o\n[2]: https://c.example",
    );
}

#[test]
fn what_stands_beside_each_other_stays_apart_and_one_target_has_one_number() {
    check(
        "<a href='https://a.example/'>a</a><a href='https://b.example/x'>b</a><img alt=c><a href='https://a.example/'>d</a>",
        "[a][1] [b][2] [c] [d][1]\n\n[1]: https://a.example/\n[2]: https://b.example/x",
    );
}

#[test]
fn values_stay_isolated() {
    check("<p>طلب <bdi>2026-001</bdi></p>", "طلب \u{2068}2026-001\u{2069}");
}

#[test]
fn broken_and_deep_html_comes_to_an_end() {
    for html in
        ["", "<", "<p", "<table><td>", "</p></p>", "<table><tr><td colspan=999999999>a</table>"]
    {
        let _text = text_of(html);
    }
    let deep = "<div>".repeat(100_000);
    assert_eq!(text_of(&format!("{deep}a")), "a\n");
    let wide = "<td>a".repeat(100_000);
    assert!(text_of(&format!("<table><tr>{wide}</table>")).starts_with("a\n\na"));
}
