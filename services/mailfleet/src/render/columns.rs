//! Rows of columns, aligned by what a terminal shows, each cell with its own style and lines.

use anstyle::Style;

use super::{paint, wrap};

/// What stands between two columns.
const GAP: &str = "  ";

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
    let heading = heading.iter().map(|name| cell(super::BOLD, name)).collect::<Vec<_>>();
    let rows: Vec<Vec<Cell>> = std::iter::once(heading).chain(rows).collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> =
        (0..columns).map(|column| widest(rows.iter().filter_map(|row| row.get(column)))).collect();
    rows.iter().map(|cells| row(cells, &widths)).collect()
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
}
