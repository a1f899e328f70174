//! Lists whose items have a name: as a table by name (`[correlation.csrf]`), or as a list (`[[correlation]] name = "csrf"`).

use std::fmt;
use std::marker::PhantomData;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{DataSet, EndpointEntry, IdentityColumn, RowOrder, Vary};
use crate::{Correlation, Site};

/// An item that can stand under its name.
pub(super) trait Named: Sized {
    /// What stands there.
    type Body: for<'de> Deserialize<'de>;

    fn named(name: String, body: Self::Body) -> Result<Self, crate::Error>;
}

/// Reads either form.
pub(super) fn list_or_table<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Named + Deserialize<'de>,
{
    struct Either<T>(PhantomData<T>);

    impl<'de, T: Named + Deserialize<'de>> Visitor<'de> for Either<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a table by name, or a list")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
            let mut list = Vec::new();
            while let Some(item) = items.next_element()? {
                list.push(item);
            }
            Ok(list)
        }

        fn visit_map<A: MapAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
            let mut list = Vec::new();
            while let Some((name, body)) = items.next_entry::<String, T::Body>()? {
                list.push(T::named(name, body).map_err(serde::de::Error::custom)?);
            }
            Ok(list)
        }
    }

    deserializer.deserialize_any(Either(PhantomData))
}

impl Named for EndpointEntry {
    type Body = u64;

    fn named(name: String, requests: u64) -> Result<Self, crate::Error> {
        Ok(EndpointEntry { endpoint: name.parse()?, requests: Some(requests).filter(|&count| count > 0) })
    }
}

impl Named for IdentityColumn {
    type Body = Vec<Site>;

    fn named(name: String, to: Vec<Site>) -> Result<Self, crate::Error> {
        Ok(IdentityColumn { name, to })
    }
}

/// A [`Correlation`] without its name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CorrelationBody {
    from: Vec<Site>,
    to: Vec<Site>,
    format: Option<String>,
    enabled: Option<bool>,
    evidence: Option<String>,
}

impl Named for Correlation {
    type Body = CorrelationBody;

    fn named(name: String, body: CorrelationBody) -> Result<Self, crate::Error> {
        let CorrelationBody { from, to, format, enabled, evidence } = body;
        Ok(Correlation { name, from, to, format, enabled: enabled.unwrap_or(true), evidence })
    }
}

/// A [`Vary`] without its name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VaryBody {
    at: Option<Vec<Site>>,
    make: super::Maker,
    enabled: Option<bool>,
    evidence: Option<String>,
}

impl Named for Vary {
    type Body = VaryBody;

    fn named(name: String, body: VaryBody) -> Result<Self, crate::Error> {
        let VaryBody { at, make, enabled, evidence } = body;
        Ok(Vary { name, at: at.unwrap_or_default(), make, enabled: enabled.unwrap_or(true), evidence })
    }
}

/// A [`DataSet`] without its name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DataBody {
    file: String,
    pick: Option<RowOrder>,
}

impl Named for DataSet {
    type Body = DataBody;

    fn named(name: String, DataBody { file, pick }: DataBody) -> Result<Self, crate::Error> {
        Ok(DataSet { name, file, pick: pick.unwrap_or_default() })
    }
}
