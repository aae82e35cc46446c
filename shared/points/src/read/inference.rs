//! Inference objects: a text, an image or anything, and the model that makes a vector of it. They are
//! passed on as they are.
use super::Reader;
use crate::error::{Fault, Parsed};
use crate::json::Member;
use crate::wire::{close, open, put_bytes};

/// `Vector.document`, `.image`, `.object`.
const DOCUMENT: &[u8] = &[0xc2, 0x06];
const IMAGE: &[u8] = &[0xca, 0x06];
const OBJECT: &[u8] = &[0xd2, 0x06];
/// `Document.text`, `.model`, `.options`.
const DOCUMENT_TEXT: u8 = 0x0a;
const DOCUMENT_MODEL: u8 = 0x1a;
const DOCUMENT_OPTIONS: u8 = 0x22;
/// `Image.image`, `InferenceObject.object`; their `.model` and `.options`.
const INPUT: u8 = 0x0a;
const MODEL: u8 = 0x12;
const OPTIONS: u8 = 0x1a;

impl Reader<'_> {
    /// Whether the object at `object` names a model, and so is no vector yet.
    pub(super) fn is_inference(&self, object: usize) -> bool {
        let model = self.json.find_member(object, b"model");
        model.is_some_and(|at| self.json.probe(at).peek() == Some(b'"'))
    }

    /// Writes an inference object as a variant of `Vector`, which is `level` messages down.
    pub(super) fn inference(&mut self, level: u32) -> Parsed<()> {
        let start = self.json.offset();
        let members = self.json.members("an inference object")?;
        let end = self.json.offset();
        let find = |key: &[u8]| members.iter().find(|member| *member.key == *key);
        let Some(model) = find(b"model") else {
            return Err(Fault::wrong_type(start, "missing").within("model"));
        };
        let options = find(b"options");
        match (find(b"text"), find(b"image"), find(b"object")) {
            (Some(text), _, _) => self.document(text, model, options, level)?,
            (None, Some(input), _) => self.input(IMAGE, input, model, options, level)?,
            (None, None, Some(input)) => self.input(OBJECT, input, model, options, level)?,
            (None, None, None) => {
                return Err(Fault::wrong_type(
                    start,
                    "expected `text`, `image` or `object` beside `model`",
                ));
            }
        }
        self.json.go(end);
        Ok(())
    }

    fn document(
        &mut self,
        text: &Member<'_>,
        model: &Member<'_>,
        options: Option<&Member<'_>>,
        level: u32,
    ) -> Parsed<()> {
        let document = open(&mut self.draft.arena, DOCUMENT, 0);
        self.put_string(DOCUMENT_TEXT, text)?;
        self.put_string(DOCUMENT_MODEL, model)?;
        self.put_options(DOCUMENT_OPTIONS, options, level + 1)?;
        close(&mut self.draft.arena, document);
        Ok(())
    }

    fn input(
        &mut self,
        tag: &[u8],
        input: &Member<'_>,
        model: &Member<'_>,
        options: Option<&Member<'_>>,
        level: u32,
    ) -> Parsed<()> {
        let message = open(&mut self.draft.arena, tag, 0);
        self.json.go(input.value);
        self.value(INPUT, level + 2)
            .map_err(|fault| fault.within(&String::from_utf8_lossy(&input.key)))?;
        self.put_string(MODEL, model)?;
        self.put_options(OPTIONS, options, level + 1)?;
        close(&mut self.draft.arena, message);
        Ok(())
    }

    fn put_string(&mut self, tag: u8, member: &Member<'_>) -> Parsed<()> {
        self.json.go(member.value);
        if self.json.peek() != Some(b'"') {
            return Err(self
                .json
                .unexpected("a string")
                .within(&String::from_utf8_lossy(&member.key)));
        }
        let text = self.json.text()?;
        if !text.is_empty() {
            put_bytes(&mut self.draft.arena, tag, &text);
        }
        Ok(())
    }

    /// Options of a model, in a message that is `level` messages down.
    fn put_options(&mut self, tag: u8, options: Option<&Member<'_>>, level: u32) -> Parsed<()> {
        let Some(options) = options else {
            return Ok(());
        };
        self.json.go(options.value);
        if self.json.take_null()? {
            return Ok(());
        }
        self.fields(tag, level)
            .map_err(|fault| fault.within("options"))
    }
}
