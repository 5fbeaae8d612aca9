//! Rewrites: named rules that make a graph cheaper without changing what it computes.

mod batch_norm;
mod decomposed;
mod editor;
mod epilogue;
mod rule;
mod split;
mod views;

pub use rule::Firing;
pub use split::split_large_weights;

use editor::{Editor, Place};
use rule::{Answer, Refusal};

use super::Graph;

/// Tries a rule at a place.
type Rule = fn(&Editor, Place) -> Answer;

/// Every rule, in the order in which they are tried.
const RULES: &[(&str, Rule)] = &[
    ("constant folding", views::fold_constants),
    ("identity removed", views::remove_identity),
    ("reshape chain collapsed", views::collapse_reshapes),
    ("transpose chain collapsed", views::collapse_permutes),
    ("pixel shuffle recognised", decomposed::pixel_shuffle),
    ("swish recognised", decomposed::swish),
    ("hard swish recognised", decomposed::hard_swish),
    ("gelu recognised", decomposed::gelu),
    ("global pooling recognised", decomposed::global_pool),
    ("batch norm into the convolution before it", batch_norm::into_convolution_before),
    ("batch norm into the convolution after it", batch_norm::into_convolution_after),
    ("pad into convolution", epilogue::pad_into_convolution),
    ("bias into convolution", epilogue::bias),
    ("activations into one", epilogue::activations),
    ("activation moved before reshape", epilogue::activation_before_view),
    ("residual into epilogue", epilogue::residual),
    ("activation into epilogue", epilogue::activation),
    ("prelu into epilogue", epilogue::prelu),
];

/// Elements that constants may take after folding, beyond a few for each that they take before: 64 MiB of floats.
const FOLDED_ELEMENTS: usize = 1 << 24;

/// The names of the rules.
pub fn rules() -> impl Iterator<Item = &'static str> {
    RULES.iter().map(|(name, _)| *name)
}

/// Applies one rule alone, wherever it fires.
pub fn rewrite_by(graph: &mut Graph, rule: &str) -> Vec<Firing> {
    let mut editor = Editor::new(std::mem::take(graph), FOLDED_ELEMENTS);
    let (mut fired, mut declined) = (vec![], vec![]);
    for rule in RULES.iter().filter(|(name, _)| *name == rule) {
        while sweep(&mut editor, rule, &mut fired, &mut declined) {}
    }
    *graph = editor.finish();
    fired
}

/// Applies the rules until none fires, and removes what nothing reads. Gives the results, firings first.
///
/// Each rule sweeps over the whole graph. After a rule has fired, the first rule starts again, so that a rule only sees
/// what the rules before it have left. This takes a few sweeps per rule, whatever the size of the graph.
pub fn rewrite(graph: &mut Graph) -> Vec<Firing> {
    let mut editor = Editor::new(std::mem::take(graph), FOLDED_ELEMENTS);
    let mut log = vec![];
    let declined = loop {
        let mut declined = vec![];
        if !RULES.iter().any(|rule| sweep(&mut editor, rule, &mut log, &mut declined)) {
            break declined;
        }
    };
    *graph = editor.finish();
    log.into_iter().chain(declined).collect()
}

/// Applies a rule to every node, repeatedly while it fires there; gives whether it fired anywhere.
fn sweep(
    editor: &mut Editor,
    (rule, apply): &(&'static str, Rule),
    fired: &mut Vec<Firing>,
    declined: &mut Vec<Firing>,
) -> bool {
    let before = fired.len();
    for place in 0..editor.places() {
        while let Some(node) = editor.at(place) {
            let firing = |declined| Firing { rule, node: node.name.clone(), declined };
            let made = match apply(editor, place) {
                Err(Refusal::NoMatch) => break,
                Err(Refusal::Declined(why)) => Err(why),
                Ok(edit) => editor.apply(edit),
            };
            match made {
                Ok(()) => fired.push(firing(None)),
                Err(why) => {
                    declined.push(firing(Some(why)));
                    break;
                }
            }
        }
    }
    fired.len() > before
}
