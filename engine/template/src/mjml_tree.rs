//! Corrects parsed MJML where the renderer would lose content: HTML, text and comments between the
//! sections of `mj-wrapper`, and the names of social networks.

use mrml::conditional_comment::ConditionalComment;
use mrml::mj_body::MjBodyChild;
use mrml::mj_raw::{MjRaw, MjRawChild};
use mrml::mj_social::MjSocialChild;
use mrml::mj_social_element::MjSocialElement;

/// Suffix of the network name for a link that opens a page instead of sharing it.
const NO_SHARE: &str = "-noshare";

/// Corrects a list of elements and their descendants.
pub(super) fn fix_elements(elements: &mut Vec<MjBodyChild>) {
    for element in elements {
        match element {
            MjBodyChild::MjColumn(column) => fix_elements(&mut column.children),
            MjBodyChild::MjGroup(group) => fix_elements(&mut group.children),
            MjBodyChild::MjHero(hero) => fix_elements(&mut hero.children),
            MjBodyChild::MjSection(section) => fix_elements(&mut section.children),
            MjBodyChild::MjWrapper(wrapper) => {
                close_conditional_comments(&mut wrapper.children);
                fix_elements(&mut wrapper.children);
            }
            MjBodyChild::MjSocial(social) => {
                for child in &mut social.children {
                    if let MjSocialChild::MjSocialElement(element) = child {
                        set_network_name(element);
                    }
                }
            }
            _ => {}
        }
    }
}

/// Closes the conditional comment for Outlook before the raw content of a wrapper, and reopens it
/// after the content. Without this, the renderer writes raw content into the comment, where only
/// Outlook shows it, and where the end of an inner comment closes the conditional comment.
fn close_conditional_comments(elements: &mut [MjBodyChild]) {
    for element in elements {
        let children = match element {
            MjBodyChild::Comment(comment) => vec![MjRawChild::Comment(std::mem::take(comment))],
            MjBodyChild::Text(text) => vec![MjRawChild::Text(std::mem::take(text))],
            MjBodyChild::MjRaw(raw) => std::mem::take(&mut raw.children),
            _ => continue,
        };
        let mark = |mark: &str| MjRawChild::ConditionalComment(ConditionalComment::from(mark));
        let mut all = vec![mark("<![endif]-->")];
        all.extend(children);
        all.push(mark("<!--[if mso | IE]>"));
        *element = MjBodyChild::MjRaw(MjRaw::new((), all));
    }
}

/// Sets `alt` of a social network's icon to the name of the network, or to an empty text if the
/// element has text.
fn set_network_name(element: &mut MjSocialElement) {
    if element.attributes.contains_key("alt") {
        return;
    }
    let name = element.attributes.get("name").and_then(Option::as_deref).unwrap_or_default();
    let name = name.strip_suffix(NO_SHARE).unwrap_or(name);
    if element.children.is_empty() && name.is_empty() {
        return;
    }
    let alt = if element.children.is_empty() { name.to_owned() } else { String::new() };
    element.attributes.insert("alt".to_owned(), Some(alt));
}

#[cfg(test)]
mod tests {
    use super::super::mjml::{Includes, compile};
    use super::super::plain::text_of;

    fn html(body: &str) -> String {
        let mjml = format!("<mjml><mj-body>{body}</mj-body></mjml>");
        compile("m", &mjml, &Includes::new()).ok().unwrap().html
    }

    fn section(text: &str) -> String {
        format!("<mj-section><mj-column><mj-text>{text}</mj-text></mj-column></mj-section>")
    }

    #[test]
    fn raw_content_of_a_wrapper_is_shown() {
        let (a, b) = (section("A"), section("B"));
        for (between, text) in [
            ("<mj-raw><p>RAW</p></mj-raw>", "A\n\nRAW\n\nB\n"),
            ("loose", "A\n\nloose\n\nB\n"),
            ("<!-- c -->", "A\n\nB\n"),
            ("{{#if x}}", "A\n\n{{#if x}}\n\nB\n"),
        ] {
            let html = html(&format!("<mj-wrapper>{a}{between}{b}</mj-wrapper>"));
            assert_eq!(text_of(&html), text, "{between}");
            // A nested comment would end the conditional comment.
            for outlook in html.split("<!--[if mso").skip(1) {
                let (inner, _) = outlook.split_once("-->").unwrap();
                assert!(inner.ends_with("<![endif]"), "{inner}");
            }
        }
    }

    #[test]
    fn icons_of_social_networks_have_their_names() {
        let social = |attributes: &str, text: &str| {
            html(&format!(
                "<mj-section><mj-column><mj-social><mj-social-element {attributes}>{text}</mj-social-element></mj-social></mj-column></mj-section>"
            ))
        };
        assert!(social("name=\"facebook-noshare\"", "").contains("alt=\"facebook\""));
        assert!(social("name=\"facebook\" alt=\"f\"", "").contains("alt=\"f\""));
        assert!(social("name=\"facebook\"", "Our page").contains("alt=\"\""));
        assert!(!social("src=\"https://a.example/x.png\"", "").contains("alt="));
    }
}
