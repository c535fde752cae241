//! The options of a call as one JSON object.

use honker_domain::{Error, Result};
use serde_json::Value as Json;

use crate::arguments::{Arguments, Value};

/// The parsed object, from which values are borrowed.
pub struct Options {
    argument: &'static str,
    given: serde_json::Map<String, Json>,
}

impl Options {
    /// Parses the argument at `index`; NULL means no options.
    pub fn parse(arguments: &Arguments<'_>, index: usize, argument: &'static str) -> Result<Self> {
        let given = match arguments.optional_text(index, argument)? {
            Some(json) => serde_json::from_str(json)
                .map_err(|error| Error::invalid(argument, format!("is not a JSON object: {error}")))?,
            None => serde_json::Map::new(),
        };
        Ok(Self { argument, given })
    }

    /// From an object within an argument.
    pub const fn new(argument: &'static str, given: serde_json::Map<String, Json>) -> Self {
        Self { argument, given }
    }

    /// The option of this name, if it is given and not null.
    pub fn get(&self, name: &str) -> Option<&Json> {
        self.given.get(name).filter(|value| !value.is_null())
    }

    /// Refuses an option that is none of these.
    pub fn require_known(&self, names: &[&str]) -> Result<()> {
        match self.given.keys().find(|given| !names.contains(&given.as_str())) {
            None => Ok(()),
            Some(unknown) => {
                let problem = format!("has the unknown option {unknown:?}; the options are {}", names.join(", "));
                Err(Error::invalid(self.argument, problem))
            }
        }
    }

    /// Puts each option into its place among the arguments of the positional form, which checks it. `others` are options that
    /// have no such place.
    pub fn place<'a>(
        &'a self,
        places: &[(usize, &'static str)],
        others: &[&'static str],
        row: &mut Arguments<'a>,
    ) -> Result<()> {
        for (name, json) in self.given.iter().filter(|(name, _)| !others.contains(&name.as_str())) {
            let Some((index, name)) = places.iter().find(|(_, known)| known == name) else {
                let known = places.iter().map(|(_, known)| *known).chain(others.iter().copied());
                let known = known.collect::<Vec<_>>().join(", ");
                let problem = format!("has the unknown option {name:?}; the options are {known}");
                return Err(Error::invalid(self.argument, problem));
            };
            row.set(*index, value(json).ok_or_else(|| not_a_scalar(name))?);
        }
        Ok(())
    }
}

fn not_a_scalar(name: &'static str) -> Error {
    Error::invalid(name, "must be a JSON number, string or null")
}

fn value(json: &Json) -> Option<Value<'_>> {
    Some(match json {
        Json::Null => Value::Null,
        Json::Number(number) => number_value(number),
        Json::String(text) => Value::Text(text.as_bytes()),
        Json::Bool(_) | Json::Array(_) | Json::Object(_) => return None,
    })
}

/// A JSON number as SQL would give it.
pub fn number_value(number: &serde_json::Number) -> Value<'static> {
    // A number that fits neither is an integer beyond 64 bits, which no range allows. Infinity is outside each of them
    // too.
    number.as_i64().map_or_else(|| Value::from_real(number.as_f64().unwrap_or(f64::INFINITY)), Value::Integer)
}
