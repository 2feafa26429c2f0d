"""Starting our programs as separate processes, from any working directory."""

import contextlib
import hashlib
import os
import re
import sys
from pathlib import Path

from finetune_flows.tasks.base.files import PACKAGE, home

# What our programs read, by name or by prefix: the operating system, Python, threads, GPUs, and the model libraries.
_NAMES = frozenset(
    [
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "SHELL",
        "LANG",
        "LANGUAGE",
        "TZ",
        "TMPDIR",
        "TERM",
        "LD_LIBRARY_PATH",
        "LD_PRELOAD",
        "VIRTUAL_ENV",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
        "FINETUNE_HOME",
        "FINETUNE_DEBUG",
        "FINETUNE_READERS",
        "CI",
    ]
)
_PREFIXES = tuple(
    [
        "LC_",
        "XDG_",
        "PYTHON",
        "OMP_",
        "GOMP_",
        "KMP_",
        "MKL_",
        "OPENBLAS_",
        "NUMEXPR_",
        "ONEDNN_",
        "DNNL_",
        "TORCH",
        "PYTORCH_",
        "CUDA",
        "NVIDIA_",
        "NCCL_",
        "GLOO_",
        "HIP_",
        "ROCR_",
        "HSA_",
        "HF_",
        "TRANSFORMERS_",
        "TOKENIZERS_",
        "ACCELERATE_",
        "BNB_",
        "TRITON_",
        "VLLM_",
        "GGML_",
        "MALLOC_",
    ]
)
_SECRET = re.compile(r"TOKEN|SECRET|PASS|CREDENTIAL|KEY|AUTH", re.IGNORECASE)  # such as HF_TOKEN and VLLM_API_KEY


def child_environment() -> dict[str, str]:
    """The environment of a program of ours: what it may read of this process's, and where it finds the package.

    A list of what is permitted, because nobody knows the names that users give to their secrets: a recipe names the
    variables of a database's password and of a judge's key itself.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in _NAMES or (name.startswith(_PREFIXES) and not _SECRET.search(name))
    }
    return kept | {"PYTHONPATH": import_path()}


def program(module: str, *arguments: str, python: str = sys.executable) -> list[str]:
    """Command line of `finetune_flows.<module>`, run by the interpreter `python` with `import_path` as PYTHONPATH."""
    # -P: the working directory may contain a user's own `datasets` or `tokenizers`, which Python would import instead.
    return [python, "-u", "-P", "-m", f"finetune_flows.{module}", *arguments]


def script(file: Path, *arguments: str) -> list[str]:
    """Command line of one of our files that imports nothing else of ours.

    As a module, it would first import the packages that contain it: pydantic and all platforms, in half a second.
    """
    return [sys.executable, "-u", "-P", str(file), *arguments]


def import_path() -> str:
    """PYTHONPATH with our package first, for an interpreter in which it is perhaps not installed.

    The folder holds a link to the package and nothing else. The package's own folder would not do: where we are
    installed that is site-packages, and another interpreter would find all our libraries before its own.
    """
    package = PACKAGE.resolve()
    folder = home() / "code" / hashlib.sha256(str(package).encode()).hexdigest()[:12]  # several versions, one home
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        (folder / PACKAGE.name).symlink_to(package)
    inherited = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path and path != str(folder)]
    return os.pathsep.join([str(folder), *inherited])
