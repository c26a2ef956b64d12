//! The elements and texts of an XML document, one after the other. Document types, and with them entities of the document's
//! own, are refused, and nesting is bounded.

use std::io::BufRead;

use quick_xml::events::attributes::{AttrError, Attribute};
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

/// Deepest nesting of elements.
const MAX_DEPTH: usize = 200;
/// Longest text of an element, bytes.
const MAX_TEXT_BYTES: usize = 100_000_000;

/// A part of a document. Names are without their prefixes.
#[derive(Debug)]
pub(super) enum Part {
    /// The start of an element.
    Start {
        /// Its name.
        name: String,
        /// Its attributes.
        attributes: Vec<(String, String)>,
    },
    /// The end of an element, with the text in it since the last start or end.
    End {
        /// Its name.
        name: String,
        /// Its text, trimmed.
        text: String,
    },
}

/// Reads the parts of a document.
pub(super) struct XmlParts<R> {
    reader: Reader<R>,
    buffer: Vec<u8>,
    text: String,
    depth: usize,
}

impl<R: BufRead> XmlParts<R> {
    pub(super) fn new(source: R) -> Self {
        let mut reader = Reader::from_reader(source);
        reader.config_mut().expand_empty_elements = true;
        Self { reader, buffer: Vec::new(), text: String::new(), depth: 0 }
    }

    /// The next part; `None` at the end.
    ///
    /// # Errors
    /// When the document is not well-formed, has a document type, or is nested too deeply.
    pub(super) fn next(&mut self) -> Result<Option<Part>, String> {
        loop {
            self.buffer.clear();
            let event = self.reader.read_event_into(&mut self.buffer).map_err(|error| error.to_string())?;
            match event {
                Event::Start(start) => {
                    self.depth += 1;
                    if self.depth > MAX_DEPTH {
                        return Err(format!("its elements are nested more than {MAX_DEPTH} deep"));
                    }
                    self.text.clear();
                    return part_of(&start).map(Some);
                }
                Event::End(end) => {
                    self.depth = self.depth.saturating_sub(1);
                    let name = end.local_name().as_ref().to_owned();
                    let text = std::mem::take(&mut self.text).trim().to_owned();
                    return Ok(Some(Part::End { name, text }));
                }
                Event::Text(text) => self.text.push_str(&text.xml10_content()),
                Event::CData(text) => self.text.push_str(&text.xml10_content()),
                Event::GeneralRef(reference) => {
                    match reference.resolve_char_ref().map_err(|error| error.to_string())? {
                        Some(character) => self.text.push(character),
                        None => match quick_xml::escape::resolve_predefined_entity(&reference.xml10_content()) {
                            Some(character) => self.text.push_str(character),
                            None => return Err("it uses an entity of its own".to_owned()),
                        },
                    }
                }
                Event::DocType(_) => return Err("it has a document type, which is not accepted".to_owned()),
                Event::Eof if self.depth > 0 => return Err("it ends within an element".to_owned()),
                Event::Eof => return Ok(None),
                Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            }
            if self.text.len() > MAX_TEXT_BYTES {
                return Err(format!("an element has a text of more than {MAX_TEXT_BYTES} bytes"));
            }
        }
    }
}

fn part_of(start: &BytesStart<'_>) -> Result<Part, String> {
    let attribute = |attribute: Result<Attribute<'_>, AttrError>| {
        let attribute = attribute.map_err(|error| error.to_string())?;
        let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|error| error.to_string())?;
        Ok((attribute.key.local_name().as_ref().to_owned(), value.into_owned()))
    };
    let attributes = start.attributes().map(attribute).collect::<Result<Vec<_>, String>>()?;
    Ok(Part::Start { name: start.local_name().as_ref().to_owned(), attributes })
}
