//! Credentials of virtual users, from a CSV file.

use std::path::Path;

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
        let wrong = |message: String| Error::Config(format!("{}: {message}", path.display()));
        let mut reader = csv::ReaderBuilder::new()
            .trim(csv::Trim::Headers)
            .from_path(path)
            .map_err(|error| wrong(error.to_string()))?;
        let headers = reader.headers().map_err(|error| wrong(error.to_string()))?;
        // Spreadsheets write a byte order mark.
        let columns: Vec<String> =
            headers.iter().map(|name| name.trim_start_matches('\u{feff}').to_owned()).collect();
        for name in wanted {
            if !columns.iter().any(|column| column == name) {
                let hint = mynah_traffic::nearest(name, columns.iter().map(String::as_str))
                    .map(|meant| format!("; did you mean '{meant}'?"))
                    .unwrap_or_default();
                return Err(wrong(format!(
                    "there is no column '{name}' (there are: {}){hint}",
                    columns.join(", ")
                )));
            }
        }
        if let Some(twice) = columns.iter().enumerate().find(|(at, name)| columns[..*at].contains(name)) {
            return Err(wrong(format!("there are two columns '{}'", twice.1)));
        }
        let mut rows = Vec::new();
        for record in reader.records() {
            let record = record.map_err(|error| wrong(error.to_string()))?;
            if record.iter().all(str::is_empty) {
                let line = record.position().map_or(0, csv::Position::line);
                return Err(wrong(format!("line {line} has nothing in it")));
            }
            rows.push(record.iter().map(str::to_owned).collect());
        }
        if rows.is_empty() {
            return Err(wrong("there is no row under the column names".to_owned()));
        }
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
