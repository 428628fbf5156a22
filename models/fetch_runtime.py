"""Fetches ONNX Runtime's shared library into the git-ignored `.runtime/`.

Run as `python3 models/fetch_runtime.py`; needs Python 3.8 or newer with pip, nothing else. pip downloads the
wheel pinned by hash in `runtime-requirements.txt`; of it one file is kept, and its own SHA-256 is checked here.
When the library is there already the script only checks its hash and ends.
"""

import hashlib
import os
import platform
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

VERSION = "1.31.1"
MEMBER = f"onnxruntime/capi/libonnxruntime.so.{VERSION}"
LIBRARY_SHA256 = "fc44112fbe06d7d689c57e11d3862031f64711007e4ee020f8eed5185fd2c1d3"
LICENCES = ("onnxruntime/LICENSE", "onnxruntime/ThirdPartyNotices.txt")
TIMEOUT_S = 600  # a 24 MB download on a slow line

HERE = Path(__file__).resolve().parent
TARGET_DIR = HERE.parent / ".runtime"
TARGET = TARGET_DIR / Path(MEMBER).name


class FetchError(Exception):
    """What went wrong, in one sentence with the fix in it."""


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def check_platform() -> None:
    """The pinned wheel is for 64-bit x86 Linux; elsewhere the user brings the library."""
    if sys.platform != "linux" or platform.machine() not in ("x86_64", "AMD64"):
        raise FetchError(
            f"the pinned ONNX Runtime is for x86_64 Linux and this is {platform.machine()} {sys.platform}: "
            f"install ONNX Runtime 1.22 or newer yourself and set ORT_DYLIB_PATH to its libonnxruntime"
        )


def download_wheel(folder: Path) -> Path:
    """Has pip download the pinned wheel into `folder`; pip refuses any other hash."""
    command = [
        sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
        "--no-deps", "--only-binary=:all:", "--require-hashes",
        "--implementation", "cp", "--python-version", "311", "--abi", "cp311",
        "--platform", "manylinux_2_28_x86_64",
        "--requirement", str(HERE / "runtime-requirements.txt"), "--dest", str(folder),
    ]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        raise FetchError(
            f"pip did not finish the download of ONNX Runtime {VERSION} in {TIMEOUT_S} s: check the network and run again"
        ) from None
    if done.returncode != 0:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        errors = [line for line in lines if line.startswith("ERROR")] or lines or ["no message"]
        hint = "install pip (python3 -m ensurepip)" if "No module named pip" in done.stderr else "check the network"
        raise FetchError(f"pip could not download ONNX Runtime {VERSION} ({errors[0]}): {hint} and run again")
    wheels = sorted(folder.glob("onnxruntime-*.whl"))
    if not wheels:
        raise FetchError(f"pip downloaded no wheel of ONNX Runtime {VERSION}: delete pip's cache and run again")
    return wheels[0]


def unpack(wheel: Path, folder: Path) -> None:
    """Takes the library and its licences out of the wheel; the library appears by rename, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel) as archive:
        for name in (*LICENCES, MEMBER):
            temporary = folder / f".{Path(name).name}.{os.getpid()}"
            temporary.write_bytes(archive.read(name))
            if name == MEMBER and sha256_of(temporary) != LIBRARY_SHA256:
                temporary.unlink()
                raise FetchError(f"{MEMBER} in the wheel is not the pinned library: delete pip's cache and run again")
            os.replace(temporary, folder / Path(name).name)


def main() -> int:
    """Makes `.runtime/` hold the pinned library; 0 on success."""
    try:
        if TARGET.is_file() and sha256_of(TARGET) == LIBRARY_SHA256:
            return 0
        check_platform()
        print(f"Fetching ONNX Runtime {VERSION} ...", flush=True)
        with tempfile.TemporaryDirectory() as scratch:
            unpack(download_wheel(Path(scratch)), TARGET_DIR)
        print(f"ONNX Runtime {VERSION} is in {TARGET_DIR.name}/")
        return 0
    except FetchError as why:
        print(f"error: {why}", file=sys.stderr)
    except (OSError, KeyError, zipfile.BadZipFile) as why:
        print(f"error: ONNX Runtime {VERSION} could not be unpacked into {TARGET_DIR} ({why}): "
              f"check space and rights there and run again", file=sys.stderr)  # fmt: skip
    return 1


if __name__ == "__main__":
    sys.exit(main())
