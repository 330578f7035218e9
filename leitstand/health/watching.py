"""The configuration of Prometheus and Alertmanager that differs between environments, made from the settings."""

import json
import os
from pathlib import Path
from string import Template
from typing import Any

from leitstand.settings import REPOSITORY, Settings

DEPLOY = REPOSITORY / "deploy"
ALERTMANAGER, SITES = "alertmanager.yml", "sites.json"
SUBJECT, TEXT = '{{ template "leitstand.subject" . }}', '{{ template "leitstand.text" . }}'
MOST_ALERTS = 20


def configure(settings: Settings, folder: Path, *, owner: int | None = None) -> list[Path]:
    """Write what Alertmanager (`alertmanager.yml`) and Prometheus (`sites.json`) need into a folder; files hold secrets (0600).

    Args:
        owner: number of the user that the files are given to; the one who runs this when omitted.
    """
    written = {ALERTMANAGER: alertmanager(settings), SITES: sites(settings)}
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in written.items():
        path = folder / name
        fresh = folder / f".{name}"
        fresh.touch(mode=0o600)
        fresh.write_text(content)
        if owner is not None:
            os.chown(fresh, owner, owner)
        fresh.replace(path)
    return [folder / name for name in written]


def alertmanager(settings: Settings) -> str:
    """Alertmanager's configuration: routes as in the repository, receivers as the settings say."""
    text = (DEPLOY / "alertmanager" / ALERTMANAGER).read_text()
    templates = DEPLOY / "alertmanager" / "templates" / "*.tmpl"
    return Template(text).substitute(
        receivers=json.dumps(receivers(settings)), templates=json.dumps(str(templates))
    )


def sites(settings: Settings) -> str:
    """The addresses that people type, as Prometheus's file of targets."""
    return json.dumps([{"targets": [f"{settings.base_url}/sign-in"]}])


def receivers(settings: Settings) -> list[dict[str, Any]]:
    """Who is told of pages, of tickets, and that we are alive; one without an address is told nothing."""
    mail = _mail(settings)
    webhook = settings.alert_webhook_url.get_secret_value()
    outside = settings.dead_mans_switch_url.get_secret_value()
    posted = {"url": webhook, "send_resolved": True, "max_alerts": MOST_ALERTS}
    return [
        {"name": "page"} | mail | ({"webhook_configs": [posted]} if webhook else {}),
        {"name": "ticket"} | mail,
        {"name": "outside"}
        | ({"webhook_configs": [{"url": outside, "send_resolved": False}]} if outside else {}),
    ]


def _mail(settings: Settings) -> dict[str, Any]:
    if not (settings.smtp_host and settings.alert_mail):
        return {}
    common: dict[str, Any] = {
        "from": settings.mail_sender,
        "smarthost": f"{settings.smtp_host}:{settings.smtp_port}",
        "require_tls": settings.smtp_security == "starttls",
        "send_resolved": True,
        "headers": {"Subject": SUBJECT},
        "html": "",
        "text": TEXT,
    }
    if settings.smtp_user:
        password = settings.smtp_password.get_secret_value()
        common |= {"auth_username": settings.smtp_user, "auth_password": password}
    return {"email_configs": [{"to": address} | common for address in settings.alert_mail.split()]}
