//! What a hand-written step takes from its answer: `extract = { token = "json:$.token" }`.

use serde::de::{Error as _, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::find::Finder;

/// A value that later steps send as `${name}`.
#[derive(Clone, Debug, PartialEq)]
pub struct Extract {
    /// What they call it.
    pub name: String,
    /// Where it stands.
    pub from: Finder,
    /// Where it is not there the step is right all the same, and an earlier value stays.
    pub optional: bool,
}

/// All that one step takes, in the order of the file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExtractList(pub Vec<Extract>);

impl ExtractList {
    /// Whether it takes nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Long {
    from: Finder,
    #[serde(default)]
    optional: bool,
}

impl Serialize for ExtractList {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for one in &self.0 {
            if one.optional {
                map.serialize_entry(&one.name, &Long { from: one.from.clone(), optional: true })?;
            } else {
                map.serialize_entry(&one.name, &one.from)?;
            }
        }
        map.end()
    }
}

/// A place, or a table with one.
struct Body(Long);

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Long;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(
                    "a place such as \"json:$.token\", or { from = \"json:$.token\", optional = true }",
                )
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Long, E> {
                Ok(Long { from: text.parse().map_err(E::custom)?, optional: false })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Long, A::Error> {
                Long::deserialize(serde::de::value::MapAccessDeserializer::new(map))
            }
        }

        deserializer.deserialize_any(Either).map(Body)
    }
}

/// Whether a value can be called so: what stands in `${…}` with a meaning of its own cannot.
fn check_name(name: &str) -> Result<(), String> {
    let fine = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
    if fine {
        Ok(())
    } else {
        Err(format!("'{name}' is no name for a value: letters, digits, '_' and '-' make one"))
    }
}

impl<'de> Deserialize<'de> for ExtractList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;

        impl<'de> Visitor<'de> for All {
            type Value = ExtractList;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a table of names and places, such as { token = \"json:$.token\" }")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ExtractList, A::Error> {
                let mut list = Vec::new();
                while let Some((name, Body(Long { from, optional }))) = map.next_entry::<String, Body>()? {
                    check_name(&name).map_err(A::Error::custom)?;
                    list.push(Extract { name, from, optional });
                }
                Ok(ExtractList(list))
            }
        }

        deserializer.deserialize_map(All)
    }
}
