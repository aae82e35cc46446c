//! Why a body is no write: the public error, and the fault it is built from while the parser unwinds.
//! Never on the way of a good body.
use std::fmt;

/// Why a body is no write. None of these is transient: the same body fails again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// Not JSON (400). Line and column are 1-based, the offset is 0-based; all count bytes.
    #[error("{message} at line {line} column {column}")]
    Syntax {
        /// 1-based.
        line: usize,
        /// 1-based, in bytes.
        column: usize,
        /// 0-based, in bytes.
        offset: usize,
        /// What is wrong.
        message: String,
    },
    /// JSON of the wrong type, a field missing or given twice (400).
    #[error("{path}: {message} at line {line} column {column}")]
    Type {
        /// 1-based.
        line: usize,
        /// 1-based, in bytes.
        column: usize,
        /// Where in the document, as in `batch.ids[3]`.
        path: String,
        /// What is wrong.
        message: String,
    },
    /// A well-formed body that cannot be written (422).
    #[error("{}{field}: {message}", point.as_ref().map(|p| format!("{p}: ")).unwrap_or_default())]
    Invalid {
        /// Which point, when it is one's fault.
        point: Option<PointRef>,
        /// As in `vector.title[3]`.
        field: String,
        /// What is wrong.
        message: String,
    },
}

impl WriteError {
    /// Whether the same body may be taken later: never, it is the body that is wrong.
    pub fn is_transient(&self) -> bool {
        match self {
            WriteError::Syntax { .. } | WriteError::Type { .. } | WriteError::Invalid { .. } => {
                false
            }
        }
    }
}

/// Names a point of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PointRef {
    /// 0-based position in the write.
    pub index: usize,
    /// Its id as text, when it could be read.
    pub id: Option<String>,
}

impl fmt::Display for PointRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.id {
            Some(id) => write!(f, "point {} (id {id})", self.index),
            None => write!(f, "point {}", self.index),
        }
    }
}

/// Characters of a name that go into a path.
const LONGEST_SEGMENT: usize = 256;

/// What a parser's step returns. The fault is boxed so that the good case stays in registers.
pub(crate) type Parsed<T> = Result<T, Box<Fault>>;

/// A fault on its way up: every step it passes puts its own name before the path.
#[derive(Debug)]
pub(crate) struct Fault {
    kind: FaultKind,
    offset: usize,
    path: String,
    point: Option<usize>,
    message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FaultKind {
    Syntax,
    Type,
    Invalid,
}

impl Fault {
    #[cold]
    pub(crate) fn syntax(offset: usize, message: impl Into<String>) -> Box<Fault> {
        Fault::new(FaultKind::Syntax, offset, message.into())
    }

    #[cold]
    pub(crate) fn wrong_type(offset: usize, message: impl Into<String>) -> Box<Fault> {
        Fault::new(FaultKind::Type, offset, message.into())
    }

    #[cold]
    pub(crate) fn invalid(message: impl Into<String>) -> Box<Fault> {
        Fault::new(FaultKind::Invalid, 0, message.into())
    }

    fn new(kind: FaultKind, offset: usize, message: String) -> Box<Fault> {
        Box::new(Fault {
            kind,
            offset,
            path: String::new(),
            point: None,
            message,
        })
    }

    /// Puts `segment` before the path: a field's name, or `[3]`. A long one is cut: an answer is no place for
    /// megabytes of somebody's names.
    #[cold]
    pub(crate) fn within(mut self: Box<Self>, segment: &str) -> Box<Fault> {
        let dot = if self.path.is_empty() || self.path.starts_with('[') {
            ""
        } else {
            "."
        };
        let segment = shortened_to(LONGEST_SEGMENT, segment.as_bytes());
        self.path = format!("{segment}{dot}{}", self.path);
        self
    }

    /// Puts `[index]` before the path.
    #[cold]
    pub(crate) fn at_index(self: Box<Self>, index: usize) -> Box<Fault> {
        self.within(&format!("[{index}]"))
    }

    /// Says that point `index` is at fault. A wrong type keeps the place in the document, `container[index]`;
    /// an invalid point is named by its index alone, and its field is `field`.
    #[cold]
    pub(crate) fn of_point(
        mut self: Box<Self>,
        index: usize,
        field: &str,
        container: &str,
    ) -> Box<Fault> {
        match self.kind {
            FaultKind::Syntax => self,
            FaultKind::Type => self.at_index(index).within(container),
            FaultKind::Invalid => {
                self.point = Some(index);
                if field.is_empty() {
                    self
                } else {
                    self.within(field)
                }
            }
        }
    }

    /// Puts `batch` before the path, but for a point's fault: there the field is the point's.
    #[cold]
    pub(crate) fn in_batch(self: Box<Self>) -> Box<Fault> {
        match self.point {
            Some(_) => self,
            None => self.within("batch"),
        }
    }

    /// The error to answer with, the point's id told by `id_of`.
    #[cold]
    pub(crate) fn into_error(
        self,
        body: &[u8],
        id_of: impl FnOnce(usize) -> Option<String>,
    ) -> WriteError {
        let Fault {
            kind,
            offset,
            path,
            point,
            message,
        } = self;
        let (line, column) = position(body, offset);
        match kind {
            FaultKind::Syntax => WriteError::Syntax {
                line,
                column,
                offset,
                message,
            },
            FaultKind::Type => WriteError::Type {
                line,
                column,
                path: or_body(path),
                message,
            },
            FaultKind::Invalid => WriteError::Invalid {
                point: point.map(|index| PointRef {
                    index,
                    id: id_of(index),
                }),
                field: or_body(path),
                message,
            },
        }
    }
}

/// Text from a body, short enough for a message.
#[cold]
pub(crate) fn shortened(text: &[u8]) -> String {
    const MOST: usize = 60;
    shortened_to(MOST, text)
}

fn shortened_to(most: usize, text: &[u8]) -> String {
    // A character takes at most four bytes; what is looked at need not be all of a long text.
    let start = text.get(..4 * (most + 1)).unwrap_or(text);
    let start = String::from_utf8_lossy(start);
    match start.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &start[..end]),
        None => start.into_owned(),
    }
}

fn or_body(path: String) -> String {
    if path.is_empty() {
        "body".to_owned()
    } else {
        path
    }
}

/// 1-based line and column, in bytes, of `offset`.
fn position(body: &[u8], offset: usize) -> (usize, usize) {
    let before = body.get(..offset).unwrap_or(body);
    let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
    let column = 1 + before
        .iter()
        .rev()
        .take_while(|&&byte| byte != b'\n')
        .count();
    (line, column)
}
