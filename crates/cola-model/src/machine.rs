//! What the speed of a model on the CPU depends on, besides the model.

use sysinfo::{CpuRefreshKind, RefreshKind, System};

/// Name of the processor, as its maker gives it; empty if the system does not tell it.
pub fn processor() -> String {
    let list = RefreshKind::nothing().with_cpu(CpuRefreshKind::nothing());
    let system = System::new_with_specifics(list);
    let first = system.cpus().first();
    first.map_or_else(String::new, |cpu| cpu.brand().trim().to_owned())
}

/// Version of the libtorch that runs, as in `2.11.0`; `None` if it does not tell it.
#[cfg(unix)]
pub fn libtorch_version() -> Option<String> {
    // SAFETY: the type is that of `torch/csrc/inductor/aoti_torch/c/shim.h`.
    let packed = unsafe {
        let program = libloading::os::unix::Library::this();
        let version = program.get::<unsafe extern "C" fn() -> u64>(b"aoti_torch_abi_version\0");
        version.ok()?()
    };
    // A byte each, from the most significant on.
    let [major, minor, patch, ..] = packed.to_be_bytes();
    Some(format!("{major}.{minor}.{patch}"))
}

/// Version of the libtorch that runs, as in `2.11.0`; `None` if it does not tell it.
#[cfg(not(unix))]
pub fn libtorch_version() -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn the_version_is_that_of_the_headers() {
        // Makes sure that libtorch is loaded.
        let _ = tch::Tensor::from_slice(&[1f32]);
        assert!(libtorch_version().is_some_and(|version| version.starts_with("2.")));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_processor_has_the_name_that_the_system_lists() {
        let listed = std::fs::read_to_string("/proc/cpuinfo").unwrap();
        assert!(listed.contains(&processor()));
    }
}
