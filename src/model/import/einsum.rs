//! Einsum: sums of products, computed as matrix products over rearranged axes.

use std::collections::{BTreeMap, HashSet};

use super::operator::Operator;
use super::{Import, NodeView, Val};
use crate::attr::{BinaryKind, ReduceKind};
use crate::error::{Error, Result};
use crate::ops::matmul::MatMul;
use crate::ops::reduce::Reduce;
use crate::ops::slice::Slice;

pub(super) const OPERATORS: &[Operator] = &[Operator::new("Einsum", &["equation"], einsum)];

/// The name of an axis: a letter, or its position from the right among the axes of `...`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Label {
    Hidden(std::cmp::Reverse<usize>),
    Letter(char),
}

/// The sides of an equation, `None` for an ellipsis.
type Side = Vec<Option<char>>;

/// Parses `ij,jk->ik` into its inputs and its output, if there is one.
fn parse(equation: &str) -> Result<(Vec<Side>, Option<Side>)> {
    let side = |text: &str| {
        let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let letters = text.replacen("...", ".", 1);
        let label = |c: char| match c {
            '.' => Ok(None),
            c if c.is_ascii_alphabetic() => Ok(Some(c)),
            _ => Err(Error::file(format!("the equation {equation} of Einsum is not understood"))),
        };
        letters.chars().map(label).collect::<Result<Side>>()
    };
    let (inputs, output) = match equation.split_once("->") {
        Some((inputs, output)) => (inputs, Some(side(output)?)),
        None => (equation, None),
    };
    Ok((inputs.split(',').map(side).collect::<Result<_>>()?, output))
}

/// The labels of a side whose ellipsis, if any, stands for `hidden` axes.
fn labels(side: &Side, hidden: usize) -> Vec<Label> {
    let of = |c: &Option<char>| match c {
        Some(c) => vec![Label::Letter(*c)],
        None => (0..hidden).rev().map(|k| Label::Hidden(std::cmp::Reverse(k))).collect(),
    };
    side.iter().flat_map(of).collect()
}

/// A tensor whose axes have distinct names.
struct Operand {
    value: Val,
    labels: Vec<Label>,
}

/// <https://onnx.ai/onnx/operators/onnx__Einsum.html>
fn einsum(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let equation = node.string("equation", "")?;
    let values = node.inputs()?;
    let (sides, output) = parse(equation)?;
    let bad = |what: &str| {
        let shapes: Vec<_> = values.iter().map(|v| v.desc().to_string()).collect();
        Error::shape(format!("Einsum {equation} of {}: {what}", shapes.join(", ")))
    };
    if sides.len() != values.len() {
        return Err(bad("the equation has another number of inputs"));
    }
    let mut operands = vec![];
    let mut most_hidden = 0;
    for (side, &value) in sides.iter().zip(&values) {
        let letters = side.iter().flatten().count();
        let hidden = value.rank().checked_sub(letters).ok_or_else(|| bad("too many letters"))?;
        let labels = labels(side, hidden);
        if labels.len() != value.rank() {
            return Err(bad("too few letters"));
        }
        most_hidden = most_hidden.max(if side.contains(&None) { hidden } else { 0 });
        operands.push(import.diagonals(value, labels)?);
    }
    let mut extents: BTreeMap<Label, usize> = BTreeMap::new();
    for (label, &n) in operands.iter().flat_map(|o| o.labels.iter().zip(o.value.shape())) {
        let extent = extents.entry(*label).or_insert(n);
        if *extent != n && *extent != 1 && n != 1 {
            return Err(bad("the extents of a letter differ"));
        }
        *extent = if *extent == 1 { n } else { *extent };
    }
    let output = match output {
        Some(side) => labels(&side, most_hidden),
        None => {
            let names: Vec<Label> = sides
                .iter()
                .zip(&values)
                .flat_map(|(s, v)| labels(s, v.rank().saturating_sub(s.iter().flatten().count())))
                .collect();
            let once = |l: &Label| matches!(l, Label::Hidden(_)) || names.iter().filter(|n| n == &l).count() == 1;
            extents.keys().copied().filter(once).collect()
        }
    };
    let twice = (1..output.len()).any(|k| output[..k].contains(&output[k]));
    if twice || output.iter().any(|l| !extents.contains_key(l)) {
        return Err(bad("the output has a letter twice, or one that no input has"));
    }
    let mut rest = operands.into_iter();
    let mut all = rest.next().expect("there is an input");
    while let Some(next) = rest.next() {
        let later = rest.as_slice().iter().flat_map(|o| &o.labels);
        let kept: HashSet<Label> = later.chain(&output).copied().collect();
        all = import.contract(all, next, &kept, &extents)?;
    }
    let all = import.sum_out(all, |l| output.contains(&l))?;
    let order: Vec<usize> = output.iter().map(|l| place(&all.labels, *l)).collect();
    Ok(vec![import.permute(&all.value, &order)?])
}

