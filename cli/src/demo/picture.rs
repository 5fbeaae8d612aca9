//! Digits as text: half blocks, two rows of pixels per line.

use super::digits::SIZE;

/// Pixels darker than this are drawn.
const INK: f32 = 0.35;

/// The lines of a digit, cropped to its ink.
pub fn picture(ink: &[f32]) -> Vec<String> {
    let drawn = |y: usize, x: usize| y < SIZE && ink[y * SIZE + x] > INK;
    let used = |x: &usize| (0..SIZE).any(|y| drawn(y, *x));
    let columns: Vec<usize> = (0..SIZE).filter(used).collect();
    let (Some(&left), Some(&right)) = (columns.first(), columns.last()) else { return vec![] };
    let block = |y: usize, x: usize| match (drawn(y, x), drawn(y + 1, x)) {
        (true, true) => '█',
        (true, false) => '▀',
        (false, true) => '▄',
        (false, false) => ' ',
    };
    let lines = (0..SIZE).step_by(2).map(|y| (left..=right).map(|x| block(y, x)).collect::<String>());
    let lines: Vec<String> = lines.collect();
    let inked = |l: &&String| !l.trim().is_empty();
    let top = lines.iter().take_while(|l| !inked(l)).count();
    let bottom = lines.iter().rev().take_while(|l| !inked(l)).count();
    lines[top..lines.len() - bottom].to_vec()
}

/// Pictures with a caption under each, side by side, as many in a row as `width` columns hold.
pub fn gallery(pictures: &[(Vec<String>, String)], width: usize) -> String {
    const GAP: usize = 3;
    let columns = |(lines, caption): &(Vec<String>, String)| {
        lines.iter().chain([caption]).map(|l| l.chars().count()).max().unwrap_or(0)
    };
    let mut out = String::new();
    let mut rest = pictures;
    while !rest.is_empty() {
        let mut used = 0;
        let fits = |p: &&(Vec<String>, String)| {
            used += columns(p) + GAP;
            used <= width + GAP
        };
        let (row, next) = rest.split_at(rest.iter().take_while(fits).count().max(1));
        rest = next;
        let height = row.iter().map(|(lines, _)| lines.len()).max().unwrap_or(0);
        for y in 0..=height {
            let mut line = String::new();
            for picture in row {
                let (lines, caption) = picture;
                let text = if y == height { caption } else { lines.get(y).map_or("", String::as_str) };
                line.push_str(&format!("{text:<w$}", w = columns(picture) + GAP));
            }
            out.push_str(&format!("{}\n", line.trim_end()));
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_trimmed_to_its_ink() {
        let mut ink = vec![0.0; SIZE * SIZE];
        // Two pixels one above the other in one line, and one in the upper half of the next.
        for (y, x) in [(4, 9), (5, 9), (6, 10)] {
            ink[y * SIZE + x] = 1.0;
        }
        assert_eq!(picture(&ink), ["█ ", " ▀"]);
        assert!(picture(&vec![0.0; SIZE * SIZE]).is_empty());
    }

    #[test]
    fn rows_break_at_the_width() {
        let one = (vec!["██".to_owned()], "7".to_owned());
        assert_eq!(gallery(&[one.clone(), one.clone(), one], 7), "██   ██\n7    7\n\n██\n7\n\n");
    }
}
