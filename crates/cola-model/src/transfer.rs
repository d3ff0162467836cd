//! Copies numbers from the host to a device.

use tch::{Device, TchError, Tensor, kind::Element};

/// A one-dimensional tensor of `values` on `device`. For a GPU the values are copied from pinned
/// memory, so that this thread does not wait for the copy, nor for other work queued on the GPU.
pub fn upload<T: Element>(values: &[T], device: Device) -> Result<Tensor, TchError> {
    let host = Tensor::f_from_slice(values)?;
    match device {
        // Libtorch keeps pinned memory until the copies that read it are done.
        Device::Cuda(_) if !values.is_empty() => {
            host.f_pin_memory(device)?
                .f_to_device_(device, T::KIND, true, false)
        }
        _ => host.f_to_device(device),
    }
}
