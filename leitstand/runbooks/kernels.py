"""The kernel that notebooks run in, and what its processes see of the settings."""

import json
import os
import sys
from pathlib import Path

from pydantic import SecretStr

from leitstand.backups import keys
from leitstand.services import MARK
from leitstand.settings import REPOSITORY, Settings

KERNEL = "leitstand"
ALIASES = {"database_url_override": "LEITSTAND_DATABASE_URL"}


def notebook_environment(settings: Settings, folder: Path) -> dict[str, str]:
    """What a notebook's processes see: these very settings, folders of their own under `folder`, and our kernel."""
    jupyter = folder / "jupyter"
    _write_kernel(jupyter)
    own = {
        "PYTHONPATH": str(REPOSITORY),
        "JUPYTER_PATH": str(jupyter),
        "JUPYTER_DATA_DIR": str(jupyter / "data"),
        "JUPYTER_CONFIG_DIR": str(jupyter / "config"),
        "JUPYTER_RUNTIME_DIR": str(jupyter / "runtime"),
        "IPYTHONDIR": str(jupyter / "ipython"),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "DO_NOT_TRACK": "1",
    }
    # The mark stays: a run that was started by a service must know that it may not stop that service.
    inherited = {
        name: value for name, value in os.environ.items() if name == MARK or not name.startswith("LEITSTAND_")
    }
    return {**inherited, **setting_variables(settings), **own}


def _write_kernel(jupyter: Path) -> None:
    """A kernel that is this interpreter, so that none has to be installed."""
    folder = jupyter / "kernels" / KERNEL
    folder.mkdir(parents=True, mode=0o700)
    argv = [
        sys.executable,
        "-m",
        "ipykernel_launcher",
        "-f",
        "{connection_file}",
        "--HistoryManager.enabled=False",
    ]
    keys.write_private(
        folder / "kernel.json", json.dumps({"argv": argv, "display_name": "Leitstand", "language": "python"})
    )


def setting_variables(settings: Settings) -> dict[str, str]:
    """The settings as environment variables; a secret only where its file does not hold it already."""
    variables = {}
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        file = settings.secrets_dir / f"leitstand_{name}"
        if isinstance(value, SecretStr) and file.is_file() and file.read_text().strip() == text:
            continue
        variables[ALIASES.get(name, f"LEITSTAND_{name.upper()}")] = text
    return variables
