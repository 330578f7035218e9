"""The secrets of an embedded environment: made once, kept in files that only their owner may read."""

import secrets

from leitstand.embedded.environment import SECRET_PREFIX, Environment, write_private

BYTES = 32
# Every secret setting but those of `LASTING`, `GIVEN` and `LEFT` (tests compare both with Settings). S3 access keys are short by convention.
NAMES = (
    "database_password",
    "s3_access_key",
    "s3_secret_key",
    "session_secret",
    "secrets_key",
    "prefect_password",
)
# Made once and never replaced by a rotation: it opens backups for as long as there are any.
LASTING = ("pgbackrest_cipher_pass",)
# What others give us, or a person keeps: never made here.
GIVEN = (
    "smtp_password", "copies_s3_access_key", "copies_s3_secret_key", "insights_distributed_token",
    "pgbackrest_cipher_pass_previous", "stripe_secret_key", "stripe_webhook_secret", "alert_webhook_url",
    "dead_mans_switch_url",
)  # fmt: skip
# What a rotation leaves behind, for as long as it is needed.
LEFT = ("session_secret_previous", "secrets_key_previous")


def ensure_secrets(environment: Environment) -> list[str]:
    """Make the secrets that are missing and give their names; what is there stays."""
    environment.secrets_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    environment.secrets_dir.chmod(0o700)
    made = []
    for name in (*NAMES, *LASTING):
        path = environment.secrets_dir / f"{SECRET_PREFIX}{name}"
        if not path.exists() or not path.read_text().strip():
            write_private(path, random_secret(name))
            made.append(name)
        elif path.stat().st_mode & 0o077:
            path.chmod(0o600)
    return made


def random_secret(name: str) -> str:
    """A new value for the secret setting `name`."""
    return secrets.token_hex(BYTES // 3 if name == "s3_access_key" else BYTES)


def readable_password() -> str:
    """A random password that people can type: five groups of letters and digits that are not mistaken for each other."""
    alphabet = "abcdefghijkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(alphabet) for _ in range(5)) for _ in range(4))
