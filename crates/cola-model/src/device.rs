//! The device and dtype of a model's computations.

use std::path::{Path, PathBuf};

use tch::{Cuda, Device, Kind};

use super::ModelError;

/// Device and dtype.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compute {
    /// Device of weights and states.
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

/// Parses `cpu`, or one or more GPUs as in `cuda:0,cuda:1`. Loads libtorch's CUDA backend if GPUs
/// are named.
pub fn parse_devices(text: &str) -> Result<Vec<Device>, ModelError> {
    let refuse = |reason: String| ModelError::Device {
        device: text.to_owned(),
        reason,
    };
    let mut indices: Vec<usize> = Vec::new();
    if text == "cpu" {
        return Ok(vec![Device::Cpu]);
    }
    for name in text.split(',').map(str::trim) {
        let index = match name {
            "cuda" => Some(0),
            _ => name
                .strip_prefix("cuda:")
                .and_then(|index| index.parse().ok()),
        };
        match index {
            None => {
                return Err(refuse(
                    "expected cpu, cuda:N, or several like cuda:0,cuda:1".into(),
                ));
            }
            Some(index) if indices.contains(&index) => {
                return Err(refuse(format!("cuda:{index} is named twice")));
            }
            Some(index) => indices.push(index),
        }
    }
    load_cuda().map_err(refuse)?;
    let devices = Cuda::device_count();
    if !Cuda::is_available() || indices.iter().any(|&index| index as i64 >= devices) {
        return Err(refuse(format!(
            "libtorch sees {devices} CUDA device(s); check the driver and CUDA_VISIBLE_DEVICES"
        )));
    }
    Ok(indices.into_iter().map(Device::Cuda).collect())
}

/// Bytes that are free on a device; `None` if that is not known.
pub fn free_memory(device: Device) -> Option<usize> {
    match device {
        Device::Cpu => free_on_host(),
        Device::Cuda(index) => free_on_cuda(index),
        _ => None,
    }
}

/// Free memory of the host, or what the process's control group (a container) may still use, if
/// that is less.
fn free_on_host() -> Option<usize> {
    let mut system = sysinfo::System::new();
    system.refresh_memory();
    let group = system.cgroup_limits();
    let free = within(
        system.available_memory(),
        group.map(|group| (group.total_memory, group.rss)),
    );
    usize::try_from(free).ok().filter(|&free| free > 0)
}

/// Bytes of `available` that may be used within a control group of (limit, used) bytes, if there is
/// one. Mapped and cached files do not count as used, because they are dropped when memory is
/// needed.
fn within(available: u64, group: Option<(u64, u64)>) -> u64 {
    let left = group.map(|(limit, used)| limit.saturating_sub(used));
    left.map_or(available, |left| left.min(available))
}

/// Free memory according to the CUDA runtime, which libtorch has loaded.
#[cfg(unix)]
fn free_on_cuda(index: usize) -> Option<usize> {
    use std::ffi::c_int;

    use libloading::os::unix::Library;
    type SetDevice = unsafe extern "C" fn(c_int) -> c_int;
    type MemGetInfo = unsafe extern "C" fn(*mut usize, *mut usize) -> c_int;
    let loaded = Library::this();
    let (mut free, mut total) = (0, 0);
    // SAFETY: these are the runtime's own signatures; both pointers outlive the call.
    let status = unsafe {
        let set = loaded.get::<SetDevice>(b"cudaSetDevice\0").ok()?;
        let info = loaded.get::<MemGetInfo>(b"cudaMemGetInfo\0").ok()?;
        match set(c_int::try_from(index).ok()?) {
            0 => info(&mut free, &mut total),
            failed => failed,
        }
    };
    (status == 0).then_some(free)
}

#[cfg(not(unix))]
fn free_on_cuda(_: usize) -> Option<usize> {
    None
}

/// Registers libtorch's CUDA backend. The binary links only the CPU libraries, so that one build
/// serves both. Must come before any query about CUDA, because libtorch remembers the first answer.
fn load_cuda() -> Result<(), String> {
    let mut tried = Vec::new();
    for path in candidates() {
        match open_globally(&path) {
            Ok(()) => return Ok(()),
            Err(reason) => tried.push((path, reason)),
        }
    }
    if Cuda::is_available() {
        // The backend is linked under another name.
        return Ok(());
    }
    tracing::debug!(?tried, "no libtorch_cuda.so");
    // Of those that are not there nothing needs to be said.
    let broken = tried.into_iter().find(|(path, _)| path.is_file());
    let why = broken.map_or_else(
        || "was not found".to_owned(),
        |(_, reason)| format!("could not be loaded ({reason})"),
    );
    Err(format!(
        "libtorch_cuda.so {why}; run `make libtorch-cuda`, or put the directory of a CUDA libtorch 2.11 in \
         LD_LIBRARY_PATH"
    ))
}

/// Paths to try: the bare name (found by LD_LIBRARY_PATH), then places near the libtorch that is
/// loaded.
fn candidates() -> Vec<PathBuf> {
    let name = "libtorch_cuda.so";
    let mut paths = vec![PathBuf::from(name)];
    // A line of the process's memory map ends in the file that is mapped there.
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let running = maps
        .lines()
        .filter_map(|line| line.find('/').map(|at| &line[at..]))
        .find(|path| path.ends_with("/libtorch_cpu.so"));
    if let Some(directory) = running.and_then(|path| Path::new(path).parent()) {
        paths.push(directory.join(name));
        paths.push(directory.join("../site/torch/lib").join(name));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_that_cannot_be_are_refused_before_any_library_is_loaded() {
        assert_eq!(parse_devices("cpu").unwrap(), [Device::Cpu]);
        for (text, says) in [
            ("gpu", "expected cpu, cuda:N"),
            ("cuda:", "expected cpu, cuda:N"),
            ("cuda:0,cpu", "expected cpu, cuda:N"),
            ("cuda:0,,cuda:1", "expected cpu, cuda:N"),
            ("cuda:1,cuda:01", "cuda:1 is named twice"),
            ("cuda,cuda:0", "cuda:0 is named twice"),
        ] {
            let error = parse_devices(text).unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_host_says_what_is_free() {
        assert!(free_memory(Device::Cpu).is_some_and(|bytes| bytes > 1 << 20));
    }

    #[test]
    fn a_container_that_may_use_less_than_the_host_has_free_gets_less() {
        assert_eq!(within(100, None), 100);
        assert_eq!(within(100, Some((1000, 10))), 100);
        assert_eq!(within(100, Some((60, 10))), 50);
        assert_eq!(within(100, Some((60, 70))), 0);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_libtorch_that_runs_is_found() {
        // Makes sure that libtorch is loaded.
        let _ = tch::Tensor::from_slice(&[1f32]);
        assert_eq!(candidates().len(), 3, "{:?}", candidates());
    }
}
