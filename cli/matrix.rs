//! One page with every mail in every language, light and dark, narrow and wide, to look through at once.

use std::fmt::Write as _;

use crate::preview::Preview;

/// Widths in pixels of a small telephone, and of a window beside a list of mails.
const WIDTHS: [u32; 2] = [320, 600];
/// Mails whose frames are filled at once; those of the others when they come into view.
const EAGER: usize = 24;
const SCHEMES: [&str; 2] = ["light", "dark"];

/// Makes the page. Each mail stands in a frame that runs nothing; the frames of the dark ones ask for dark.
pub(crate) fn page(name: &str, cells: &[(String, Preview)]) -> String {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n<title>Mails of {}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>Mails of {}</h1>\n",
        escaped(name),
        escaped(name)
    );
    for (position, (locale, Preview { key, template, mail, .. })) in cells.iter().enumerate() {
        let loading = if position < EAGER { "eager" } else { "lazy" };
        let id = format!("{template}-{locale}-{key}");
        // Writing to a string cannot fail.
        let _written = write!(
            page,
            "<section id=\"{}\">\n<h2>{} <small>{} · {}</small></h2>\n<p dir=\"auto\">{}</p>\n<div class=\"row\">\n",
            escaped(&id),
            escaped(key),
            escaped(template),
            escaped(locale),
            escaped(&mail.subject),
        );
        for scheme in SCHEMES {
            for width in WIDTHS {
                let _written = writeln!(
                    page,
                    "<figure><figcaption>{scheme}, {width} px</figcaption><iframe title=\"{}, {scheme}, {width} pixels\" sandbox loading=\"{loading}\" width=\"{width}\" height=\"640\" style=\"color-scheme:{scheme}\" srcdoc=\"{}\"></iframe></figure>",
                    escaped(&id),
                    escaped(&mail.html),
                );
            }
        }
        page.push_str("</div>\n</section>\n");
    }
    page.push_str("</body>\n</html>\n");
    page
}

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;margin:1.5rem;color:#1d2430;background:#e9ecf1}\
h2{font-size:1.1rem;margin:2rem 0 0}small{font-weight:400;color:#4d5666}p{margin:.25rem 0 .75rem}\
.row{display:flex;flex-wrap:wrap;gap:1rem;align-items:flex-start}figure{margin:0}\
figcaption{font-size:.85rem;color:#4d5666}iframe{border:1px solid #b4bcc8;background:Canvas}";

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;")
}
