//! What a file of Rust names of its own crate: `use` declarations and paths, as absolute paths.

/// What a file names.
pub struct File {
    /// Whether it defines anything: a file that only declares modules and imports does not.
    pub defines: bool,
    /// The names that its `use` declarations give, each with its path. A path is absolute, without `crate`.
    uses: Vec<(String, Vec<String>)>,
    /// Paths outside of `use` declarations.
    paths: Vec<Vec<String>>,
}

impl File {
    /// Reads the text of a module. Paths that begin with other crates, and with names that the text imports, are left out.
    pub fn parse(module: &[&str], text: &str) -> File {
        let tokens = tokens(text);
        let children: Vec<&str> = tokens.windows(3).filter(|w| w[0] == "mod" && w[2] == ";").map(|w| w[1]).collect();
        let mut file = File { defines: false, uses: vec![], paths: vec![] };
        // For each open brace the module that it opens, if it does.
        let mut open: Vec<Option<&str>> = vec![];
        let mut at = 0;
        while at < tokens.len() {
            let inner: Vec<&str> = module.iter().copied().chain(open.iter().copied().flatten()).collect();
            let absolute = |path: &[&str]| absolute(module, &inner, &children, path);
            match tokens[at] {
                "mod" if tokens.get(at + 2) == Some(&"{") => {
                    open.push(Some(tokens[at + 1]));
                    at += 3;
                    continue;
                }
                // Not `impl use<'a>`.
                "use" if tokens.get(at + 1) != Some(&"<") => {
                    let mut found = vec![];
                    at = use_tree(&tokens, at + 1, &[], &mut found);
                    let own = found.iter().filter_map(|(name, path)| Some(((*name).to_owned(), absolute(path)?)));
                    let named = |(name, path): (String, _)| {
                        (if inner.len() > module.len() { String::new() } else { name }, path)
                    };
                    file.uses.extend(own.map(named));
                    continue;
                }
                "{" => open.push(None),
                "}" => drop(open.pop()),
                "fn" | "struct" | "enum" | "trait" | "impl" | "const" | "static" | "type" | "macro_rules" => {
                    file.defines = true;
                }
                _ => {}
            }
            let begins =
                is_name(tokens[at]) && tokens.get(at + 1) == Some(&"::") && (at == 0 || tokens[at - 1] != "::");
            let visibility = at >= 3 && tokens[at - 3..at] == ["pub", "(", "in"];
            if begins && !visibility {
                let mut path = vec![tokens[at]];
                let mut next = at + 1;
                while tokens.get(next) == Some(&"::") && tokens.get(next + 1).is_some_and(|name| is_name(name)) {
                    path.push(tokens[next + 1]);
                    next += 2;
                }
                file.paths.extend(absolute(&path));
            }
            at += 1;
        }
        file
    }

    /// All paths.
    pub fn paths(&self) -> impl Iterator<Item = &Vec<String>> {
        self.uses.iter().map(|(_, path)| path).chain(&self.paths)
    }

    /// The path behind a name that a `use` declaration gives.
    pub fn imported(&self, name: &str) -> Option<&[String]> {
        self.uses.iter().find(|(known, _)| known == name).map(|(_, path)| &path[..])
    }
}

/// The path from the root of the crate, if that is where it leads: `inner` is the module where it stands, in the file `module`.
fn absolute(module: &[&str], inner: &[&str], children: &[&str], path: &[&str]) -> Option<Vec<String>> {
    let supers = path.iter().take_while(|name| **name == "super").count();
    let whole = match path[0] {
        "crate" => path[1..].to_vec(),
        "self" => [inner, &path[1..]].concat(),
        "super" => [&inner[..inner.len().checked_sub(supers)?], &path[supers..]].concat(),
        child if children.contains(&child) => [module, path].concat(),
        _ => return None,
    };
    Some(whole.into_iter().map(str::to_owned).collect())
}

/// The names of a `use` tree with their paths, after `prefix`; where the tree ends.
fn use_tree<'t>(
    tokens: &[&'t str],
    mut at: usize,
    prefix: &[&'t str],
    found: &mut Vec<(&'t str, Vec<&'t str>)>,
) -> usize {
    let mut path = prefix.to_vec();
    loop {
        match tokens[at] {
            "{" => {
                at += 1;
                while tokens[at] != "}" {
                    at = use_tree(tokens, at, &path, found);
                    at += usize::from(tokens[at] == ",");
                }
                return at + 1;
            }
            "::" => at += 1,
            name => {
                if name != "self" || path.is_empty() {
                    path.push(name);
                }
                at += 1;
                if tokens[at] == "as" {
                    found.push((tokens[at + 1], path));
                    return at + 2;
                }
                if tokens[at] != "::" {
                    found.push((path[path.len() - 1], path));
                    return at;
                }
            }
        }
    }
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Names, `::`, and other characters; no comments, and of texts only the quotes.
fn tokens(text: &str) -> Vec<&str> {
    let mut out = vec![];
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let after = |end: &str, from: usize| rest[from..].find(end).map_or(rest.len(), |k| from + k + end.len());
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        let word = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        let hashes = rest[word..].bytes().take_while(|b| *b == b'#').count();
        let raw = ["r", "br"].contains(&&rest[..word]) && rest[word + hashes..].starts_with('"');
        let (kept, length) = match first {
            _ if rest.starts_with("//") => (0, after("\n", 0)),
            _ if rest.starts_with("/*") => (0, after("*/", 2)),
            _ if raw => (0, after(&format!("\"{}", "#".repeat(hashes)), word + hashes + 1)),
            '"' => (1, 2 + rest[1..].bytes().scan(false, ends_text).count()),
            '\'' if rest[1..].starts_with('\\') => (1, after("'", 3)),
            '\'' if rest.chars().nth(2) == Some('\'') => (1, after("'", 1)),
            c if is_part(c) => (word, word),
            _ if rest.starts_with("::") => (2, 2),
            c => (usize::from(!c.is_whitespace()) * c.len_utf8(), c.len_utf8()),
        };
        out.extend((kept > 0).then(|| &rest[..kept]));
        rest = &rest[length.min(rest.len())..];
    }
    out
}

/// Goes on until the quote that ends a text; `escaped` is whether the byte before was a backslash that counts.
fn ends_text(escaped: &mut bool, byte: u8) -> Option<()> {
    let ends = byte == b'"' && !*escaped;
    *escaped = byte == b'\\' && !*escaped;
    (!ends).then_some(())
}
