//! Pairs of names that a slip confuses: height and width, the strides of two axes, two ends of a padding.

const PAIRS: &[[&str; 2]] = &[
    ["height", "width"],
    ["rows", "columns"],
    ["row", "column"],
    ["top", "left"],
    ["top", "bottom"],
    ["left", "right"],
    ["begin", "end"],
    ["first", "last"],
    ["before", "after"],
    ["inner", "outer"],
    ["low", "high"],
    ["n", "c"],
    ["n", "m"],
    ["ic4", "oc4"],
    ["ic", "oc"],
    ["iw", "ow"],
    ["ih", "oh"],
];

/// The names that may stand for `name`: with one of its words, or the last letter of a short one, exchanged.
pub fn of(name: &str) -> Vec<String> {
    let words: Vec<&str> = name.split('_').collect();
    let mut out = vec![];
    for (k, word) in words.iter().enumerate() {
        for other in of_word(word) {
            let mut words = words.clone();
            words[k] = &other;
            out.push(words.join("_"));
        }
    }
    out
}

fn of_word(word: &str) -> Vec<String> {
    let mut out: Vec<String> = PAIRS
        .iter()
        .filter_map(|&[a, b]| if word == a { Some(b) } else { (word == b).then_some(a) })
        .map(str::to_owned)
        .collect();
    // ih and iw, sy and sx, step_y and step_x, count_y0 and count_x0.
    let (letters, digits) = word.split_at(word.trim_end_matches(|c: char| c.is_ascii_digit()).len());
    if (1..=2).contains(&letters.len()) && letters.is_ascii() {
        let (head, axis) = letters.split_at(letters.len() - 1);
        let other = match axis {
            "h" => "w",
            "w" => "h",
            "y" => "x",
            "x" => "y",
            _ => return out,
        };
        out.push(format!("{head}{other}{digits}"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_axes_are_exchanged() {
        assert_eq!(of("step_y"), ["step_x"]);
        assert_eq!(of("ih"), ["oh", "iw"]);
        assert_eq!(of("count_x0"), ["count_y0"]);
        assert_eq!(of("top"), ["left", "bottom"]);
        assert!(of("kernel").is_empty() && of("y").contains(&"x".to_owned()));
    }
}
