"""llama.cpp as a side of compare.py: node-llama-cpp's own build for the CPU, run by `llama_cpp.mjs`."""

import json
import platform
import shutil
import sys
from pathlib import Path

from sides import Refused, read_lines, run

HERE = Path(__file__).resolve().parent
VERSION = "3.21.1"
SYSTEMS = {"linux": "linux", "darwin": "mac", "win32": "win"}
MACHINES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}


def install(directory):
    """The folder of the package below `directory`, fetched by npm unless it is there."""
    package = directory / "node_modules/node-llama-cpp"
    if not shutil.which("node"):
        raise Refused("node is missing")
    stamp = directory / f"installed-{VERSION}"
    if not stamp.exists():
        if not shutil.which("npm"):
            raise Refused("npm is missing")
        system = f"{SYSTEMS.get(sys.platform)}-{MACHINES.get(platform.machine().lower())}"
        # Of the builds that are optional dependencies (0.7 GB) only the one for this CPU; nothing is compiled.
        build = f"@node-llama-cpp/{system}{'-metal' if system == 'mac-arm64' else ''}@{VERSION}"
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "package.json").write_text('{"private": true}\n', encoding="utf-8")
        flags = ["--omit=optional", "--ignore-scripts", "--no-fund", "--no-audit"]
        run(["npm", "install", *flags, f"node-llama-cpp@{VERSION}", build], cwd=directory)
        stamp.touch()
    return package


class LlamaCpp:
    """One GGUF file; a process for each evaluation, which loads it before the clock starts."""

    def __init__(self, model, directory):
        self.model, self.package = model, install(directory)
        (built,) = directory.glob("node_modules/@node-llama-cpp/*/bins/*/_nlcBuildMetadata.json")
        release = json.loads(built.read_text(encoding="utf-8"))["buildOptions"]["llamaCpp"]["release"]
        self.version = f"llama.cpp {release} of node-llama-cpp {VERSION}"

    def evaluate(self, prompts, setting, out):
        """Seconds, and an answer for each prompt; `setting` has threads, and sequences at once."""
        command = ["node", HERE / "llama_cpp.mjs", self.package, self.model, prompts, out]
        said = json.loads(run([*command, setting["threads"], setting["sequences"]]))
        return said["seconds"], read_lines(out)
