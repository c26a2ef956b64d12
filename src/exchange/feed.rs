//! The links of a feed: Atom (RFC 4287) and RSS 2.0.

use roxmltree::{Document, Node};

/// Media type of an alert.
const CAP: &str = "application/cap+xml";

/// The link of each entry, in the order of the feed; `None` if the document is no feed.
#[must_use]
pub fn links(document: &[u8]) -> Option<Vec<String>> {
    let text = std::str::from_utf8(document).ok()?;
    let document = Document::parse(text.trim_start_matches('\u{feff}')).ok()?;
    let root = document.root_element();
    match root.tag_name().name() {
        "feed" => Some(children(root, "entry").filter_map(atom_link).collect()),
        "rss" => {
            let items = children(root, "channel").flat_map(|channel| children(channel, "item"));
            Some(items.filter_map(rss_link).collect())
        }
        _ => None,
    }
}

/// The alert of an entry if it names one, otherwise the entry itself.
fn atom_link(entry: Node<'_, '_>) -> Option<String> {
    let link = |accepts: &dyn Fn(Node<'_, '_>) -> bool| {
        let link = children(entry, "link").find(|link| accepts(*link))?;
        link.attribute("href").map(str::to_owned)
    };
    let is_alert = |link: Node<'_, '_>| link.attribute("type").is_some_and(|kind| kind.starts_with(CAP));
    let is_entry = |link: Node<'_, '_>| matches!(link.attribute("rel"), None | Some("alternate"));
    link(&is_alert).or_else(|| link(&is_entry))
}

fn rss_link(item: Node<'_, '_>) -> Option<String> {
    let link = children(item, "link").next().and_then(|link| link.text()).map(str::trim);
    let enclosed = children(item, "enclosure").find_map(|own| own.attribute("url"));
    link.filter(|link| !link.is_empty()).or(enclosed).map(str::to_owned)
}

fn children<'a, 'input>(node: Node<'a, 'input>, name: &'static str) -> impl Iterator<Item = Node<'a, 'input>> {
    node.children().filter(move |child| child.tag_name().name() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_take_precedence_over_pages_and_other_documents_are_no_feeds() {
        let atom = "<feed xmlns='http://www.w3.org/2005/Atom'><link href='self'/><entry><link href='page'/>\
            <link type='application/cap+xml' href='alert?a=1&amp;b=2'/></entry><entry><link rel='alternate' \
            href='second'/></entry><entry><link rel='edit' href='no'/></entry></feed>";
        assert_eq!(links(atom.as_bytes()), Some(vec!["alert?a=1&b=2".to_owned(), "second".to_owned()]));
        let rss = "<rss><channel><link>self</link><item><link> one </link></item><item><enclosure url='two'/></item>\
            <item><link/></item></channel></rss>";
        assert_eq!(links(rss.as_bytes()), Some(vec!["one".to_owned(), "two".to_owned()]));
        for none in ["<alert/>", "{}", "", "<!DOCTYPE x [<!ENTITY e 'x'>]><feed/>"] {
            assert_eq!(links(none.as_bytes()), None, "{none}");
        }
        assert_eq!(links(&[0xff, 0xfe]), None);
    }
}
