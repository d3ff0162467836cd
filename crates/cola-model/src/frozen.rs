//! The one place where a tensor is shared between threads.

use std::ops::Deref;

use tch::Tensor;

/// A tensor that is no longer changed, so that threads may read it at the same time.
///
/// `tch::Tensor` is `Send` but not `Sync`, because a `&Tensor` can be aliased (`shallow_clone`)
/// and the alias changed in place while another thread reads.
#[derive(Debug)]
pub struct Frozen(Tensor);

// SAFETY: libtorch's own contract is that concurrent reads of a tensor are safe: reference counts
// are atomic and kernels only read their inputs. A tensor is written before it is wrapped here;
// in-place operations of this workspace are on tensors that were just created or that one owner
// holds alone (`tail` in `cola-engine`). No tensor here requires a gradient, so no autograd
// metadata is made lazily on reading.
unsafe impl Sync for Frozen {}

impl Frozen {
    /// Freezes a tensor. It must own its storage or share it only with other frozen tensors.
    pub fn new(tensor: Tensor) -> Self {
        Self(tensor)
    }

    /// Bytes of its elements.
    pub fn bytes(&self) -> usize {
        self.0.numel() * self.0.kind().elt_size_in_bytes()
    }
}

impl Deref for Frozen {
    type Target = Tensor;

    fn deref(&self) -> &Tensor {
        &self.0
    }
}
