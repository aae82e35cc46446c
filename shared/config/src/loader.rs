//! Sections from the environment.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;

use crate::{
    error::{ConfigError, Problem},
    fields::{field_names, variable_name},
};

/// Every variable of Alioth's begins so: one that no section knows is a mistake.
const NAMESPACE: &str = "ALIOTH_";

/// OpenTelemetry's standard variables, which a cluster may set for all its programs: what no section
/// knows of them is somebody else's. Whatever begins otherwise is not looked at.
const SHARED_NAMESPACE: &str = "OTEL_";

/// A flat struct of settings, each field one variable: prefix + field name in upper case.
///
/// Derive `Deserialize` with `#[serde(default)]`: a variable that is not set takes the field's
/// value from `Default`. What must be set is checked in [`Section::problems`].
pub trait Section: DeserializeOwned + Default {
    /// What the names of its variables begin with, as in `ALIOTH_AMQP_`.
    const PREFIX: &'static str;

    /// Names what is wrong with the values taken together: field in upper case, and message.
    fn problems(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}

/// Reads sections and collects what is wrong with them.
#[derive(Debug)]
pub struct Loader {
    variables: BTreeMap<String, String>,
    known: BTreeSet<String>,
    problems: Vec<Problem>,
}

impl Loader {
    /// Takes the variables of Alioth's, and those it shares, out of any environment.
    pub fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let ours = variables
            .into_iter()
            // Kubernetes sets a variable to "" where a referenced key was left blank.
            .filter(|(name, value)| is_looked_at(name) && !value.is_empty())
            .collect();
        Self {
            variables: ours,
            known: BTreeSet::new(),
            problems: Vec::new(),
        }
    }

    /// Takes the process's environment; a value that is no UTF-8 becomes a problem.
    pub fn from_process() -> Self {
        let mut readable = Vec::new();
        let mut problems = Vec::new();
        for (name, value) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            match value.into_string() {
                Ok(value) => readable.push((name, value)),
                Err(_) if name.starts_with(NAMESPACE) => problems.push(Problem {
                    variable: name,
                    message: "is not UTF-8".to_owned(),
                }),
                Err(_) => {}
            }
        }
        let mut loader = Self::new(readable);
        for problem in problems {
            loader.known.insert(problem.variable.clone());
            loader.problems.push(problem);
        }
        loader
    }

    /// Reads one section. Problems are kept for [`Loader::finish`]; what has one takes its default.
    pub fn section<T: Section>(&mut self) -> T {
        let mut good = Vec::new();
        for field in field_names::<T>() {
            let name = variable_name(T::PREFIX, field);
            if let Some(value) = self.variables.get(&name) {
                let pair = (name.clone(), value.clone());
                // envy stops at the first problem of a section, so each variable is tried alone.
                match read::<T>([pair.clone()]) {
                    Ok(_) => good.push(pair),
                    Err(message) => self.report(name.clone(), message),
                }
            }
            self.known.insert(name);
        }
        let section = read::<T>(good).unwrap_or_else(|message| {
            self.report(format!("{}*", T::PREFIX), message);
            T::default()
        });
        for (field, message) in section.problems() {
            self.report(format!("{}{field}", T::PREFIX), message);
        }
        section
    }

    /// Whether a variable is set to anything, good or bad.
    pub fn is_set(&self, name: &str) -> bool {
        self.variables.contains_key(name)
    }

    /// Takes a variable that says where the value of `name` is found. Beside a value of its own it is a problem.
    pub fn reference(&mut self, name: &str, reference: &str) -> Option<String> {
        let found = self.variables.get(reference).cloned()?;
        self.known.insert(reference.to_owned());
        if self.is_set(name) {
            self.report(reference.to_owned(), format!("cannot be beside {name}"));
            return None;
        }
        Some(found)
    }

    /// Puts in the value of `name` that was found where [`Loader::reference`] said.
    pub fn provide(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    /// Reports a variable that has to be set and is not: whether one has to be is sometimes the
    /// process's to say, not its section's.
    pub fn require(&mut self, name: &str) {
        if !self.is_set(name) {
            self.report(name.to_owned(), "is not set".to_owned());
        }
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// Every problem found, and every `ALIOTH_*` variable that no section read. Not transient.
    pub fn finish(mut self) -> Result<(), ConfigError> {
        for name in self.variables.keys() {
            if name.starts_with(NAMESPACE) && !self.known.contains(name) {
                self.problems.push(Problem {
                    variable: name.clone(),
                    message: unknown(name, &self.known),
                });
            }
        }
        if self.problems.is_empty() {
            return Ok(());
        }
        Err(ConfigError {
            problems: self.problems,
        })
    }

    fn report(&mut self, variable: String, message: String) {
        self.problems.push(Problem { variable, message });
    }
}

fn read<T: Section>(pairs: impl IntoIterator<Item = (String, String)>) -> Result<T, String> {
    envy::prefixed(T::PREFIX)
        .from_iter(pairs)
        .map_err(|error| match error {
            envy::Error::MissingValue(field) => format!("{field} is not set"),
            // envy ends its message with the value itself, which may be secret.
            envy::Error::Custom(message) => match message.split_once(" while parsing value") {
                Some((reason, _)) => reason.to_owned(),
                None => message,
            },
        })
}

fn is_looked_at(name: &str) -> bool {
    name.starts_with(NAMESPACE) || name.starts_with(SHARED_NAMESPACE)
}

fn unknown(name: &str, known: &BTreeSet<String>) -> String {
    let nearest = known
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .min();
    match nearest {
        // Farther than that it is another word, not a slip.
        Some((distance, candidate)) if distance <= 4 => {
            format!("is no setting of this function; did you mean {candidate}?")
        }
        _ => "is no setting of this function".to_owned(),
    }
}

#[cfg(test)]
mod tests;
