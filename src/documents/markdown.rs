//! Tables as Markdown, the same from every format.
//!
//! Columns are not padded to one width: a single long cell would be paid for in every
//! row, and a reader of Markdown does not need it.

/// Rows of cells as a table; the first row is its head.
///
/// A table of a single cell is a frame around text, and becomes that text.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    match rows {
        [] => return String::new(),
        [row] if columns <= 1 => return row.concat(),
        _ => {}
    }
    let mut table = String::new();
    for (index, row) in rows.iter().enumerate() {
        table.push('|');
        for column in 0..row.len().max(if index == 0 { columns } else { 0 }) {
            table.push(' ');
            push_cell(&mut table, row.get(column).map_or("", String::as_str));
            table.push_str(" |");
        }
        table.push('\n');
        if index == 0 {
            table.push('|');
            table.push_str(&" --- |".repeat(columns));
            table.push('\n');
        }
    }
    table
}

/// The text on one line, and no bar that would end the cell.
fn push_cell(table: &mut String, text: &str) {
    for (index, word) in text.split_whitespace().enumerate() {
        if index > 0 {
            table.push(' ');
        }
        for c in word.chars() {
            if c == '|' {
                table.push('\\');
            }
            table.push(c);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::table;

    fn rows(rows: &[&[&str]]) -> Vec<Vec<String>> {
        rows.iter().map(|row| row.iter().map(|cell| (*cell).to_owned()).collect()).collect()
    }

    #[test]
    fn cells_stand_on_one_line_each_row_and_rows_may_be_short() {
        let table = table(&rows(&[&["a", "b|c"], &["1\n2"]]));
        assert_eq!(table, "| a | b\\|c |\n| --- | --- |\n| 1 2 |\n");
    }

    #[test]
    fn a_head_is_as_wide_as_the_widest_row() {
        assert_eq!(table(&rows(&[&["a"], &["1", "2"]])), "| a |  |\n| --- | --- |\n| 1 | 2 |\n");
    }

    #[test]
    fn a_frame_is_no_table() {
        assert_eq!(table(&rows(&[&["one\n\ntwo"]])), "one\n\ntwo");
        assert_eq!(table(&[]), "");
    }
}
