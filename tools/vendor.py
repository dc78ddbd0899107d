"""Fetches the page's vendored files anew: ``python tools/vendor.py``, run by a person.

Reads names, versions and files from ``vendor.toml``, asks npm for each package, and writes the
hashes of what came. A build, a test or an installation never runs this.
"""

import hashlib
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path

VENDOR = Path(__file__).parents[1] / "dashboard" / "static" / "vendor"
LIST = VENDOR / "vendor.toml"


def fetch(name: str, version: str, files: list[str], folder: Path) -> None:
    """Put files of a package, by their paths in it, into a folder."""
    with tempfile.TemporaryDirectory() as place:
        command = ["npm", "pack", "--silent", f"{name}@{version}", "--pack-destination", place]
        packed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
        folder.mkdir(parents=True, exist_ok=True)
        with tarfile.open(Path(place) / packed) as archive:
            for file in files:
                found = archive.extractfile(f"package/{file}")
                assert found is not None, f"{name} {version} has no {file}"
                (folder / Path(file).name).write_bytes(found.read())


def hashed(folder: Path) -> list[str]:
    """The lines that name every file of a folder with its hash."""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    return [f'"{path.name}" = "{hashlib.sha256(path.read_bytes()).hexdigest()}"' for path in files]


def main() -> int:
    """Fetch all packages and write the list anew."""
    packages = tomllib.loads(LIST.read_text())["packages"]
    lines = [line for line in LIST.read_text().splitlines() if line.startswith("#")]
    for package in packages:
        folder = VENDOR / f"{package['name']}-{package['version']}"
        fetch(package["name"], package["version"], package["files"], folder)
        lines += ["", "[[packages]]"]
        for key in ("name", "version", "licence", "source"):
            lines.append(f'{key} = "{package[key]}"')
        lines.append("files = [" + ", ".join(f'"{file}"' for file in package["files"]) + "]")
        lines += ["[packages.sha256]", *hashed(folder)]
    LIST.write_text("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
