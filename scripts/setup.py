"""Make the development environment: a venv with pinned tools, torch, and this checkout in it.

Usage: ``python scripts/setup.py [VENV]``, run by ``make``. Only the standard library is needed.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import shutil
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PINS = ROOT / "scripts" / "constraints.txt"
WHEELS = ROOT / ".whl"
"""Wheels carried along with a checkout, for machines that reach no package index."""
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
OLDEST_TORCH = (2, 11)
EXTRAS = ("dev", "io")
REUSED = "base-packages.pth"


def main(arguments: list[str]) -> int:
    """Make or refresh the environment and return an exit code."""
    home = Path(arguments[0] if arguments else ROOT / ".venv").resolve()
    make_venv(home)
    python = home / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    install_torch(python, home)
    pins = usable_pins(python, home)
    install(python, ["setuptools", "wheel", *requirements(python)], pins)
    install(python, ["--no-deps", "--no-build-isolation", "--editable", str(ROOT)], None)
    return 0


def make_venv(home: Path) -> None:
    """Create the venv unless one of this Python version stands there already."""
    config = home / "pyvenv.cfg"
    version = ".".join(map(str, sys.version_info[:3]))
    if config.exists() and f"version = {version}" in config.read_text(encoding="utf-8"):
        return
    print(f"setup: a venv of Python {version} at {home}", flush=True)
    venv.create(home, clear=home.exists(), with_pip=True)


def has_gpu() -> bool:
    """Say whether this machine shows an NVIDIA GPU."""
    return Path("/dev/nvidia0").exists() or shutil.which("nvidia-smi") is not None


def install_torch(python: Path, home: Path) -> None:
    """Put torch into the venv: the machine's own, a held wheel, the CPU index, or PyPI."""
    if present(python, "torch"):
        return
    if has_gpu() and reuse_base_torch(python, home):
        return
    pin = next(line for line in read_pins() if line.startswith("torch=="))
    held = ["--no-index", "--no-deps", pin]
    cpu = ["--no-deps", "--retries", "1", "--timeout", "20", "--index-url", CPU_INDEX, pin]
    for attempt in [] if has_gpu() else [held, cpu]:
        if pip(python, attempt, quiet=True):
            break
    # What torch itself needs comes from the index in any case; torch does, if it is not here yet.
    pins = usable_pins(python, home, but=("torch", "triton"))
    install(python, [pin], pins)


def reuse_base_torch(python: Path, home: Path) -> bool:
    """Let the venv see the packages of the interpreter running this, if its torch is new enough."""
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return False
    version = importlib.metadata.version("torch")
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_TORCH:
        return False
    print(f"setup: torch {version} of {sys.executable}", flush=True)
    # A .pth line stands behind the venv's own packages, so pinned versions still come first.
    # It works where the running interpreter is a venv itself, as --system-site-packages does not.
    place = Path(capture(python, "import sysconfig; print(sysconfig.get_path('purelib'))"))
    (place / REUSED).write_text(f"{Path(spec.origin).parent.parent}\n", encoding="utf-8")
    return True


def requirements(python: Path) -> list[str]:
    """Return what the checkout needs, from pyproject.toml; triton only where it has wheels."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    optional = project["optional-dependencies"]
    names = [*project["dependencies"], *(name for extra in EXTRAS for name in optional[extra])]
    if sys.platform == "linux" and not present(python, "triton"):
        names += optional["triton"]
    return names


def read_pins() -> list[str]:
    """Return the lines of the constraints file without comments."""
    lines = (line.strip() for line in PINS.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def usable_pins(python: Path, home: Path, but: tuple[str, ...] = ()) -> Path:
    """Write the pins, less those of torch and triton where the machine brought its own."""
    loose = {name for name in ("torch", "triton") if name in but or present(python, name)}
    path = home / "constraints.txt"
    kept = [line for line in read_pins() if line.split("==")[0] not in loose]
    path.write_text("\n".join(kept) + "\n", encoding="utf-8")
    return path


def present(python: Path, name: str) -> bool:
    """Say whether the venv can import ``name``."""
    code = f"import importlib.util as u, sys; sys.exit(u.find_spec({name!r}) is None)"
    return subprocess.run([str(python), "-I", "-c", code], check=False).returncode == 0


def capture(python: Path, code: str) -> str:
    """Return what a line of Python prints in the venv."""
    done = subprocess.run(
        [str(python), "-I", "-c", code], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def install(python: Path, what: list[str], pins: Path | None) -> None:
    """Install with pip, from carried wheels alone where they suffice, or stop with its message."""
    limits = ["--constraint", str(pins)] if pins else []
    if WHEELS.is_dir():
        carried = ["--no-index", "--find-links", str(WHEELS)]
        if pip(python, [*carried, *limits, *what], quiet=True):
            return
    if not pip(python, [*limits, *what]):
        raise SystemExit(f"setup: pip could not install {' '.join(what)}")


def pip(python: Path, arguments: list[str], *, quiet: bool = False) -> bool:
    """Run ``pip install`` and say whether it succeeded; ``quiet`` hides why it did not."""
    command = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
    sink = subprocess.DEVNULL if quiet else None
    done = subprocess.run([*command, *arguments], check=False, stdout=sink, stderr=sink)
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