fn place(labels: &[Label], label: Label) -> usize {
    labels.iter().position(|&l| l == label).expect("the operand has the label")
}

impl Import<'_> {
    /// Takes the diagonal of axes with the same name, so that every name occurs once.
    fn diagonals(&mut self, value: &Val, labels: Vec<Label>) -> Result<Operand> {
        let mut operand = Operand { value: value.clone(), labels };
        while let Some(b) = (1..operand.labels.len()).find(|&k| operand.labels[..k].contains(&operand.labels[k])) {
            let rank = operand.labels.len();
            let a = place(&operand.labels, operand.labels[b]);
            let mut order: Vec<usize> = (0..rank).filter(|&k| k != a && k != b).collect();
            let mut shape: Vec<usize> = order.iter().map(|&k| operand.value.shape()[k]).collect();
            let n = operand.value.shape()[a];
            if operand.value.shape()[b] != n {
                return Err(Error::shape(format!("Einsum: {} has no diagonal, the extents differ", value.desc())));
            }
            order.extend([a, b]);
            let moved = self.permute(&operand.value, &order)?;
            shape.push(n * n);
            let flat = self.reshape(&moved, &shape)?;
            let mut op = Slice { starts: vec![0; rank - 1], steps: vec![1; rank - 1], sizes: shape };
            (op.steps[rank - 2], op.sizes[rank - 2]) = (n as i64 + 1, n);
            let labels = order[..rank - 1].iter().map(|&k| operand.labels[k]).collect();
            operand = Operand { value: self.apply(op, &[&flat])?, labels };
        }
        Ok(operand)
    }

    /// The operand summed over the axes that are not kept.
    fn sum_out(&mut self, x: Operand, kept: impl Fn(Label) -> bool) -> Result<Operand> {
        let axes: Vec<usize> = (0..x.labels.len()).filter(|&k| !kept(x.labels[k])).collect();
        if axes.is_empty() {
            return Ok(x);
        }
        let value = self.apply(Reduce { axes, keep_dims: false, kind: ReduceKind::Sum }, &[&x.value])?;
        Ok(Operand { value, labels: x.labels.into_iter().filter(|&l| kept(l)).collect() })
    }

    /// The operand as `[first, second, third]`, each the product of the axes with these names.
    fn arranged(&mut self, x: &Operand, groups: [&[Label]; 3], extents: &BTreeMap<Label, usize>) -> Result<Val> {
        let wide: Vec<usize> = x.labels.iter().map(|l| extents[l]).collect();
        let value = self.expand(&x.value, &wide)?;
        let order: Vec<usize> = groups.iter().flat_map(|g| g.iter().map(|&l| place(&x.labels, l))).collect();
        let moved = self.permute(&value, &order)?;
        self.reshape(&moved, &groups.map(|g| g.iter().map(|l| extents[l]).product()))
    }

    /// The product of two operands, summed over the names that nothing else uses: one matrix product for every
    /// combination of the names that both have and that are kept.
    fn contract(
        &mut self,
        a: Operand,
        b: Operand,
        kept: &HashSet<Label>,
        extents: &BTreeMap<Label, usize>,
    ) -> Result<Operand> {
        let a = self.sum_out(a, |l| kept.contains(&l) || b.labels.contains(&l))?;
        let b = self.sum_out(b, |l| kept.contains(&l) || a.labels.contains(&l))?;
        let both = |l: &&Label| b.labels.contains(l);
        let (shared, left): (Vec<Label>, Vec<Label>) = a.labels.iter().partition(|l| both(l));
        let (batch, inner): (Vec<Label>, Vec<Label>) = shared.iter().partition(|l| kept.contains(l));
        let right: Vec<Label> = b.labels.iter().copied().filter(|l| !a.labels.contains(l)).collect();
        let x = self.arranged(&a, [&batch, &left, &inner], extents)?;
        let y = self.arranged(&b, [&batch, &inner, &right], extents)?;
        let product = match inner.is_empty() {
            true => self.binary(BinaryKind::Mul, &x, &y)?,
            false => self.apply(MatMul, &[&x, &y])?,
        };
        let labels = [batch, left, right].concat();
        let shape: Vec<usize> = labels.iter().map(|l| extents[l]).collect();
        Ok(Operand { value: self.reshape(&product, &shape)?, labels })
    }
}
