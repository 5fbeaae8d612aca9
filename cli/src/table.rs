//! Text tables with aligned columns.

use crate::console;

/// The first row is the heading. Columns of numbers are aligned to the right, others and the first to the left.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let cell = |row: &Vec<String>, k: usize| row.get(k).map_or(String::new(), |text| console::name(text));
    let mut out = vec![String::new(); rows.len()];
    for k in 0..columns {
        let width = rows.iter().map(|r| cell(r, k).chars().count()).max().unwrap_or(0);
        let numbers = k > 0 && rows.iter().skip(1).all(|r| cell(r, k).starts_with(|c: char| c.is_ascii_digit()));
        for (line, row) in out.iter_mut().zip(rows) {
            let text = cell(row, k);
            line.push_str(&if numbers { format!("{text:>width$}  ") } else { format!("{text:<width$}  ") });
        }
    }
    out.iter().map(|line| format!("{}\n", line.trim_end())).collect()
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn columns_are_aligned() {
        let row = |a: &str, b: &str| vec![a.to_owned(), b.to_owned()];
        assert_eq!(table(&[row("name", "ms"), row("a", "12"), row("conv", "3")]), "name  ms\na     12\nconv   3\n");
    }
}
