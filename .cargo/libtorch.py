"""Fetch libtorch from the PyTorch wheels of the Python package index into .libtorch/.

    python3 .cargo/libtorch.py          what a CPU run needs (three wheels)
    python3 .cargo/libtorch.py --cuda   the CUDA libraries too, for --device cuda:N

Python's torch is never imported: wheels are archives, and only their libraries and headers are
unpacked. `.libtorch/site` keeps the wheels' own layout, so that the search paths recorded in the
CUDA libraries stay right; `.libtorch/lib` links just the CPU libraries, so that torch-sys does not
link CUDA and one binary serves both (cola loads libtorch_cuda.so at run time).
"""

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from wheels import pip

TORCH = "2.11.0"
CPU_WHEELS = [f"torch=={TORCH}", "nvidia-cuda-runtime==13.0.96", "nvidia-cuda-cupti==13.0.85"]
# Libraries the CPU backend needs: libtorch_cpu.so of a CUDA build still names the last two.
LINKED = {
    "torch/lib": ["libtorch.so", "libtorch_cpu.so", "libc10.so", "libgomp.so.1"],
    "nvidia/cu13/lib": ["libcudart.so.13", "libcupti.so.13"],
}
# pip matches a wheel's platform exactly, so every one that a current Linux accepts is named.
PLATFORMS = [f"manylinux_2_{minor}_x86_64" for minor in range(28, 4, -1)]
PLATFORMS += ["manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cuda", action="store_true", help="the CUDA libraries too")
    arguments = parser.parse_args()
    if platform.system() != "Linux" or platform.machine() not in ("x86_64", "AMD64"):
        sys.exit(
            f"libtorch: no ready-made set for {platform.system()} {platform.machine()}. Install libtorch {TORCH} "
            "yourself and set LIBTORCH to its directory (the one with lib/ and include/), or install the Python "
            f"package torch=={TORCH} and set LIBTORCH_USE_PYTORCH=1; then run cargo as usual."
        )
    for variable in ("LIBTORCH", "LIBTORCH_USE_PYTORCH"):
        if os.environ.get(variable):
            print(f"libtorch: {variable} is set in the environment and wins; nothing to fetch")
            return
    root = Path(__file__).resolve().parent.parent / ".libtorch"
    stamp = root / ("cuda.stamp" if arguments.cuda else "cpu.stamp")
    if stamp.exists() and stamp.read_text() == TORCH:
        print(f"libtorch: {TORCH} is in place")
        return
    site = root / "site"
    site.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root) as download:
        fetch(Path(download), arguments.cuda)
        for wheel in sorted(Path(download).glob("*.whl")):
            unpack(wheel, site, arguments.cuda)
    link(root, site)
    stamp.write_text(TORCH)
    print(f"libtorch: {TORCH} is in {root.name}/")


def fetch(directory, cuda):
    """Download the wheels with pip; the Python version named is that of the wheel, not of this machine."""
    program = pip()
    if program is None:
        sys.exit("libtorch: Python has neither pip nor venv; install one of them (Debian: python3-pip), "
                 f"or set LIBTORCH to a libtorch {TORCH}")
    command = program + ["download", "--quiet", "--only-binary=:all:", "--dest", str(directory),
                       "--implementation", "cp", "--python-version", "3.11", "--abi", "cp311", "--abi", "none"]
    for name in PLATFORMS:
        command += ["--platform", name]
    command += [CPU_WHEELS[0]] if cuda else ["--no-deps", *CPU_WHEELS]
    print(f"libtorch: fetching {', '.join(CPU_WHEELS)}{' and its CUDA libraries' if cuda else ' (545 MB)'}", flush=True)
    if subprocess.run(command).returncode != 0:
        sys.exit("libtorch: pip could not download the wheels (its message is above); with libtorch "
                 f"{TORCH} already on this machine, set LIBTORCH to its directory instead")


def unpack(wheel, site, cuda):
    """Extract libraries and headers only."""
    wanted = tuple(f"{folder}/{name}" for folder, names in LINKED.items() for name in names)
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            name = entry.filename
            library = ".so" in name and (name.startswith(("torch/lib/", "torch.libs/", "nvidia/")))
            library = library and "libtorch_python" not in name
            if name.startswith("torch/include/") or name in wanted or (cuda and library):
                archive.extract(entry, site)


def link(root, site):
    """Lay out lib/ and include/ as torch-sys expects them under LIBTORCH."""
    library = root / "lib"
    shutil.rmtree(library, ignore_errors=True)
    library.mkdir()
    for folder, names in LINKED.items():
        for name in names:
            if not (site / folder / name).exists():
                sys.exit(f"libtorch: the wheels hold no {folder}/{name}; was the version changed?")
            (library / name).symlink_to(Path("..") / "site" / folder / name)
    include = root / "include"
    if include.is_symlink():
        include.unlink()
    include.symlink_to(Path("site") / "torch" / "include")


if __name__ == "__main__":
    main()
