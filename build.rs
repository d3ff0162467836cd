//! Records where libtorch lies, so that the binary finds it from any directory.

use std::{env, path::Path};

fn main() {
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    println!("cargo:rerun-if-env-changed=LIBTORCH_USE_PYTORCH");
    println!("cargo:rerun-if-env-changed=DEP_TCH_LIBTORCH_LIB");
    // torch-sys passes on the directory it linked against, whichever way it found it.
    let Ok(directory) = env::var("DEP_TCH_LIBTORCH_LIB") else {
        return;
    };
    let directory = Path::new(&directory)
        .canonicalize()
        .unwrap_or(directory.into());
    println!("cargo:rustc-link-arg=-Wl,-rpath,{}", directory.display());
}
