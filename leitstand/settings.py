"""Every setting of Leitstand, documented here and nowhere else.

A value comes from the environment (`LEITSTAND_<NAME>`), else from a file of that name in the secrets folder
(`<data_dir>/secrets/leitstand_<name>`, mode 0600), else from the default below. Secrets are only ever read
from files or from the environment that a container engine fills from files; they are never arguments.
"""

import json
import os
from functools import lru_cache
from ipaddress import ip_network
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from pydantic import Field, SecretStr, computed_field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from leitstand.services import COLOURED, OBJECTS, POSTGRES, PROXY, Service

REPOSITORY = Path(__file__).resolve().parent.parent
POSTGRES_PORT = 5432
# The proxy's own listener for its health and its metrics, beside those for people.
PROXY_PORT = 2019


class Settings(BaseSettings):
    """The settings of one environment."""

    model_config = SettingsConfigDict(env_prefix="LEITSTAND_", extra="ignore", frozen=True)

    data_dir: Path = Field(
        REPOSITORY / "var", description="Everything that an embedded environment writes is under this folder."
    )
    environment: Literal["embedded", "test", "staging", "production"] = Field(
        "embedded", description="What kind of environment this is; a drill refuses production as its target."
    )
    rehearsal: bool = Field(
        False,
        description="A restored copy that is only tried out: it takes no job from the queue, starts no flow and sends no mail.",
    )
    host: str = Field("127.0.0.1", description="Address on which every service listens.")
    port: int = Field(
        8400,
        ge=1024,
        le=45000,
        description="First port; the proxy listens here and the others on the ports after it.",
    )
    service_port: int = Field(
        0,
        ge=0,
        le=65535,
        description="Port on which every service listens where each is a container with its name as address; 0: all are on one machine, with the ports counted from the first.",
    )
    colour: Literal["", "blue", "green"] = Field(
        "",
        description="Colour of this process's release where two stand side by side; in its logs and its readiness.",
    )
    state_dir: str = Field(
        "",
        description="Folder in which a release says what a colour is to do: while COLOUR.drain is there, it tells the proxy to send nothing; empty: none.",
    )
    drain_seconds: float = Field(
        0.0,
        ge=0,
        le=60,
        description="How long a service that is told to end goes on answering, while it tells the proxy to send nothing.",
    )
    public_url: str = Field(
        "", description="Address people type, without a trailing slash; empty means http://host:port."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Lowest level that is logged."
    )
    log_store: str = Field(
        "",
        description="File in which `leitstand logs --request` looks, kept by `leitstand log-store collect`; empty: the logs of this machine's services.",
    )
    otlp_endpoint: str = Field(
        "",
        description="OpenTelemetry collector (OTLP over HTTP); empty: traces are only propagated, not sent.",
    )

    database_url_override: str = Field(
        "",
        alias="LEITSTAND_DATABASE_URL",
        description="PostgreSQL as postgresql+psycopg://…; empty means the embedded one.",
    )
    database_host: str = Field(
        "", description="Machine of PostgreSQL, which listens on 5432 there; empty: this environment's own."
    )
    database_password: SecretStr = Field(
        SecretStr(""), description="Password of the database role `leitstand`."
    )
    database_pool_size: int = Field(5, ge=1, description="Connections that one process keeps.")

    s3_endpoint: str = Field("", description="S3 address; empty means the embedded store.")
    s3_region: str = Field("us-east-1", description="S3 region; Hetzner: fsn1, nbg1 or hel1.")
    s3_ca_file: str = Field(
        "", description="Certificate authorities (PEM) of the S3 store; empty: those of this machine."
    )
    s3_public_url: str = Field(
        "",
        description="Address under which programs outside of this machine reach the S3 store, for presigned uploads; empty: every upload goes through Leitstand.",
    )
    s3_access_key: SecretStr = Field(SecretStr(""), description="S3 access key id.")
    s3_secret_key: SecretStr = Field(SecretStr(""), description="S3 secret access key.")
    upload_most_mb: int = Field(
        1024, ge=1, le=100_000, description="Size in MB of the largest file that a space takes."
    )
    clamd_address: str = Field(
        "",
        description="Virus scanner (ClamAV's clamd) that looks at every document before it is read or served, as unix:/run/clamav/clamd.ctl or host:3310; empty: nothing is scanned.",
    )
    bucket_media: str = Field(
        "leitstand-media", description="Bucket of documents, media and archived events (versioned)."
    )
    bucket_backups: str = Field("leitstand-backups", description="Bucket of backups.")
    bucket_evidence: str = Field(
        "leitstand-evidence", description="Bucket of executed runbooks, drills and reports."
    )
    evidence_lock_days: int = Field(
        400,
        ge=0,
        description="Days for which evidence can't be deleted, where the bucket has object lock; 0: none is locked.",
    )
    evidence_lock_mode: Literal["governance", "compliance"] = Field(
        "governance",
        description="Who may lift that lock: governance, an account with the right to; compliance, nobody before its day, not even the owner of the store.",
    )

    bucket_insights: str = Field(
        "leitstand-insights", description="Bucket of the facts' columnar copies, which can be made again."
    )

    copies_s3_endpoint: str = Field(
        "",
        description="S3 address of a second store or location, to which objects are copied; empty: they are copied into the bucket of backups.",
    )
    copies_s3_region: str = Field("us-east-1", description="Region of the second store.")
    copies_s3_access_key: SecretStr = Field(
        SecretStr(""), description="Access key id of the second store, of a project of its own."
    )
    copies_s3_secret_key: SecretStr = Field(
        SecretStr(""), description="Secret access key of the second store."
    )
    bucket_copies: str = Field("leitstand-copies", description="Bucket of copies in the second store.")

    hetzner_api: str = Field(
        "https://api.hetzner.cloud/v1",
        description="Address of Hetzner's Cloud API, which `leitstand hetzner` asks.",
    )
    hetzner_s3_endpoint: str = Field(
        "",
        description="S3 address where `leitstand hetzner` makes buckets; empty: Hetzner's in the environment's location.",
    )

    insights_engine: Literal["auto", "postgres", "columnar", "distributed"] = Field(
        "auto",
        description="Where figures are computed: PostgreSQL, DuckDB on the columnar copy, a Spark cluster on the same copy, or (auto) whichever of the first two is faster for the range.",
    )
    insights_distributed_url: str = Field(
        "",
        description="Spark Connect server of the cluster for `distributed`, as sc://host:15002 (with /;use_ssl=true behind TLS).",
    )
    insights_distributed_token: SecretStr = Field(
        SecretStr(""), description="Token that the Spark Connect server asks for; empty: none."
    )
    insights_distributed_folder: str = Field(
        "",
        description="Folder that this machine and every worker of the cluster see under the same path; parts of the copies are put there. Empty: insights/parts of the data folder.",
    )
    insights_memory_mb: int = Field(
        512, ge=64, description="Memory of DuckDB in one process; what needs more is spilled to disk."
    )
    insights_cache_mb: int = Field(
        4096,
        ge=16,
        description="Disk that the local parts of columnar copies may take; the largest copy must fit.",
    )
    insights_copy_from_runs: int = Field(
        20_000,
        ge=0,
        description="Runs from which on a workspace's facts are copied; PostgreSQL is as fast on fewer.",
    )

    events_kept_months: int = Field(
        24,
        ge=0,
        description="Whole months of events that stay in the database beside the running one, at least 3; older ones are archived on object storage. 0: none is.",
    )

    session_secret: SecretStr = Field(
        SecretStr(""), description="Key that signs CSRF tokens and the dashboards' tokens."
    )
    session_secret_previous: SecretStr = Field(
        SecretStr(""),
        description="Earlier session secrets, written by `leitstand secrets rotate`, so that open pages and links in mails go on working.",
    )
    secrets_key: SecretStr = Field(
        SecretStr(""),
        description="Key that seals the secrets which people entrust to us in the database: of one-time codes and of integrations.",
    )
    secrets_key_previous: SecretStr = Field(
        SecretStr(""),
        description="Earlier keys of that kind, separated by white space, written by `leitstand secrets rotate`: they open what a restored database holds.",
    )
    session_hours: int = Field(12, ge=1, description="Hours of inactivity after which a session ends.")
    cookie_secure: bool = Field(False, description="Mark cookies Secure; true wherever TLS is in front.")
    sign_in_attempts: int = Field(
        10, ge=1, description="Failed sign-ins per address and per e-mail within 15 minutes before a pause."
    )

    outgoing_private_addresses_allowed: str = Field(
        "",
        description="Private addresses or networks that our requests may go to, separated by spaces, as 10.0.0.5 192.168.7.0/24; empty: only public ones, encrypted.",
    )

    runtime_visitor_rate: str = Field(
        "60/minute",
        description="Answers of one visitor to one companion; several rates are parted by a semicolon.",
    )
    runtime_address_rate: str = Field(
        "120/minute",
        description="New visitors from one network address, which is kept in memory for that time only.",
    )
    runtime_companion_rate: str = Field(
        "6000/minute",
        description="Answers and new visitors of one companion, in each process of the runtime.",
    )

    runtime_question_rate: str = Field(
        "6/minute;60/hour",
        description="Questions of one visitor to companions of one workspace that a model is asked.",
    )
    runtime_workspace_question_rate: str = Field(
        "120/minute",
        description="Questions of all visitors of a workspace that a model is asked, in each process of the runtime.",
    )
    model_person_rate: str = Field(
        "20/minute;300/hour",
        description="Questions of one person to spaces that a model is asked, in each process.",
    )

    snippet_address_rate: str = Field(
        "120/minute",
        description="Batches of events from one network address by leitstand.js, which is kept in memory for that time only.",
    )
    snippet_origins: str = Field(
        "",
        description="Origins whose pages may send events with leitstand.js, separated by spaces; empty: every page that names a published companion.",
    )

    smtp_host: str = Field("", description="Mail server that takes our mail; empty: no mail is sent.")
    smtp_port: int = Field(587, ge=1, le=65535, description="Port of the mail server.")
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        "starttls",
        description="How the connection is encrypted: starttls (port 587), tls (port 465) or none (a relay on this machine).",
    )
    smtp_user: str = Field("", description="User at the mail server; empty: none is needed.")
    smtp_password: SecretStr = Field(SecretStr(""), description="Password of that user.")
    mail_sender: str = Field(
        "", description="Sender of our mail, as reports@example.org or Leitstand <reports@example.org>."
    )

    alert_mail: str = Field(
        "", description="Addresses that alerts are mailed to, separated by spaces; empty: none is mailed."
    )
    alert_webhook_url: SecretStr = Field(
        SecretStr(""),
        description="Address that Alertmanager posts urgent alerts to, as JSON; empty: it posts none.",
    )
    dead_mans_switch_url: SecretStr = Field(
        SecretStr(""),
        description="Address of a service outside that is called every minute while all is well, and tells when that stops; empty: nobody is called.",
    )

    plans_file: Path = Field(
        REPOSITORY / "leitstand" / "limits" / "plans.json",
        description="Plans that workspaces choose from; a workspace without a choice is on the first one.",
    )
    stripe_api_url: str = Field("https://api.stripe.com", description="Address of Stripe's API.")
    stripe_secret_key: SecretStr = Field(
        SecretStr(""),
        description="Secret key of the Stripe account, of test or live mode; empty: plans are billed by hand.",
    )
    stripe_webhook_secret: SecretStr = Field(
        SecretStr(""), description="Signing secret of the webhook endpoint /api/v1/billing/stripe."
    )

    prefect_password: SecretStr = Field(
        SecretStr(""), description="Basic-auth password between our services and the Prefect server."
    )
    secrets_folder: str = Field(
        "",
        description="Folder of the secrets' files where something else keeps them, as a container engine does in /run/secrets; empty: <data_dir>/secrets.",
    )
    backup_recipients: str = Field(
        "",
        description="age public keys that backups are encrypted to, separated by spaces; empty: those in <data_dir>/keys.",
    )

    backup_engine: Literal["postgres-tools", "pgbackrest"] = Field(
        "postgres-tools",
        description="What backs PostgreSQL up and archives its log: PostgreSQL's own tools, or pgBackRest, which must be installed beside the server.",
    )
    pgbackrest_cipher_pass: SecretStr = Field(
        SecretStr(""),
        description="Key that pgBackRest encrypts its repository with, at least 32 random letters.",
    )
    pgbackrest_cipher_pass_previous: SecretStr = Field(
        SecretStr(""),
        description="Earlier keys of pgBackRest, separated by spaces, so that older backups can be restored.",
    )
    pgbackrest_processes: int = Field(
        2, ge=1, le=99, description="Processes that pgBackRest copies with at a time."
    )

    secrets_copy_dir: str = Field(
        "",
        description="Folder for a second, encrypted copy of the secrets' backups, best on another machine's disk; empty: <data_dir>/secret-copies.",
    )
    offline_key_file: str = Field(
        "",
        description="File of the offline recovery key (age) while it is plugged in, for the drill secrets-decrypt; empty: a key of this machine is used.",
    )

    notebook_cell_seconds: int = Field(
        4 * 3600,
        ge=1,
        description="Longest time of one cell of a drill, runbook or report; then it is ended.",
    )
    notebook_run_seconds: int = Field(
        12 * 3600, ge=1, description="Longest time of a whole drill, runbook or report; then it is ended."
    )
    notebooks_dir: Path = Field(
        REPOSITORY / "notebooks", description="Folder of runbooks, restore drills and reports."
    )
    checks_dir: Path = Field(
        REPOSITORY / "data-checks", description="Folder of the Great Expectations suites."
    )
    demo_dir: Path = Field(
        REPOSITORY / "demo", description="Folder of the real data that fills the demo workspace."
    )
    schedules_file: Path = Field(
        REPOSITORY / "flows" / "schedules.toml", description="Cron schedules of the flows."
    )

    server_dir: Path = Field(
        Path("/srv/leitstand"),
        description="Folder of a server on which Docker Compose runs the services: Compose files, .env, secrets, state and releases.",
    )
    release_repository: str = Field(
        "", description="The one repository whose images are released on this server; empty: any."
    )
    release_staging_key: str = Field(
        "",
        description="Public key (hexadecimal) of the staging server, by which production knows the images that have passed there; `leitstand release promote-check --key` prints it.",
    )
    release_observe_seconds: float = Field(
        300, ge=0, description="How long a release is watched in use before it is finished, or rolled back."
    )
    release_free_gb: float = Field(
        3, ge=0, description="Disk space in GB that must be free before an image is fetched."
    )
    release_alerts_url: str = Field(
        "",
        description="Alertmanager's list of alerts as the services reach it, as http://alertmanager:9093/api/v2/alerts; empty: a release asks only for conditions of the backups.",
    )

    @field_validator("events_kept_months")
    @classmethod
    def _months_are_none_or_enough(cls, value: int) -> int:
        if value in (1, 2):
            raise ValueError("at least 3 months of events stay in the database; 0 archives none")
        return value

    @field_validator("outgoing_private_addresses_allowed")
    @classmethod
    def _are_networks(cls, value: str) -> str:
        for network in value.split():
            ip_network(network)
        return value

    @field_validator("clamd_address")
    @classmethod
    def _is_a_socket(cls, value: str) -> str:
        host, colon, port = value.rpartition(":")
        if value and not value.startswith("unix:/") and not (host and colon and port.isdigit()):
            raise ValueError("a scanner is at unix:/path or host:port")
        return value

    @computed_field(description="SQLAlchemy address of the database.")  # type: ignore[prop-decorator]
    @property
    def database_url(self) -> str:
        if self.database_url_override:
            return self.database_url_override
        password = quote(self.database_password.get_secret_value(), safe="")
        return f"postgresql+psycopg://leitstand:{password}@{self.database_address}/leitstand"

    @property
    def database_address(self) -> str:
        """host:port of PostgreSQL, where no whole address of it is set."""
        if self.database_host:
            return f"{self.database_host}:{POSTGRES_PORT}"
        return f"{self.host}:{self.port + POSTGRES.offset}"

    @property
    def s3_url(self) -> str:
        """Address of the object store."""
        if self.s3_endpoint:
            return self.s3_endpoint
        return f"http://{self.host}:{self.port_of(OBJECTS)}"

    @property
    def base_url(self) -> str:
        """Address that people type."""
        return self.public_url or f"http://{self.host}:{self.port}"

    @property
    def secrets_dir(self) -> Path:
        return Path(self.secrets_folder) if self.secrets_folder else self.data_dir / "secrets"

    def port_of(self, service: Service) -> int:
        """Port of a service of this environment."""
        return self.service_port or self.port + service.offset

    def address_of(self, service: Service) -> str:
        """Address of a service as the others reach it, without a path; of one in two colours, that of our own."""
        if not self.service_port:
            return f"http://{self.host}:{self.port_of(service)}"
        if service is PROXY:
            return f"http://{service.name}:{PROXY_PORT}"
        coloured = self.colour and service in COLOURED
        return f"http://{service.name}{f'-{self.colour}' if coloured else ''}:{self.service_port}"


def load_settings() -> Settings:
    """Read the settings afresh from environment and secret files; the port also from what the data folder remembers."""
    data_dir = Path(
        os.environ.get("LEITSTAND_DATA_DIR", "") or Settings.model_fields["data_dir"].default
    ).absolute()
    secrets = Path(os.environ.get("LEITSTAND_SECRETS_FOLDER", "") or data_dir / "secrets")
    known: dict[str, object] = {"data_dir": data_dir}
    if not os.environ.get("LEITSTAND_PORT") and (port := _remembered_port(data_dir)):
        known["port"] = port
    return Settings(_secrets_dir=secrets if secrets.is_dir() else None, **known)  # type: ignore[arg-type]


def _remembered_port(data_dir: Path) -> int | None:
    """The port with which `./run up` started the environment in this folder."""
    try:
        port = json.loads((data_dir / "environment.json").read_text())["port"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return port if isinstance(port, int) else None


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process, read once."""
    return load_settings()
