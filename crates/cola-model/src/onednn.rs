//! Matrix products with weights packed for oneDNN, which libtorch contains.
//!
//! libtorch multiplies f32 matrices with MKL and unpacked weights. With packed weights oneDNN is up
//! to twice as fast, most of all on processors that are not Intel's, and sums each row in one
//! order, whatever the other rows in the batch are. It is reached through libtorch's stable C
//! interface, which compiled models use too. If a libtorch's interface lacks these products,
//! weights are not packed.

use std::{
    ffi::{c_char, c_void},
    ptr::{null, null_mut},
    sync::OnceLock,
};

use tch::{Device, Kind, Tensor};

use super::{Frozen, ModelError};

/// A weight `[out, in]` in oneDNN's packed layout.
#[derive(Debug)]
pub struct Packed {
    weight: Frozen,
}

/// `at::Tensor*`, as in `tch`.
type Handle = *mut c_void;

/// The functions of `torch/csrc/inductor/aoti_torch/c/shim.h` and `shim_cpu.h` that are used here.
/// All return 0 on success.
struct Interface {
    new_handle: unsafe extern "C" fn(Handle, *mut Handle) -> i32,
    call_dispatcher: unsafe extern "C" fn(*const c_char, *const c_char, *mut u64) -> i32,
    linear: unsafe extern "C" fn(
        x: Handle,
        weight: Handle,
        bias: *mut Handle,
        then: *const c_char,
        scalars: *const *const f64,
        scalar_count: i64,
        algorithm: *const *const c_char,
        y: *mut Handle,
    ) -> i32,
}

impl Packed {
    /// Packs a weight `[out, in]`; `None` if that is not possible, or would not make products
    /// faster.
    pub fn new(weight: &Tensor) -> Result<Option<Self>, ModelError> {
        let kind = weight.kind();
        let suits = weight.device() == Device::Cpu
            && weight.dim() == 2
            && (kind == Kind::Float || (kind == Kind::BFloat16 && multiplies_bfloat16()));
        match interface().filter(|_| suits) {
            Some(interface) => Self::pack(interface, weight).map(Some),
            None => Ok(None),
        }
    }

    fn pack(interface: &Interface, weight: &Tensor) -> Result<Self, ModelError> {
        let mut owned: Handle = null_mut();
        // SAFETY: the handle given is a live tensor; the new one is another reference to it.
        let made = unsafe { (interface.new_handle)(weight.as_ptr() as Handle, &raw mut owned) };
        check(made)?;
        // The arguments: the weight, which the call takes over, and no expected number of rows.
        let mut stack = [owned as u64, 0];
        let (name, overload) = (c"mkldnn::_reorder_linear_weight", c"");
        // SAFETY: the stack holds what the schema `(Tensor self, SymInt? batch_size=None)` asks for
        // and has room for its one result.
        let packed = unsafe {
            (interface.call_dispatcher)(name.as_ptr(), overload.as_ptr(), stack.as_mut_ptr())
        };
        check(packed)?;
        // SAFETY: the result is an owned tensor handle.
        let weight = unsafe { Tensor::from_ptr(stack[0] as *mut _) };
        Ok(Self {
            weight: Frozen::new(weight),
        })
    }

    /// `x W^T + b`: `[N, in] -> [N, out]`.
    pub fn forward(&self, x: &Tensor, bias: Option<&Tensor>) -> Result<Tensor, ModelError> {
        match interface() {
            Some(interface) => self.multiply(interface, x, bias),
            None => Err(failure()),
        }
    }

    fn multiply(
        &self,
        interface: &Interface,
        x: &Tensor,
        bias: Option<&Tensor>,
    ) -> Result<Tensor, ModelError> {
        let mut bias = bias.map(|bias| bias.as_ptr() as Handle);
        let mut y: Handle = null_mut();
        // SAFETY: all handles are live tensors, which are only read; "none" takes no scalars.
        let computed = unsafe {
            (interface.linear)(
                x.as_ptr() as Handle,
                self.weight.as_ptr() as Handle,
                bias.as_mut().map_or(null_mut(), |bias| &raw mut *bias),
                c"none".as_ptr(),
                null(),
                0,
                null(),
                &raw mut y,
            )
        };
        check(computed)?;
        // SAFETY: the result is an owned tensor handle.
        Ok(unsafe { Tensor::from_ptr(y as *mut _) })
    }
}

/// Whether libtorch lets oneDNN multiply bfloat16 on this processor. Without these instructions the
/// call fails.
fn multiplies_bfloat16() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512dq");
    #[cfg(not(target_arch = "x86_64"))]
    true
}

