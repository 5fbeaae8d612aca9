//! A graph while it is rewritten. Every edit keeps the maker and the readers of every value up to date and removes what
//! nothing reads any more. The time of an edit depends on what it touches, not on the size of the graph.
//!
//! Rules see the graph and propose an [`Edit`]. The editor checks all of it before it changes anything, so no rule can
//! place a node that its operator would refuse, or one whose result has another shape or type than its readers expect.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use crate::graph::{Graph, Node, Value, ValueId};
use crate::ops::{Epilogue, Op};
use crate::shape::{DType, Desc};
use crate::tensor::Tensor;

/// The position of a node in the order of the graph.
pub(super) type Place = usize;

/// Places per node of the graph: its own, and a free one before it for a rule that replaces one node by two.
const PLACES: usize = 2;

/// A reader of a value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reader {
    /// The node at this place, by its input of this index.
    Node(Place, usize),
    /// The graph's output of this index.
    Output(usize),
}

impl Reader {
    fn is_at(self, place: impl Fn(Place) -> bool) -> bool {
        matches!(self, Reader::Node(p, _) if place(p))
    }
}

pub(super) struct Editor {
    /// Values, inputs and outputs. Its nodes are in `nodes`.
    graph: Graph,
    nodes: Vec<Option<Rc<Node>>>,
    makers: Vec<Option<Place>>,
    readers: Vec<BTreeSet<Reader>>,
    /// Elements of all constants, and the most that there may be after folding.
    held: usize,
    most: usize,
}

/// What a rule proposes: new values, nodes at places, elements of values, values in the place of others.
#[derive(Default)]
pub(super) struct Edit {
    /// The index of the first new value, and the graph's number.
    first: usize,
    graph: u32,
    values: Vec<Value>,
    nodes: Vec<(Place, Node)>,
    known: Vec<(ValueId, Tensor)>,
    redirected: Vec<(ValueId, ValueId)>,
}

impl Edit {
    /// A new constant.
    pub fn constant(&mut self, name: String, tensor: Tensor) -> ValueId {
        self.value(Value { name, desc: tensor.desc(), constant: Some(tensor) })
    }

    fn value(&mut self, value: Value) -> ValueId {
        self.values.push(value);
        ValueId(self.first + self.values.len() - 1, self.graph)
    }

    /// Replaces the node at a place.
    pub fn put(mut self, place: Place, node: Node) -> Edit {
        self.nodes.push((place, node));
        self
    }

    /// Puts a node of one new result at a place.
    ///
    /// # Errors
    /// The operator refuses the inputs, or has several results.
    pub fn insert(
        &mut self,
        e: &Editor,
        place: Place,
        name: String,
        op: Arc<dyn Op>,
        inputs: Vec<ValueId>,
    ) -> Result<ValueId, &'static str> {
        let descs: Vec<Desc> = inputs.iter().map(|&id| self.desc(&e.graph, id).clone()).collect();
        let Ok(Ok([desc])) = op.outputs(&descs).map(<[Desc; 1]>::try_from) else { return Err(REFUSED) };
        let result = self.value(Value { name: name.clone(), desc, constant: None });
        self.nodes.push((place, Node { name, op, inputs, outputs: vec![result], epilogue: Epilogue::NONE }));
        Ok(result)
    }

    /// Gives a value its elements.
    pub fn know(mut self, id: ValueId, tensor: Tensor) -> Edit {
        self.known.push((id, tensor));
        self
    }

    /// Makes every reader of `old` read `new`.
    pub fn redirect(mut self, old: ValueId, new: ValueId) -> Edit {
        self.redirected.push((old, new));
        self
    }

    /// The description of a value of the graph or of this edit.
    fn desc<'a>(&'a self, graph: &'a Graph, id: ValueId) -> &'a Desc {
        match id.0.checked_sub(self.first) {
            Some(k) => &self.values[k].desc,
            None => graph.desc(id),
        }
    }

    /// Whether the operator takes the inputs and gives what the graph says of the outputs, and the epilogue is one that
    /// the operator's kernels apply.
    fn fits(&self, graph: &Graph, node: &Node) -> Result<(), &'static str> {
        let descs = |ids: &[ValueId]| ids.iter().map(|&id| self.desc(graph, id).clone()).collect::<Vec<_>>();
        let (own, outputs) = (descs(&node.inputs[..node.own_inputs()]), descs(&node.outputs));
        match node.op.outputs(&own) {
            Err(_) => return Err(REFUSED),
            Ok(given) if given != outputs => return Err("the result would have another shape or type"),
            Ok(_) => {}
        }
        let (epilogue, y) = (&node.epilogue, &outputs[0]);
        if epilogue.is_none() {
            return Ok(());
        }
        let input = |k: usize| self.desc(graph, node.inputs[k]);
        let residual = epilogue.residual.is_none_or(|k| input(k) == y);
        let slope = epilogue.slope.is_none_or(|k| {
            let n = input(k).numel();
            input(k).dtype == DType::F32 && (n == 1 || y.shape.get(1) == Some(&n))
        });
        match node.op.takes_epilogue() && y.dtype == DType::F32 && residual && slope {
            true => Ok(()),
            false => Err("the epilogue would not fit the result"),
        }
    }
}

