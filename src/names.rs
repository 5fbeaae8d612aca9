//! Names in errors: those that are like a name which does not exist.

/// Names that an error lists.
const SHOWN: usize = 5;

/// Characters of a name that are compared.
const COMPARED: usize = 64;

/// What an error says of the names that there are: all if they are few, else those most like `wanted` and the count.
///
/// `kind` is what they name, in the plural.
pub(crate) fn existing<'n>(kind: &str, wanted: &str, names: impl IntoIterator<Item = &'n str>) -> String {
    let mut names: Vec<&str> = names.into_iter().collect();
    let count = names.len();
    if count <= SHOWN {
        let list = if count == 0 { "none".to_owned() } else { names.join(", ") };
        return format!("{kind}: {list}");
    }
    names.sort_by_cached_key(|name| distance(wanted, name));
    format!("{kind} with similar names: {} (of {count})", names[..SHOWN].join(", "))
}

/// Levenshtein's distance: the least number of characters to insert, remove or replace.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(COMPARED).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(COMPARED).enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, &y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_edits() {
        let pairs =
            [("", "abc", 3), ("abc", "abc", 0), ("conv1", "conv2", 1), ("kitten", "sitting", 3), ("ab", "ba", 2)];
        for (a, b, edits) in pairs {
            assert_eq!((distance(a, b), distance(b, a)), (edits, edits), "{a} {b}");
        }
    }

    #[test]
    fn many_names_are_cut_to_the_most_similar() {
        let names: Vec<String> = (0..1000).map(|k| format!("layer{k}.weight")).collect();
        let text = existing("parameters", "layer777.weigth", names.iter().map(String::as_str));
        assert!(
            text.starts_with("parameters with similar names: layer777.weight, ") && text.ends_with(" (of 1000)"),
            "{text}"
        );
        assert_eq!(text.matches(", ").count(), SHOWN - 1);
        assert_eq!(existing("modules", "x", ["b", "a"]), "modules: b, a");
        assert_eq!(existing("modules", "x", []), "modules: none");
    }
}
