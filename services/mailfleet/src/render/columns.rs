//! Rows of columns, aligned by what a terminal shows, each cell with its own style and lines.

use anstyle::Style;

use super::{paint, wrap};

/// What stands between two columns.
const GAP: &str = "  ";
/// Names are not cut shorter than this.
const NAME: usize = 12;

/// One cell: lines, each in its style.
pub(crate) type Cell = Vec<(Style, String)>;

/// A cell of one line.
pub(crate) fn cell(style: Style, text: impl ToString) -> Cell {
    vec![(style, text.to_string())]
}

/// A cell of a text that is wrapped to a width.
pub(crate) fn wrapped(style: Style, text: &str, width: usize) -> Cell {
    wrap::lines(text, width).into_iter().map(|line| (style, line)).collect()
}

/// The width that a column needs for its cells.
pub(crate) fn widest<'a>(cells: impl Iterator<Item = &'a Cell>) -> usize {
    cells.flatten().map(|(_, text)| wrap::columns(text)).max().unwrap_or(0)
}

/// Renders one row: as many lines as its longest cell. Ends in a line break.
pub(crate) fn row(cells: &[Cell], widths: &[usize]) -> String {
    let height = cells.iter().map(Vec::len).max().unwrap_or(0);
    let mut text = String::new();
    for index in 0..height {
        let mut line = String::new();
        let mut blank = String::new();
        for (cell, width) in cells.iter().zip(widths) {
            let (style, words) =
                cell.get(index).map_or((Style::new(), ""), |(style, words)| (*style, words));
            if !words.is_empty() {
                // The spaces before it are written only where something follows.
                line.push_str(&blank);
                blank.clear();
                line.push_str(&paint(style, words));
            }
            blank.push_str(&" ".repeat(width.saturating_sub(wrap::columns(words))));
            blank.push_str(GAP);
        }
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// Renders a table: a heading over rows, each column as wide as its widest cell.
pub(crate) fn table(heading: &[&str], rows: Vec<Vec<Cell>>) -> String {
    Table::new(heading, rows).render()
}

/// A heading over rows.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    rows: Vec<Vec<Cell>>,
}

impl Table {
    pub(crate) fn new(heading: &[&str], rows: Vec<Vec<Cell>>) -> Self {
        let heading = heading.iter().map(|name| cell(super::BOLD, name)).collect::<Vec<_>>();
        Self { rows: std::iter::once(heading).chain(rows).collect() }
    }

    /// Each column as wide as its widest cell.
    pub(crate) fn render(&self) -> String {
        let widths = self.widths();
        self.rows.iter().map(|cells| row(cells, &widths)).collect()
    }

    /// As [`render`](Self::render), within a width: leaves out the columns with these headings,
    /// one after the other, then cuts the first column.
    pub(crate) fn within(mut self, width: usize, spare: &[&str]) -> String {
        for name in spare {
            if self.width() <= width {
                break;
            }
            let is_it = |cell: &Cell| cell.iter().any(|(_, text)| text == name);
            let place = self.rows.first().and_then(|heading| heading.iter().position(is_it));
            if let Some(place) = place {
                for row in self.rows.iter_mut().filter(|row| place < row.len()) {
                    row.remove(place);
                }
            }
        }
        let over = self.width().saturating_sub(width);
        let first = self.widths().first().map_or(0, |first| first.saturating_sub(over));
        let firsts = self.rows.iter_mut().filter_map(|row| row.first_mut()).flatten();
        for (_, text) in firsts {
            *text = wrap::cut(text, first.max(NAME));
        }
        self.render()
    }

    fn width(&self) -> usize {
        let widths = self.widths();
        widths.iter().sum::<usize>() + GAP.len() * widths.len().saturating_sub(1)
    }

    fn widths(&self) -> Vec<usize> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let of = |column| widest(self.rows.iter().filter_map(|row| row.get(column)));
        (0..columns).map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_aligned_by_what_is_shown() {
        let plain = Style::new();
        let cells = [
            vec![(plain, "証明".to_owned()), (plain, "b".to_owned())],
            cell(plain, "x"),
            wrapped(plain, "one two", 3),
        ];
        assert_eq!(row(&cells, &[5, 2, 3]), "証明   x   one\nb          two\n");
        assert_eq!(widest(cells.iter()), 4);
    }

    #[test]
    fn a_table_gives_up_columns_before_it_cuts_names() {
        let row = |cells: [&str; 3]| cells.map(|text| cell(Style::new(), text)).to_vec();
        let table = Table::new(&["NAME", "B", "C"], vec![row(["a-name-that-is-long", "b", "c"])]);
        let shown = |width| {
            let text = table.clone().within(width, &["B"]);
            anstream::adapter::strip_str(&text).to_string()
        };
        assert_eq!(shown(80), "NAME                 B  C\na-name-that-is-long  b  c\n");
        assert_eq!(shown(23), "NAME                 C\na-name-that-is-long  c\n");
        assert_eq!(shown(17), "NAME            C\na-name-that-i…  c\n");
        assert_eq!(shown(1), "NAME          C\na-name-that…  c\n", "no shorter than this");
    }
}