const REFUSED: &str = "the operator refuses these inputs";

impl Editor {
    /// Takes a graph. Folding may double the elements of its constants and add `spare` more.
    pub fn new(mut graph: Graph, spare: usize) -> Editor {
        graph.remove_dead();
        let values = graph.values.len();
        let given = std::mem::take(&mut graph.nodes);
        let nodes = vec![None; PLACES * given.len()];
        let held: usize = graph.values.iter().filter_map(|v| v.constant.as_ref()).map(Tensor::numel).sum();
        let (makers, readers, most) = (vec![None; values], vec![BTreeSet::new(); values], spare + 2 * held);
        let mut editor = Editor { graph, nodes, makers, readers, held, most };
        for (k, node) in given.into_iter().enumerate() {
            editor.put(PLACES * k + PLACES - 1, node);
        }
        for (k, (_, id)) in editor.graph.outputs.iter().enumerate() {
            editor.readers[id.0].insert(Reader::Output(k));
        }
        editor
    }

    /// The rewritten graph. Of several values of one name the last is the one that holds what the name says; the others come
    /// from nodes that were moved.
    pub fn finish(mut self) -> Graph {
        self.graph.nodes = self.nodes.into_iter().flatten().map(Rc::unwrap_or_clone).collect();
        let mut seen = HashSet::new();
        let made: Vec<ValueId> = self.graph.nodes.iter().flat_map(|n| n.outputs.iter().copied()).collect();
        for id in made.into_iter().rev() {
            let name = &mut self.graph.values[id.0].name;
            if !seen.insert(name.clone()) {
                *name = format!("{name} ({})", id.0);
            }
        }
        self.graph
    }

    /// Values, their constants, inputs and outputs: all but the nodes.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }
    /// The number of places, free ones included.
    pub fn places(&self) -> usize {
        self.nodes.len()
    }
    /// The node at a place, unless it is free.
    pub fn at(&self, place: Place) -> Option<Rc<Node>> {
        self.nodes[place].clone()
    }
    /// The node at a place known to hold one.
    pub fn node(&self, place: Place) -> &Node {
        self.nodes[place].as_ref().expect("the place holds a node")
    }
    /// The place of the node that makes a value; `None` for inputs and constants.
    pub fn maker(&self, id: ValueId) -> Option<Place> {
        self.makers[id.0]
    }
    /// The place before a node's own, which is free for a node made of it.
    pub fn before(&self, place: Place) -> Place {
        place - 1
    }
    /// How many readers a value has, graph outputs included.
    pub fn uses(&self, id: ValueId) -> usize {
        self.readers[id.0].len()
    }
    /// Elements that folding may still add.
    pub fn room(&self) -> usize {
        self.most.saturating_sub(self.held)
    }

    /// An edit that changes nothing yet.
    pub fn edit(&self) -> Edit {
        Edit { first: self.graph.values.len(), graph: self.graph.identity, ..Edit::default() }
    }

