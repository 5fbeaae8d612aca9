//! Text tables with aligned columns, and short lists.

use crate::console;

/// The first row is the heading. Columns of numbers are aligned to the right, others and the first to the left.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let cell = |row: &Vec<String>, k: usize| row.get(k).map_or(String::new(), |text| console::name(text));
    let mut out = vec![String::new(); rows.len()];
    for k in 0..columns {
        let width = rows.iter().map(|r| cell(r, k).chars().count()).max().unwrap_or(0);
        // Cells may be empty.
        let number = |r: &Vec<String>| cell(r, k).chars().next().is_none_or(|c| c.is_ascii_digit());
        let numbers = k > 0 && rows.iter().skip(1).all(number);
        for (line, row) in out.iter_mut().zip(rows) {
            let text = cell(row, k);
            line.push_str(&if numbers { format!("{text:>width$}  ") } else { format!("{text:<width$}  ") });
        }
    }
    out.iter().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// The first names of a list, and how many more there are.
pub fn shown(names: &[String]) -> String {
    const MOST: usize = 5;
    let first: Vec<String> = names.iter().take(MOST).map(|n| console::name(n)).collect();
    let more = names.len().saturating_sub(MOST);
    format!("{}{}", first.join(", "), if more > 0 { format!(" and {more} more") } else { String::new() })
}

#[cfg(test)]
mod tests {
    use super::{shown, table};

    #[test]
    fn columns_are_aligned() {
        let row = |a: &str, b: &str| vec![a.to_owned(), b.to_owned()];
        assert_eq!(table(&[row("name", "ms"), row("a", "12"), row("conv", "3")]), "name  ms\na     12\nconv   3\n");
        assert_eq!(table(&[row("name", "ms"), row("a", "12"), row("b", "")]), "name  ms\na     12\nb\n");
    }

    #[test]
    fn long_lists_are_counted() {
        let names = |n: usize| (0..n).map(|k| k.to_string()).collect::<Vec<_>>();
        assert_eq!([shown(&names(5)), shown(&names(7))], ["0, 1, 2, 3, 4", "0, 1, 2, 3, 4 and 2 more"]);
    }
}
