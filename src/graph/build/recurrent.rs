//! Recurrent layers.

use super::{Graph, ValueId};
use crate::attr::{BinaryKind, Cell, Direction};
use crate::error::{Error, Result};
use crate::ops::binary::Binary;
use crate::ops::concat::Concat;
use crate::ops::recurrent::Recurrent;
use crate::ops::split::Split;
use crate::tensor::Tensor;

/// The parameters of one direction, as PyTorch names them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RecurrentWeights {
    /// `[gates * hidden, inputs]`
    pub weight_ih: ValueId,
    /// `[gates * hidden, hidden]`
    pub weight_hh: ValueId,
    /// Both `[gates * hidden]`: the one of the input, the one of the state.
    pub biases: Option<[ValueId; 2]>,
}

impl Graph {
    /// A recurrent layer of one direction, or of two: x `[steps, batch, inputs]` to `[steps, batch, directions * hidden]`, and
    /// the states after the last step, `[directions, batch, hidden]` each. The states before the first step are 0 unless given.
    /// With `batch_first` the first two axes of x and of the result are exchanged.
    pub(crate) fn recurrent(
        &mut self,
        x: ValueId,
        cell: Cell,
        weights: &[RecurrentWeights],
        initial: Option<&[ValueId]>,
        batch_first: bool,
    ) -> Result<Vec<ValueId>> {
        let (&[a, b, _], &[_, hidden]) = (self.dims(x)?, self.dims(weights[0].weight_hh)?) else {
            return Err(Error::shape(format!(
                "a recurrent layer takes [steps, batch, inputs], not {:?}",
                self.shape(x)
            )));
        };
        let batch = if batch_first { a } else { b };
        let (mut products, mut extras) = (vec![], vec![]);
        for direction in weights {
            let (bias, extra) = self.biases(cell, direction, hidden)?;
            products.push(self.linear(x, direction.weight_ih, bias)?);
            extras.push(extra);
        }
        let both = if weights.len() == 2 { Direction::Both } else { Direction::Forward };
        let weight: Vec<_> = weights.iter().map(|direction| direction.weight_hh).collect();
        let weight = self.joined(&weight, 0)?;
        let weight = self.reshape(weight, [weights.len(), cell.gates() * hidden, hidden])?;
        let mut inputs = vec![self.joined(&products, 2)?, weight];
        match initial {
            Some(initial) => inputs.extend(initial),
            None => {
                let zeros = self.constant("zeros", Tensor::zeros([weights.len(), batch, hidden]))?;
                inputs.extend(vec![zeros; cell.states()]);
            }
        }
        if cell.extra() > 0 {
            let extra = self.joined(&extras.into_iter().flatten().collect::<Vec<_>>(), 0)?;
            inputs.push(self.reshape(extra, [weights.len(), hidden])?);
        }
        self.layer_of_several(Recurrent { cell, direction: both, clip: None, batch_first }, &inputs)
    }

    /// The bias of the products of the input; and that of the product which a GRU's reset gate multiplies, `[hidden]`.
    fn biases(
        &mut self,
        cell: Cell,
        weights: &RecurrentWeights,
        hidden: usize,
    ) -> Result<(Option<ValueId>, Option<ValueId>)> {
        let none = |graph: &mut Graph| graph.constant("zeros", Tensor::zeros([hidden]));
        let apart = cell.extra() > 0;
        let Some([of_input, of_state]) = weights.biases else {
            return Ok((None, if apart { Some(none(self)?) } else { None }));
        };
        let (added, multiplied) = if apart {
            let sizes = vec![(cell.gates() - 1) * hidden, hidden];
            let parts = self.folded(Split { axis: 0, sizes }, &[of_state])?;
            let none = none(self)?;
            (self.joined(&[parts[0], none], 0)?, Some(parts[1]))
        } else {
            (of_state, None)
        };
        Ok((Some(self.folded(Binary(BinaryKind::Add), &[of_input, added])?[0]), multiplied))
    }

    /// The only value, or several along an axis.
    fn joined(&mut self, values: &[ValueId], axis: usize) -> Result<ValueId> {
        if let [one] = values { Ok(*one) } else { Ok(self.folded(Concat { axis }, values)?[0]) }
    }
}
