//! A page with every e-mail in every language, light and dark, narrow and wide.

use std::fmt::Write as _;

use crate::emails::preview::Preview;

/// Widths in pixels of a small phone and of a reading pane.
const WIDTHS: [u32; 2] = [320, 600];
/// Height of an empty frame in pixels.
const HEIGHT: u32 = 640;
const SCHEMES: [&str; 2] = ["light", "dark"];

/// Returns the page. It shows each e-mail in sandboxed frames without scripts, which are filled
/// when they come near the viewport. The frames for the dark scheme set `color-scheme: dark`.
pub(crate) fn page(name: &str, cells: &[(String, Preview)]) -> String {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n<title>E-mails of {name}</title>\n<style>{STYLE}</style>\n<script>{SCRIPT}</script>\n</head>\n<body>\n<h1>E-mails of {name}</h1>\n",
        name = escaped(name)
    );
    index(&mut page, cells);
    for (position, (locale, Preview { key, template, mail, .. })) in cells.iter().enumerate() {
        let id = format!("{template}-{locale}-{key}");
        // Writing to a string cannot fail.
        let _written = write!(
            page,
            "<section id=\"mail-{position}\">\n<h2>{} <small>{} · {} · <a href=\"#mails\">All e-mails</a></small></h2>\n<p dir=\"auto\">{}</p>\n<div class=\"row\">\n",
            escaped(key),
            escaped(template),
            escaped(locale),
            escaped(&mail.subject),
        );
        for scheme in SCHEMES {
            for width in WIDTHS {
                let _written = writeln!(
                    page,
                    "<figure><figcaption>{scheme}, {width} px</figcaption><iframe title=\"{}, {scheme}, {width} pixels\" sandbox=\"allow-same-origin\" loading=\"lazy\" width=\"{width}\" height=\"{HEIGHT}\" style=\"color-scheme:{scheme}\"></iframe></figure>",
                    escaped(&id),
                );
            }
        }
        // All frames of an e-mail share one copy. An unescaped `<` could close the script element.
        let html = serde_json::Value::from(&*mail.html).to_string().replace('<', "\\u003c");
        let _written = writeln!(page, "<script type=\"application/json\">{html}</script>");
        page.push_str("</div>\n</section>\n");
    }
    page.push_str("</body>\n</html>\n");
    page
}

/// Writes the index: a list of all e-mails with links to their sections.
fn index(page: &mut String, cells: &[(String, Preview)]) {
    page.push_str("<nav id=\"mails\" aria-label=\"E-mails\">\n<ol>\n");
    for (position, (locale, Preview { key, template, .. })) in cells.iter().enumerate() {
        let _written = writeln!(
            page,
            "<li><a href=\"#mail-{position}\">{}</a> <small>{} · {}</small></li>",
            escaped(key),
            escaped(template),
            escaped(locale),
        );
    }
    page.push_str("</ol>\n</nav>\n");
}

/// Fills a frame when it comes near the viewport and sets its height to that of the e-mail.
/// Chromium ignores `loading` for frames with `srcdoc`. Scripts in the e-mail stay disabled.
const SCRIPT: &str = "const fill=frame=>{if(!frame.srcdoc)frame.srcdoc=JSON.parse(frame.closest('section').querySelector('script').textContent)};\
document.addEventListener('load',({target:frame})=>{\
const page=frame.contentDocument;if(!page||page.URL!=='about:srcdoc')return;\
const fit=()=>{frame.height=1;frame.height=page.documentElement.scrollHeight+frame.offsetHeight-frame.clientHeight};\
fit();new ResizeObserver(fit).observe(page.body)},true);\
document.addEventListener('DOMContentLoaded',()=>{\
const near=new IntersectionObserver(frames=>{for(const{target,isIntersecting}of frames)if(isIntersecting){near.unobserve(target);fill(target)}},{rootMargin:'1000px'});\
for(const frame of document.querySelectorAll('iframe'))near.observe(frame)});\
addEventListener('beforeprint',()=>document.querySelectorAll('iframe').forEach(fill));";

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;margin:1.5rem;color:#1d2430;background:#e9ecf1}\
h2{font-size:1.1rem;margin:2rem 0 0}small{font-weight:400;color:#4d5666}p{margin:.25rem 0 .75rem}\
.row{display:flex;flex-wrap:wrap;gap:1rem;align-items:flex-start}figure{margin:0}\
nav ol{columns:18rem;margin:1rem 0;padding-inline-start:2.5rem}section{scroll-margin:1rem}\
figcaption{font-size:.85rem;color:#4d5666}iframe{border:1px solid #b4bcc8;background:Canvas}";

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;")
}
