//! Credentials of virtual users, from a CSV file.

use std::path::Path;

use mynah_traffic::scenario::Rows;

use crate::Error;

/// The rows of the identities' file; without a file, none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Identities {
    pub(crate) columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Identities {
    /// Reads a CSV file whose first row names the columns. `wanted`: columns that the scenario sends.
    pub(crate) fn read(path: &Path, wanted: &[&str]) -> Result<Identities, Error> {
        let Rows { columns, rows } = Rows::read(path, wanted)?;
        Ok(Identities { columns, rows })
    }

    /// Rows that there are.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The value of a column for the user with this number.
    pub(crate) fn value(&self, user: u64, column: usize) -> Option<&str> {
        let row = self.rows.get((user % (self.rows.len() as u64).max(1)) as usize)?;
        row.get(column).map(String::as_str)
    }
}
