"""The bare tools, as an operator would call them: PostgreSQL's own and zstd, on a local disk, not encrypted."""

import shlex
import shutil
import subprocess
from datetime import datetime
from pathlib import Path

from benchmarks.backups.measuring import Took, run
from leitstand.db.cluster import Cluster, bin_dir

LEVEL = 3  # as ours
TAR, MANIFEST = "base.tar.zst", "backup_manifest"
COMMON = ("--checkpoint=fast", "--no-password")


class Bare:
    """What the tools are called with; every step works under `folder`."""

    def __init__(self, cluster: Cluster, folder: Path, log: Path) -> None:
        self.cluster, self.folder, self.log = cluster, folder, log
        folder.mkdir(parents=True, exist_ok=True)

    def full(self) -> Took:
        """A tar stream with the log it needs, compressed with our method and level."""
        return self._packed("full")

    def incremental(self) -> Took:
        """The same upon the full one."""
        return self._packed("incremental", f"--incremental={self.folder / 'full' / MANIFEST}")

    def plain(self) -> Took:
        """A plain copy of the files: neither packed nor compressed."""
        target = self._empty("plain")
        argv = self._tool(
            "pg_basebackup", f"--pgdata={target}", "--format=plain", "--wal-method=fetch", *COMMON
        )
        return run(argv, environment=self.cluster.environment(), made=target)

    def _packed(self, name: str, *options: str) -> Took:
        target = self._empty(name)
        argv = self._tool(
            "pg_basebackup", "--pgdata=-", "--format=tar", "--wal-method=fetch", *COMMON, *options
        )
        piped = f"set -o pipefail; {shlex.join(argv)} | zstd -q -{LEVEL} -o {shlex.quote(str(target / TAR))}"
        took = run(["bash", "-c", piped], environment=self.cluster.environment(), made=target)
        with (target / MANIFEST).open("wb") as manifest:  # for what builds on it; no part of the time
            tar = ["tar", "--zstd", "-xOf", str(target / TAR), MANIFEST]
            subprocess.run(tar, stdout=manifest, check=True)
        return took

    def restore(self, target: Path, *names: str) -> Took:
        """Unpack, combine where there are several, and verify."""
        took, folders = Took(), [self._empty(f"unpacked-{name}") for name in names]
        for name, folder in zip(names, folders, strict=True):
            took += run(
                ["tar", "--zstd", "--no-same-owner", "-xf", str(self.folder / name / TAR), "-C", str(folder)]
            )
        shutil.rmtree(target, ignore_errors=True)
        if len(folders) > 1:
            took += run(
                self._tool("pg_combinebackup", "--link", "--no-sync", "-o", str(target), *map(str, folders))
            )
        else:
            folders[0].rename(target)
        took += run(self._tool("pg_verifybackup", str(target)))
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
        return took

    def recovery(self, target: Path, to_time: datetime) -> None:
        """Configure recovery from the log that was copied beside ours."""
        lines = [
            f"restore_command = 'cp {self.log}/%f %p'", f"recovery_target_time = '{to_time.isoformat()}'",
            "recovery_target_action = 'promote'",
        ]  # fmt: skip
        with (target / "postgresql.auto.conf").open("a") as configuration:
            configuration.write("\n".join(lines) + "\n")
        (target / "recovery.signal").touch()

    def dump(self) -> Took:
        """pg_dump in two processes."""
        target = self.folder / "dump"
        shutil.rmtree(target, ignore_errors=True)
        argv = self._tool("pg_dump", "--format=directory", "--jobs=2", f"--file={target}")
        return run([*argv, "leitstand"], environment=self.cluster.environment(), made=target)

    def restore_dump(self, database: str) -> Took:
        """pg_restore in two processes."""
        argv = self._tool(
            "pg_restore", "--jobs=2", f"--dbname={database}", "--no-comments", str(self.folder / "dump")
        )
        return run(argv, environment=self.cluster.environment())

    def _tool(self, name: str, *arguments: str) -> list[str]:
        return [str(bin_dir() / name), *arguments]

    def _empty(self, name: str) -> Path:
        target = self.folder / name
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(mode=0o700)
        return target
