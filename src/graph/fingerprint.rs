//! One identity for a computation: equal graphs have equal fingerprints, whatever their nodes are called.

use std::any::Any;
use std::hash::{Hash, Hasher};

use super::{Graph, Node, ValueId};
use crate::attr::{AttributeValue, Attributes};
use crate::identity::Identity;
use crate::ops::Op;
use crate::tensor::Tensor;

/// What a graph computes, as a hash; within one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint(Identity);

/// A value of an attribute as something that can be hashed: floats by their bits.
struct Hashed<'a>(&'a AttributeValue);

impl Hash for Hashed<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self.0).hash(state);
        match self.0 {
            AttributeValue::None => {}
            AttributeValue::Bool(yes) => yes.hash(state),
            AttributeValue::Integer(n) => n.hash(state),
            AttributeValue::Float(x) => x.to_bits().hash(state),
            AttributeValue::Text(text) => text.hash(state),
            AttributeValue::List(all) => {
                all.len().hash(state);
                all.iter().for_each(|value| Hashed(value).hash(state));
            }
        }
    }
}

/// An operator as something that can be hashed; `None` if it does not give its attributes.
fn described(op: &dyn Op) -> Option<impl Hash + use<>> {
    let attributes = op.attributes()?;
    // Two operators of programs may have one name.
    let of_program = (!op.is_built_in()).then(|| (op as &dyn Any).type_id());
    Some((op.name(), of_program, Listed(attributes)))
}

/// Attributes as something that can be hashed.
struct Listed(Attributes);

impl Hash for Listed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let all = self.0.iter();
        all.len().hash(state);
        all.for_each(|(name, value)| (name, Hashed(value)).hash(state));
    }
}

/// The identity of an operator; `None` if it does not give its attributes.
pub fn identity_of(op: &dyn Op) -> Option<Identity> {
    described(op).map(Identity::of)
}

impl Graph {
    /// What the graph computes: its operators with all attributes, its inputs and outputs with their names, its constants by
    /// their elements. `None` if an operator of the program does not give its attributes.
    pub(crate) fn fingerprint(&self) -> Option<Fingerprint> {
        self.fingerprint_by(|tensor| tensor.identity())
    }

    /// As [`Graph::fingerprint`], with other identities of constants.
    pub(crate) fn fingerprint_by(&self, identity: impl Fn(&Tensor) -> Identity) -> Option<Fingerprint> {
        let of = |ids: &[ValueId]| ids.iter().map(|id| id.0).collect::<Vec<_>>();
        let inputs: Vec<_> = self.inputs.iter().map(|id| id.0).zip(self.inputs()).collect();
        let constant = |(id, tensor): (usize, &Tensor)| (id, tensor.desc(), identity(tensor));
        let constants = self.values.iter().enumerate().filter_map(|(id, v)| Some((id, v.constant.as_ref()?)));
        let constants: Vec<_> = constants.map(constant).collect();
        let resident: Vec<_> = self.resident.iter().map(|(id, number)| (id.0, *number, self.desc(*id))).collect();
        let node = |n: &Node| {
            let epilogue = Listed(Attributes::new().with("epilogue", &n.epilogue));
            Some((described(&*n.op)?, epilogue, of(&n.inputs), of(&n.outputs)))
        };
        let nodes: Vec<_> = self.nodes.iter().map(node).collect::<Option<_>>()?;
        let outputs: Vec<_> = self.outputs.iter().map(|(name, id)| (name, id.0)).collect();
        Some(Fingerprint(Identity::of((inputs, constants, resident, nodes, outputs))))
    }
}