fn check(status: i32) -> Result<(), ModelError> {
    if status == 0 { Ok(()) } else { Err(failure()) }
}

fn failure() -> ModelError {
    tch::TchError::Torch("oneDNN could not multiply (libtorch said why above)".into()).into()
}

/// The functions, looked up once. `None` if the libtorch that is linked lacks them, or if they give
/// other products than libtorch's own.
fn interface() -> Option<&'static Interface> {
    static FOUND: OnceLock<Option<Interface>> = OnceLock::new();
    FOUND
        .get_or_init(|| {
            let found = look_up()?;
            if agrees_with_libtorch(&found) {
                return Some(found);
            }
            tracing::warn!(
                "this libtorch's packed products differ from its plain ones: they are not used"
            );
            None
        })
        .as_ref()
}

/// Whether a small product agrees with libtorch's own. The functions are found by name alone, and
/// other versions of libtorch may define them differently.
fn agrees_with_libtorch(interface: &Interface) -> bool {
    let numbers = |rows: i64, columns: i64, scale: f64| {
        let flat = Tensor::arange(rows * columns, (Kind::Float, Device::Cpu));
        ((flat * scale).sin()).reshape([rows, columns])
    };
    let (x, weight) = (numbers(3, 16, 0.7), numbers(8, 16, 0.3));
    let bias = numbers(1, 8, 1.1).reshape([8]);
    let product = || -> Result<Tensor, ModelError> {
        let packed = Packed::pack(interface, &weight)?;
        packed.multiply(interface, &x, Some(&bias))
    };
    let plain = x.linear(&weight, Some(&bias));
    product().is_ok_and(|packed| {
        packed.size() == plain.size() && packed.allclose(&plain, 1e-4, 1e-5, false)
    })
}

#[cfg(unix)]
fn look_up() -> Option<Interface> {
    let program = libloading::os::unix::Library::this();
    // SAFETY: the types are those of the headers of libtorch 2.11.
    unsafe {
        Some(Interface {
            new_handle: *program.get(b"aoti_torch_new_tensor_handle\0").ok()?,
            call_dispatcher: *program.get(b"aoti_torch_call_dispatcher\0").ok()?,
            linear: *program.get(b"aoti_torch_cpu__linear_pointwise\0").ok()?,
        })
    }
}

#[cfg(not(unix))]
fn look_up() -> Option<Interface> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_numbers::random;

    #[test]
    fn a_packed_product_is_the_plain_one() {
        let _guard = tch::no_grad_guard();
        for (inputs, outputs) in [(64, 176), (128, 384), (1344, 512), (5, 3)] {
            let (weight, bias) = (random(&[outputs, inputs]), random(&[outputs]));
            let packed = Packed::new(&weight).unwrap().unwrap();
            for rows in [1, 2, 7, 64] {
                let x = random(&[rows, inputs]);
                let plain = x.linear(&weight, Some(&bias));
                let ours = packed.forward(&x, Some(&bias)).unwrap();
                assert_eq!(ours.size(), [rows, outputs]);
                let difference = (&ours - &plain).abs().max().double_value(&[]);
                assert!(difference < 1e-4 * inputs as f64, "{difference}");
                let unbiased = packed.forward(&x, None).unwrap();
                assert!(unbiased.allclose(&(ours - &bias), 1e-4, 1e-3, false));
            }
        }
    }

    #[test]
    fn bfloat16_is_packed_where_the_processor_multiplies_it() {
        let weight = random(&[64, 32]).to_kind(Kind::BFloat16);
        let packed = Packed::new(&weight).unwrap();
        assert_eq!(packed.is_some(), multiplies_bfloat16());
        if let Some(packed) = packed {
            let x = random(&[4, 32]).to_kind(Kind::BFloat16);
            let y = packed.forward(&x, None).unwrap();
            assert!(y.allclose(&x.linear::<&Tensor>(&weight, None), 0.1, 0.1, false));
        }
    }

    #[test]
    fn what_cannot_be_packed_is_left_alone() {
        let half = random(&[4, 4]).to_kind(Kind::Half);
        for weight in [half, random(&[2, 3, 4]), random(&[0])] {
            assert!(Packed::new(&weight).unwrap().is_none());
        }
    }

    #[test]
    fn a_wrong_width_is_an_error() {
        let packed = Packed::new(&random(&[8, 4])).unwrap().unwrap();
        assert!(packed.forward(&random(&[2, 5]), None).is_err());
    }
}
