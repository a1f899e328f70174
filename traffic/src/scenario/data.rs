//! Rows for users who are written by hand: `[data.people] file = "people.csv"`, sent as `${data.people.email}`.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{Error, nearest};

/// Bytes that a file of rows may have: they are held in memory.
const MOST_BYTES: u64 = 1 << 30;

/// In what order sessions get rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RowOrder {
    /// As they stand in the file, again from the first behind the last.
    #[default]
    Cycle,
    /// In an order by chance (of the seed), the same again behind the last.
    Shuffle,
    /// As they stand in the file; a session for which none is left does not begin.
    Once,
}

/// A CSV file whose first row names the columns. A session has one row of it, on whichever thread or shard it is played.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSet {
    /// What steps call it.
    pub name: String,
    /// Relative to the scenario file.
    pub file: String,
    /// Which row a session gets.
    #[serde(default)]
    pub pick: RowOrder,
}

/// The rows of a CSV file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// As many values each as there are columns; at least one row.
    pub rows: Vec<Vec<String>>,
}

impl Rows {
    /// Reads a CSV file whose first row names the columns. `wanted`: columns that must be there.
    ///
    /// # Errors
    /// [`Error::Config`] with file and line, where it cannot be read, a column is not there or is there twice, or there is no row.
    pub fn read(path: &Path, wanted: &[&str]) -> Result<Rows, Error> {
        let wrong = |line: Option<u64>, message: String| Error::Config {
            path: path.to_path_buf(),
            place: line.map(|line| (line as usize, 1)),
            message,
        };
        let of_csv = |error: csv::Error| wrong(error.position().map(csv::Position::line), error.to_string());
        let size = std::fs::metadata(path).map_err(|error| wrong(None, error.to_string()))?.len();
        if size > MOST_BYTES {
            return Err(wrong(
                None,
                format!("has {size} bytes, and rows are held in memory: up to {MOST_BYTES}"),
            ));
        }
        let mut reader =
            csv::ReaderBuilder::new().trim(csv::Trim::Headers).from_path(path).map_err(of_csv)?;
        let headers = reader.headers().map_err(of_csv)?;
        // Spreadsheets write a byte order mark.
        let columns: Vec<String> =
            headers.iter().map(|name| name.trim_start_matches('\u{feff}').to_owned()).collect();
        for name in wanted {
            if !columns.iter().any(|column| column == name) {
                let hint = nearest(name, columns.iter().map(String::as_str))
                    .map(|meant| format!("; did you mean '{meant}'?"))
                    .unwrap_or_default();
                let there = columns.join(", ");
                return Err(wrong(None, format!("there is no column '{name}' (there are: {there}){hint}")));
            }
        }
        if let Some((_, twice)) = columns.iter().enumerate().find(|(at, name)| columns[..*at].contains(name))
        {
            return Err(wrong(None, format!("there are two columns '{twice}'")));
        }
        let mut rows = Vec::new();
        for record in reader.records() {
            let record = record.map_err(of_csv)?;
            if record.iter().all(str::is_empty) {
                let line = record.position().map_or(0, csv::Position::line);
                return Err(wrong(None, format!("line {line} has nothing in it")));
            }
            rows.push(record.iter().map(str::to_owned).collect());
        }
        if rows.is_empty() {
            return Err(wrong(None, "there is no row under the column names".to_owned()));
        }
        Ok(Rows { columns, rows })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, wanted: &[&str]) -> Result<Rows, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("people.csv");
        std::fs::write(&path, text).unwrap();
        Rows::read(&path, wanted).map_err(|error| error.to_string())
    }

    #[test]
    fn rows_have_their_columns() {
        let rows =
            read("\u{feff}email, name\na@x.example,\"A, B\"\nb@x.example,C\n", &["email", "name"]).unwrap();
        assert_eq!((rows.columns.len(), rows.rows.len(), rows.rows[0][1].as_str()), (2, 2, "A, B"));
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        for (text, wanted) in [
            ("email,name\na,b\n", "no column 'mail' (there are: email, name); did you mean 'email'?"),
            ("mail,mail\na,b\n", "two columns 'mail'"),
            ("mail,x\n", "no row"),
            ("mail,x\na\n", ":2:1: "),
            ("mail,x\na,b\n,\n", "line 3 has nothing in it"),
        ] {
            let said = read(text, &["mail"]).unwrap_err();
            assert!(said.contains(wanted) && said.contains("people.csv"), "{text}: {said}");
        }
        let missing = Rows::read(Path::new("no/such.csv"), &[]).unwrap_err().to_string();
        assert!(missing.starts_with("no/such.csv: "), "{missing}");
    }
}