    /// Makes a change, or says what is wrong with it and changes nothing.
    pub fn apply(&mut self, edit: Edit) -> Result<(), &'static str> {
        self.check(&edit)?;
        for value in edit.values {
            self.held += value.constant.as_ref().map_or(0, Tensor::numel);
            self.graph.value(value.name, value.desc, value.constant).map_err(|_| "a value would be too large")?;
        }
        self.makers.resize(self.graph.values.len(), None);
        self.readers.resize(self.graph.values.len(), BTreeSet::new());
        for (place, node) in edit.nodes {
            self.put(place, node);
        }
        for (id, tensor) in edit.known {
            self.know(id, tensor);
        }
        for (old, new) in edit.redirected {
            self.redirect(old, new);
        }
        Ok(())
    }

    /// Every placed node must be one that its operator takes, with the results that the graph says it has, behind what it
    /// reads and before what reads it; what takes the place of a value must be of its shape and type; no value that is
    /// still read may lose its node.
    fn check(&self, edit: &Edit) -> Result<(), &'static str> {
        let nodes: HashMap<Place, &Node> = edit.nodes.iter().map(|(place, node)| (*place, node)).collect();
        let makers: HashMap<ValueId, Place> =
            nodes.iter().flat_map(|(&place, node)| node.outputs.iter().map(move |&id| (id, place))).collect();
        let maker = |id: &ValueId| makers.get(id).copied().or_else(|| self.makers.get(id.0).copied().flatten());
        // Nodes that the edit leaves where they are.
        let first_reader = |id: &ValueId| {
            let readers = self.readers.get(id.0).into_iter().flatten();
            readers
                .filter_map(|r| if let Reader::Node(place, _) = r { Some(*place) } else { None })
                .find(|p| !nodes.contains_key(p))
        };
        for (&place, node) in &nodes {
            edit.fits(&self.graph, node)?;
            let behind = node.inputs.iter().filter_map(maker).all(|maker| maker < place);
            let before = node.outputs.iter().filter_map(first_reader).all(|reader| place < reader);
            if !behind || !before {
                return Err("a node would come before what it reads");
            }
            let lost = |id: &&ValueId| !makers.contains_key(id) && !edit.redirected.iter().any(|(old, _)| old == *id);
            let gone = self.nodes[place].iter().flat_map(|old| &old.outputs).filter(lost);
            if gone.clone().any(|id| self.readers[id.0].iter().any(|r| !r.is_at(|p| nodes.contains_key(&p))))
                || gone.clone().any(|id| nodes.values().any(|n| n.inputs.contains(id)))
            {
                return Err("a value would have no node that makes it");
            }
        }
        for (old, new) in &edit.redirected {
            if edit.desc(&self.graph, *old) != edit.desc(&self.graph, *new) {
                return Err("another shape or type would take the value's place");
            }
            if maker(new).zip(first_reader(old)).is_some_and(|(maker, reader)| maker >= reader) {
                return Err("a node would come before what it reads");
            }
        }
        match edit.known.iter().all(|(id, tensor)| self.graph.desc(*id) == &tensor.desc()) {
            true => Ok(()),
            false => Err("the reference gives another shape or type than the shape rule"),
        }
    }

    /// Replaces the node at a place.
    fn put(&mut self, place: Place, node: Node) {
        let loose = self.unlink(place);
        node.outputs.iter().for_each(|id| self.makers[id.0] = Some(place));
        for (k, id) in node.inputs.iter().enumerate() {
            self.readers[id.0].insert(Reader::Node(place, k));
        }
        self.nodes[place] = Some(Rc::new(node));
        self.release(loose);
    }

    /// Makes every reader of `old` read `new`, which then holds what `old` held, and gets its name.
    fn redirect(&mut self, old: ValueId, new: ValueId) {
        if self.makers[new.0].is_some() {
            self.graph.values[new.0].name = self.graph.values[old.0].name.clone();
        }
        let readers = std::mem::take(&mut self.readers[old.0]);
        for reader in &readers {
            match *reader {
                Reader::Output(k) => self.graph.outputs[k].1 = new,
                Reader::Node(place, k) => {
                    let node = self.nodes[place].as_mut().expect("a reader is a node");
                    Rc::make_mut(node).inputs[k] = new;
                }
            }
        }
        self.readers[new.0].extend(readers);
        self.release(vec![old]);
    }

    /// Gives a value its elements; the node that made it goes when it makes nothing else that is read.
    fn know(&mut self, id: ValueId, tensor: Tensor) {
        if !self.readers[id.0].is_empty() {
            self.held += tensor.numel();
            self.graph.values[id.0].constant = Some(tensor);
        }
        let Some(place) = self.makers[id.0].take() else { return };
        let needed = |o: &ValueId| self.makers[o.0].is_some() && !self.readers[o.0].is_empty();
        if !self.node(place).outputs.iter().any(needed) {
            let loose = self.unlink(place);
            self.release(loose);
        }
    }

    /// Removes the node at a place, if any; gives the values that it read, which may now have no readers.
    fn unlink(&mut self, place: Place) -> Vec<ValueId> {
        let Some(node) = self.nodes[place].take() else { return vec![] };
        for id in &node.outputs {
            self.makers[id.0] = self.makers[id.0].filter(|&maker| maker != place);
        }
        for (k, id) in node.inputs.iter().enumerate() {
            self.readers[id.0].remove(&Reader::Node(place, k));
        }
        node.inputs.clone()
    }

    /// Removes what nothing reads: constants, and nodes without a result that is read, backwards through the graph.
    fn release(&mut self, mut loose: Vec<ValueId>) {
        while let Some(id) = loose.pop() {
            if !self.readers[id.0].is_empty() {
                continue;
            }
            if let Some(tensor) = self.graph.values[id.0].constant.take() {
                self.held -= tensor.numel();
            }
            let Some(place) = self.makers[id.0] else { continue };
            if self.node(place).outputs.iter().all(|o| self.readers[o.0].is_empty()) {
                loose.extend(self.unlink(place));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attr::Activation;
    use crate::ops::unary::Unary;

    /// `a = relu(x)`; `b` and `c`, the outputs, both read `a`.
    fn shared() -> (Editor, [ValueId; 4]) {
        let mut graph = Graph::new();
        let x = graph.input("x", Desc::f32([3])).unwrap();
        let mut relu = |name: &str, of| graph.apply(name, Unary(Activation::Relu), &[of]).unwrap();
        let a = relu("a", x);
        let [b, c] = ["b", "c"].map(|name| relu(name, a));
        for (name, id) in [("b", b), ("c", c)] {
            graph.output(name, id);
        }
        (Editor::new(graph, 0), [x, a, b, c])
    }

    /// The node of `made`, reading `read` instead.
    fn reading(e: &Editor, made: ValueId, read: ValueId) -> (Place, Node) {
        let place = e.maker(made).unwrap();
        (place, Node { inputs: vec![read], ..e.node(place).clone() })
    }

    /// A node that makes a new value in the place of `a`, and readers of `a` that go elsewhere: all of them must.
    #[test]
    fn a_value_with_a_reader_left_keeps_its_node() {
        let propose = |readers: &[usize]| {
            let (mut e, ids) = shared();
            let [x, a, ..] = ids;
            let mut edit = e.edit();
            let place = e.maker(a).unwrap();
            edit.insert(&e, place, "new".to_owned(), Arc::new(Unary(Activation::Relu)), vec![x]).unwrap();
            let edit = readers.iter().fold(edit, |edit, &k| {
                let (place, node) = reading(&e, ids[k], x);
                edit.put(place, node)
            });
            e.apply(edit)
        };
        let lost = Err("a value would have no node that makes it");
        assert_eq!([propose(&[]), propose(&[2]), propose(&[3])], [lost; 3]);
        assert_eq!(propose(&[2, 3]), Ok(()));
    }

    /// A node must not read what it makes.
    #[test]
    fn a_value_does_not_take_the_place_of_what_it_is_made_of() {
        let (mut e, [x, a, b, c]) = shared();
        let late = Err("a node would come before what it reads");
        assert_eq!([e.apply(e.edit().redirect(a, b)), e.apply(e.edit().redirect(x, a))], [late; 2]);
        assert_eq!(e.apply(e.edit().redirect(c, b)), Ok(()));
    }
}
