//! A graph while it is rewritten. Every edit keeps the maker and the readers of every value up to date and removes what
//! nothing reads any more. The time of an edit depends on what it touches, not on the size of the graph.

use std::collections::BTreeSet;
use std::rc::Rc;

use crate::graph::{Graph, Node, ValueId};
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

    /// The rewritten graph.
    pub fn finish(mut self) -> Graph {
        self.graph.nodes = self.nodes.into_iter().flatten().map(Rc::unwrap_or_clone).collect();
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
    /// How many readers a value has, graph outputs included.
    pub fn uses(&self, id: ValueId) -> usize {
        self.readers[id.0].len()
    }
    /// Elements that folding may still add.
    pub fn room(&self) -> usize {
        self.most.saturating_sub(self.held)
    }

    /// A new constant.
    pub fn constant(&mut self, name: String, tensor: Tensor) -> ValueId {
        self.held += tensor.numel();
        let id = self.graph.constant(name, tensor).expect("it is not larger than its source");
        self.grow();
        id
    }

    /// A new value, for a node that is put in place later.
    pub fn value(&mut self, name: String, desc: crate::shape::Desc) -> ValueId {
        let id = self.graph.value(name, desc, None).expect("it is not larger than its source");
        self.grow();
        id
    }

    fn grow(&mut self) {
        self.makers.resize(self.graph.values.len(), None);
        self.readers.resize(self.graph.values.len(), BTreeSet::new());
    }

    /// Replaces the node at a place.
    pub fn put(&mut self, place: Place, node: Node) {
        let loose = self.unlink(place);
        node.outputs.iter().for_each(|id| self.makers[id.0] = Some(place));
        for (k, id) in node.inputs.iter().enumerate() {
            self.readers[id.0].insert(Reader::Node(place, k));
        }
        self.nodes[place] = Some(Rc::new(node));
        self.release(loose);
    }

    /// Removes the node at a place, whose results have no readers or come from another node now.
    pub fn remove(&mut self, place: Place) {
        let loose = self.unlink(place);
        self.release(loose);
    }

    /// Puts a node in the free place before this one.
    pub fn put_before(&mut self, place: Place, node: Node) -> Place {
        assert!(self.nodes[place - 1].is_none(), "one free place per node");
        self.put(place - 1, node);
        place - 1
    }

    /// Makes every reader of `old` read `new`.
    pub fn redirect(&mut self, old: ValueId, new: ValueId) {
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

    /// Replaces a node by its results.
    ///
    /// False, and nothing is changed, if the results do not have the shapes and types of the graph's values: kernels
    /// rely on those.
    pub fn fold(&mut self, place: Place, results: Vec<Tensor>) -> bool {
        let outputs = self.node(place).outputs.clone();
        if !outputs.iter().map(|&id| self.graph.desc(id).clone()).eq(results.iter().map(Tensor::desc)) {
            return false;
        }
        self.remove(place);
        for (id, tensor) in outputs.into_iter().zip(results).filter(|(id, _)| !self.readers[id.0].is_empty()) {
            self.held += tensor.numel();
            self.graph.values[id.0].constant = Some(tensor);
        }
        true
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
