//! Columns laid out with blanks: the one way in which Loupe prints tables. Pure.

/// Where the text of a column's cells stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// At the left: words.
    Left,
    /// At the right: numbers.
    Right,
}

/// A column of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column<'a> {
    /// What stands above it.
    pub title: &'a str,
    /// Where its cells stand.
    pub align: Align,
}

impl<'a> Column<'a> {
    /// A column of words.
    #[must_use]
    pub const fn words(title: &'a str) -> Self {
        Self { title, align: Align::Left }
    }

    /// A column of numbers.
    #[must_use]
    pub const fn numbers(title: &'a str) -> Self {
        Self { title, align: Align::Right }
    }
}

/// The table as text: a line of titles, then one per row, each as wide as its cells need, two blanks apart, none at the end.
///
/// A row with fewer cells than columns ends early; cells beyond the last column are left out. Widths are counted in
/// characters, so cells must hold neither control sequences nor line breaks.
#[must_use]
pub fn layout(columns: &[Column<'_>], rows: &[Vec<String>]) -> String {
    let width = |(index, column): (usize, &Column<'_>)| {
        let cells = rows.iter().filter_map(|row| row.get(index)).map(|cell| cell.chars().count());
        cells.chain([column.title.chars().count()]).max().unwrap_or_default()
    };
    let widths: Vec<usize> = columns.iter().enumerate().map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut line = String::new();
        for ((cell, column), width) in cells.zip(columns).zip(&widths) {
            let text = match column.align {
                Align::Left => format!("{cell:<width$}"),
                Align::Right => format!("{cell:>width$}"),
            };
            line.push_str(if line.is_empty() { "" } else { "  " });
            line.push_str(&text);
        }
        format!("{}\n", line.trim_end())
    };
    let titles = line(&mut columns.iter().map(|column| column.title));
    rows.iter().fold(titles, |table, row| table + &line(&mut row.iter().map(String::as_str)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: &[&str]) -> Vec<String> {
        cells.iter().map(|cell| (*cell).to_owned()).collect()
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_or_title() {
        let columns = [Column::words("app"), Column::numbers("used"), Column::words("joint")];
        let rows = [row(&["nginx/wrk", "44", "avoided 22"]), row(&["größe", "12345", "-"])];
        assert_eq!(layout(&columns, &rows), "app         used  joint\nnginx/wrk     44  avoided 22\ngröße      12345  -\n");
    }

    #[test]
    fn short_rows_end_early_and_no_line_ends_with_blanks() {
        let columns = [Column::words("app"), Column::numbers("used"), Column::words("time")];
        let rows = [row(&["a"]), row(&["b", "1", ""]), row(&["c", "2", "3 s", "too much"])];
        assert_eq!(layout(&columns, &rows), "app  used  time\na\nb       1\nc       2  3 s\n");
    }

    #[test]
    fn a_table_without_rows_is_its_titles() {
        assert_eq!(layout(&[Column::words("app"), Column::numbers("used")], &[]), "app  used\n");
    }
}
