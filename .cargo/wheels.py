"""pip for the scripts that take files from wheels: .cargo/libtorch.py and datasets/real.py."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def pip():
    """This Python's pip, or one made in .libtorch/pip where the system has none; None without pip and venv."""
    if subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True).returncode == 0:
        return [sys.executable, "-m", "pip"]
    home = ROOT / ".libtorch" / "pip"
    if subprocess.run([sys.executable, "-m", "venv", str(home)], capture_output=True).returncode != 0:
        return None
    return [str(home / "bin" / "python"), "-m", "pip"]
