//! Where and in which dtype a model computes.

use std::path::{Path, PathBuf};

use tch::{Cuda, Device, Kind};

use super::ModelError;

/// Device and dtype.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compute {
    /// Where the weights and states live.
    pub device: Device,
    /// Dtype of weights and states.
    pub kind: Kind,
}

impl Compute {
    /// f32 on the CPU.
    pub fn cpu() -> Self {
        Self {
            device: Device::Cpu,
            kind: Kind::Float,
        }
    }
}

/// Reads `cpu` or `cuda:N`, and loads libtorch's CUDA backend when it is asked for.
pub fn parse_device(text: &str) -> Result<Device, ModelError> {
    let refuse = |reason: String| ModelError::Device {
        device: text.to_owned(),
        reason,
    };
    let index = match text {
        "cpu" => return Ok(Device::Cpu),
        "cuda" => 0,
        _ => text
            .strip_prefix("cuda:")
            .and_then(|index| index.parse::<usize>().ok())
            .ok_or_else(|| refuse("expected cpu or cuda:N".into()))?,
    };
    load_cuda().map_err(refuse)?;
    let devices = Cuda::device_count();
    if !Cuda::is_available() || index as i64 >= devices {
        return Err(refuse(format!(
            "libtorch sees {devices} CUDA device(s); check the driver and CUDA_VISIBLE_DEVICES"
        )));
    }
    Ok(Device::Cuda(index))
}

/// Registers libtorch's CUDA backend. The binary links only the CPU libraries, so that one build
/// serves both. Nothing may ask libtorch about CUDA before this: it remembers the first answer.
fn load_cuda() -> Result<(), String> {
    let mut tried = Vec::new();
    for path in candidates() {
        match open_globally(&path) {
            Ok(()) => return Ok(()),
            Err(reason) => tried.push(format!("{} ({reason})", path.display())),
        }
    }
    if Cuda::is_available() {
        // Linked under another name.
        return Ok(());
    }
    Err(format!(
        "could not load libtorch_cuda.so: {}. Run `make libtorch-cuda`, or put the directory of a CUDA \
         libtorch 2.11 in LD_LIBRARY_PATH",
        tried.join("; ")
    ))
}

/// By name (LD_LIBRARY_PATH), then beside the libtorch the binary was built with.
fn candidates() -> Vec<PathBuf> {
    let name = "libtorch_cuda.so";
    let mut paths = vec![PathBuf::from(name)];
    if let Some(built) = option_env!("COLA_LIBTORCH_LIB") {
        let built = Path::new(built);
        paths.push(built.join(name));
        paths.push(built.join("../site/torch/lib").join(name));
    }
    paths
}

#[cfg(unix)]
fn open_globally(path: &Path) -> Result<(), String> {
    use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
    // SAFETY: loading runs the library's initialisers; libtorch's register its CUDA kernels, which
    // is what this call is for. It is never unloaded.
    match unsafe { Library::open(Some(path), RTLD_NOW | RTLD_GLOBAL) } {
        Ok(library) => {
            std::mem::forget(library);
            Ok(())
        }
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(not(unix))]
fn open_globally(_: &Path) -> Result<(), String> {
    Err("loading CUDA at run time is supported on Linux only".into())
}
