//! The table of operators is complete: every operator of `src/ops` has a row, and an item in docs/bounds.md.

use std::fs;
use std::path::{Path, PathBuf};

use convgpu::internals::ops::catalog::{CATALOG, markdown};

/// The names that a source file gives its operators: the literals of `built_in!`, and string literals in bodies of `fn name`.
fn names(text: &str) -> Vec<&str> {
    let declared = text.split("built_in!(\"").skip(1).filter_map(|rest| rest.split('"').next());
    let bodies = text.split("fn name(&self) -> &'static str {").skip(1);
    let bodies = bodies.filter_map(|rest| rest.split("\n    }").next());
    declared.chain(bodies.flat_map(|body| body.split('"').skip(1).step_by(2))).collect()
}

/// The source files below `folder`, those of nested folders included.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

fn rows() -> Vec<&'static str> {
    CATALOG.iter().flat_map(|e| e.name.split(", ")).collect()
}

#[test]
fn every_operator_has_a_row() {
    let mut found = 0;
    for path in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ops")) {
        let text = fs::read_to_string(&path).unwrap();
        // Examples in documentation have operators of their own.
        let code: Vec<&str> = text.lines().filter(|l| !l.trim_start().starts_with("///")).collect();
        for name in names(&code.join("\n")) {
            assert!(rows().contains(&name), "{}: {name} has no row in src/ops/catalog.rs", path.display());
            found += 1;
        }
    }
    assert!(found > 10);
}

#[test]
fn the_search_finds_names() {
    let text = "fn name(&self) -> &'static str {\n        match x {\n            A => \"a\",\n            B => \"b\",\n        }\n    }\n    \"c\"";
    assert_eq!(names(text), ["a", "b"]);
    assert_eq!(names("    built_in!(\"d\": axis);\n    built_in!(\"e\");"), ["d", "e"]);
}

#[test]
fn a_row_of_the_markdown_has_four_cells() {
    assert_eq!(markdown().lines().count(), CATALOG.len() + 2);
    assert!(markdown().lines().all(|l| l.matches('|').count() == 5));
}

/// Checks that names exist: importing a missing one is a compile error.
macro_rules! exist {
    ($($path:ident: $($name:ident)*;)*) => {{
        $({
            #[allow(unused_imports)]
            use convgpu::$path::{$($name),*};
        })*
        [$($(stringify!($name)),*),*]
    }};
}

#[test]
fn the_pytorch_column_names_what_exists() {
    let exist = exist! {
        functional: abs acos acosh adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool2d adaptive_max_pool3d add affine_grid amax amin argmax argmin asin asinh atan atanh avg_pool2d avg_pool3d batch_norm batch_norm_training bitwise_and bitwise_left_shift bitwise_not bitwise_or bitwise_right_shift bitwise_xor cat ceil celu clamp conv1d conv2d conv3d conv_transpose2d conv_transpose3d cos cosh deform_conv2d det div elu eq erf exp expand fake_quantize_per_tensor_affine flatten floor fmod fold ge gelu grid_sample group_norm gt hardsigmoid hardswish index_select instance_norm interpolate layer_norm le leaky_relu linear local_response_norm log log_softmax logical_and logical_or logical_xor logsumexp lp_pool2d lp_pool3d lt matmul max_pool2d max_pool2d_with_indices max_pool3d max_unpool2d maximum mean minimum mish mul narrow neg norm normalize pad permute pixel_shuffle pixel_unshuffle pow prelu prod reciprocal relu relu6 remainder reshape roi_align roi_pool round scaled_dot_product_attention selu sigmoid sign silu sin sinh softmax softplus softsign split sqrt sub sum tan tanh threshold tile topk transpose where_;
        nn: GRU LSTM MultiheadAttention RNN Upsample;
    };
    let named: Vec<_> = CATALOG.iter().flat_map(|e| e.torch.split(", ")).filter(|name| !name.is_empty()).collect();
    for name in &named {
        assert!(exist.contains(name), "{name} is not in the list above");
    }
    assert!(exist.iter().all(|name| named.contains(name)), "the list above has no others");
}

#[test]
fn the_page_of_operators_shows_the_table() {
    let page = include_str!("../../docs/operators.md");
    let shown = page.split("<!-- ops -->").nth(1).unwrap().split("<!-- /ops -->").next().unwrap();
    assert_eq!(shown.trim(), markdown().trim(), "put the output of `convgpu ops --markdown` between the ops marks");
}

/// The names of the functions of one number and of two, as `src/attr` declares them.
fn functions() -> Vec<&'static str> {
    let texts = [include_str!("../../src/attr/activation.rs"), include_str!("../../src/attr/binary.rs")];
    texts.into_iter().flat_map(|text| text.split(" = \"").skip(1)).filter_map(|rest| rest.split('"').next()).collect()
}

/// The names that begin the items of docs/bounds.md.
fn bounded(page: &str) -> Vec<&str> {
    let items = page.lines().filter_map(|line| line.strip_prefix("- `")?.split_once("`: "));
    items.flat_map(|(names, _)| names.split("`, `")).collect()
}

#[test]
fn every_operator_has_an_item_in_the_page_of_bounds() {
    let rows = rows().into_iter().filter(|name| !name.ends_with(" functions"));
    let mut known: Vec<_> = rows.chain(functions()).collect();
    known.sort_unstable();
    known.dedup();
    let mut listed = bounded(include_str!("../../docs/bounds.md"));
    listed.sort_unstable();
    for name in &known {
        assert!(listed.contains(name), "docs/bounds.md has no item for {name}");
    }
    assert_eq!(listed, known, "docs/bounds.md has an operator twice, or one that does not exist");
}

#[test]
fn items_begin_with_names() {
    assert_eq!(bounded("- `a`, `b`: c `d`: e\n- f `g`: h\n  `i`: j\n- `k`"), ["a", "b"]);
    let functions = functions();
    assert!(["relu", "erf", "add", "prelu"].iter().all(|name| functions.contains(name)), "{functions:?}");
    assert!(functions.len() > 40 && functions.iter().all(|name| !name.contains(' ')), "{functions:?}");
}

/// The tests that docs/hardware.md names exist.
#[test]
fn the_tests_of_hardware_are_there() {
    let root = env!("CARGO_MANIFEST_DIR");
    let mut named = 0;
    for line in include_str!("../../docs/hardware.md").lines() {
        let mut file: Option<String> = None;
        for word in line.split('`').skip(1).step_by(2) {
            if word.ends_with(".rs") {
                file =
                    Some(std::fs::read_to_string(format!("{root}/{word}")).unwrap_or_else(|e| panic!("{word}: {e}")));
            } else if let Some(text) = &file {
                assert!(text.contains(&format!("fn {word}()")), "{word}");
                named += 1;
            }
        }
    }
    assert!(named > 20, "{named}");
}
