//! Replaces `mj-include` elements with the included content. The MJML renderer does not pass the
//! available width to included elements, so an included section would be as wide as the window.

use mrml::mj_body::MjBodyChild;
use mrml::mj_include::body::MjIncludeBodyChild;

/// Replaces each inclusion in a list of elements and their descendants with the included elements.
pub(super) fn inline_includes(elements: &mut Vec<MjBodyChild>) {
    let taken = std::mem::take(elements);
    for element in taken {
        match element {
            MjBodyChild::MjInclude(include) => {
                elements.extend(include.0.children.into_iter().map(as_body_child))
            }
            other => elements.push(other),
        }
    }
    for element in elements {
        match element {
            MjBodyChild::MjColumn(column) => inline_includes(&mut column.children),
            MjBodyChild::MjGroup(group) => inline_includes(&mut group.children),
            MjBodyChild::MjHero(hero) => inline_includes(&mut hero.children),
            MjBodyChild::MjSection(section) => inline_includes(&mut section.children),
            MjBodyChild::MjWrapper(wrapper) => inline_includes(&mut wrapper.children),
            _ => {}
        }
    }
}

/// Converts an element of an included file into a body element.
fn as_body_child(element: MjIncludeBodyChild) -> MjBodyChild {
    match element {
        MjIncludeBodyChild::Comment(element) => MjBodyChild::Comment(element),
        MjIncludeBodyChild::MjAccordion(element) => MjBodyChild::MjAccordion(element),
        MjIncludeBodyChild::MjButton(element) => MjBodyChild::MjButton(element),
        MjIncludeBodyChild::MjCarousel(element) => MjBodyChild::MjCarousel(element),
        MjIncludeBodyChild::MjColumn(element) => MjBodyChild::MjColumn(element),
        MjIncludeBodyChild::MjDivider(element) => MjBodyChild::MjDivider(element),
        MjIncludeBodyChild::MjGroup(element) => MjBodyChild::MjGroup(element),
        MjIncludeBodyChild::MjHero(element) => MjBodyChild::MjHero(element),
        MjIncludeBodyChild::MjImage(element) => MjBodyChild::MjImage(element),
        MjIncludeBodyChild::MjNavbar(element) => MjBodyChild::MjNavbar(element),
        MjIncludeBodyChild::MjRaw(element) => MjBodyChild::MjRaw(element),
        MjIncludeBodyChild::MjSection(element) => MjBodyChild::MjSection(element),
        MjIncludeBodyChild::MjSocial(element) => MjBodyChild::MjSocial(element),
        MjIncludeBodyChild::MjSpacer(element) => MjBodyChild::MjSpacer(element),
        MjIncludeBodyChild::MjTable(element) => MjBodyChild::MjTable(element),
        MjIncludeBodyChild::MjText(element) => MjBodyChild::MjText(element),
        MjIncludeBodyChild::MjWrapper(element) => MjBodyChild::MjWrapper(element),
        MjIncludeBodyChild::Node(element) => MjBodyChild::Node(element),
        MjIncludeBodyChild::Text(element) => MjBodyChild::Text(element),
    }
}

#[cfg(test)]
mod tests {
    use super::super::mjml::{Includes, compile};

    #[test]
    fn an_included_section_is_as_wide_as_the_mail() {
        let section = "<mj-section><mj-column><mj-text>x</mj-text></mj-column></mj-section>";
        let includes =
            Includes::from([("s.mjml".to_owned(), ("p/s.mjml".to_owned(), section.to_owned()))]);
        let html = |body: &str| {
            let mjml = format!("<mjml><mj-body>{body}</mj-body></mjml>");
            compile("m", &mjml, &includes).ok().unwrap().html
        };
        assert_eq!(html("<mj-include path=\"s.mjml\" />"), html(section));
        let wrapped = |inner: &str| html(&format!("<mj-wrapper>{inner}</mj-wrapper>"));
        assert_eq!(wrapped("<mj-include path=\"s.mjml\" />"), wrapped(section));
    }
}
