//! Tables for terminals: a line a row, whatever the width. What does not fit is left out column by column, the least telling first,
//! and then the names are shortened in their middle; a table whose cells are broken over lines is read by nobody.

use comfy_table::{LineStyle, TableStyle};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::figures::shown;

/// A column.
pub(crate) struct Column {
    pub(crate) title: &'static str,
    pub(crate) left: bool,
    /// The higher, the earlier it is left out; 0: never.
    pub(crate) spare: u8,
}

/// A column of numbers.
pub(crate) const fn number(title: &'static str, spare: u8) -> Column {
    Column { title, left: false, spare }
}

/// A column of words.
pub(crate) const fn words(title: &'static str, spare: u8) -> Column {
    Column { title, left: true, spare }
}

/// A line under the titles and one at the end; none between rows, of which there may be many.
pub(crate) const RULED: TableStyle = TableStyle::new()
    .header_separator(LineStyle::none().fill('─').junction('─'))
    .bottom_border(LineStyle::none().fill('─').junction('─'));

/// A name is shortened no further while there is a column to leave out.
const NAME: usize = 30;
/// Nor to less than this at all.
const LEAST: usize = 12;

/// The table. The first column is the names; `paint` gives a cell its colour, by row and column, once its width is known.
pub(crate) fn table(
    columns: &[Column],
    mut rows: Vec<Vec<String>>,
    width: Option<u16>,
    paint: impl Fn(usize, &str, &str) -> String,
) -> String {
    let longest = |at: usize, rows: &[Vec<String>]| {
        let cells = rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.width());
        cells.chain([columns[at].title.width()]).max().unwrap_or(0)
    };
    for row in &mut rows {
        if let Some(name) = row.first_mut() {
            *name = shown(name, 400);
        }
    }
    let mut kept: Vec<usize> = (0..columns.len()).collect();
    if let Some(width) = width {
        let name = longest(0, &rows);
        let room = |kept: &[usize], rows: &[Vec<String>]| {
            let others: usize = kept.iter().skip(1).map(|at| longest(*at, rows) + 2).sum();
            usize::from(width).saturating_sub(others + 2)
        };
        while room(&kept, &rows) < name.min(NAME) {
            let Some(spare) =
                kept.iter().copied().filter(|at| columns[*at].spare > 0).max_by_key(|at| columns[*at].spare)
            else {
                break;
            };
            kept.retain(|at| *at != spare);
        }
        let room = room(&kept, &rows).max(LEAST);
        for row in &mut rows {
            if let Some(name) = row.first_mut() {
                *name = fit(name, room);
            }
        }
    }
    let widths: Vec<usize> = kept.iter().map(|at| longest(*at, &rows)).collect();
    // Colours take no room: a cell is padded first, and painted then.
    let line = |cells: &mut dyn Iterator<Item = (String, String)>| {
        let mut line = String::new();
        for (((text, painted), at), wide) in cells.zip(&kept).zip(&widths) {
            let gap = " ".repeat(wide.saturating_sub(text.width()));
            let (before, after) = if columns[*at].left { ("", gap.as_str()) } else { (gap.as_str(), "") };
            line.extend([" ", before, &painted, after, " "]);
        }
        line.trim_end().to_owned() + "\n"
    };
    let rule = "─".repeat(widths.iter().map(|wide| wide + 2).sum()) + "\n";
    let mut out =
        line(&mut kept.iter().map(|at| (columns[*at].title.to_owned(), columns[*at].title.to_owned())));
    out.push_str(&rule);
    for (number, row) in rows.iter().enumerate() {
        out.push_str(&line(&mut kept.iter().map(|at| {
            let text = row.get(*at).cloned().unwrap_or_default();
            let painted = paint(number, columns[*at].title, &text);
            (text, painted)
        })));
    }
    out.push_str(rule.trim_end());
    out
}

/// Without its middle, where it is wider than this.
pub(crate) fn fit(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let tail_room = width.saturating_sub(1) / 2;
    let head = taken(text.chars(), width.saturating_sub(1) - tail_room);
    let tail: String = taken(text.chars().rev(), tail_room).chars().rev().collect();
    format!("{head}…{tail}")
}

fn taken(chars: impl Iterator<Item = char>, room: usize) -> String {
    let mut left = room;
    chars
        .take_while(|c| {
            let wide = c.width().unwrap_or(0);
            let fits = wide <= left;
            left = left.saturating_sub(wide);
            fits
        })
        .collect()
}

/// `head`, then the text, broken at spaces where the line ends; further lines begin below the text.
pub(crate) fn folded(head: &str, text: &str, width: Option<u16>) -> String {
    let indent = head.width();
    let room = width.map_or(usize::MAX, |width| usize::from(width).saturating_sub(indent).max(24));
    let mut out = head.to_owned();
    let mut used = 0;
    for word in text.split(' ') {
        let wide = word.width();
        if used > 0 && used + 1 + wide > room {
            out.push('\n');
            out.push_str(&" ".repeat(indent));
            used = 0;
        } else if used > 0 {
            out.push(' ');
            used += 1;
        }
        out.push_str(word);
        used += wide;
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(width: Option<u16>, name: &str) -> String {
        let columns = [words("endpoint", 0), number("requests", 0), number("p50", 1), number("p99.9", 2)];
        let row = [name, "12345", "1.234", "1234"].map(str::to_owned).to_vec();
        table(&columns, vec![row], width, |_, _, text| text.to_owned())
    }

    #[test]
    fn what_does_not_fit_is_left_out_before_names_are_cut() {
        let name = "GET /api/v2/things/{id}/parts";
        let wide = lines(None, name);
        assert!(wide.contains("p99.9") && wide.contains(name), "{wide}");
        let narrow = lines(Some(48), name);
        assert!(!narrow.contains("p99.9") && narrow.contains("p50") && narrow.contains(name), "{narrow}");
        let least = lines(Some(30), name);
        assert!(!least.contains("p50") && least.contains("GET /api/…d}/parts"), "{least}");
        for (width, text) in [(48, narrow), (30, least), (20, lines(Some(20), name))] {
            assert_eq!(text.lines().count(), 4, "{text}");
            assert!(width == 20 || text.lines().all(|line| line.width() <= width), "{width}: {text}");
        }
    }

    #[test]
    fn wide_and_unruly_names_keep_their_line() {
        let text = lines(Some(40), "GET /\u{1b}[31m/搜索/搜索/搜索/搜索\n/x");
        assert!(text.lines().count() == 4 && !text.contains('\u{1b}'), "{text}");
        assert!(text.lines().all(|line| line.width() <= 40), "{text}");
        assert_eq!(fit("搜索搜索", 5), "搜…索");
    }

    #[test]
    fn long_lines_are_folded_below_their_beginning() {
        assert_eq!(folded("failed  ", "a b", None), "failed  a b\n");
        let text = folded("failed  ", "one two three four five six seven", Some(30));
        assert_eq!(text, "failed  one two three four five\n        six seven\n");
    }
}
