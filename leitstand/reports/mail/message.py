"""A report as a message: text and HTML with the key figures, the report attached, and a link that ends it."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from uuid import UUID

from markupsafe import Markup

from leitstand.db.models import Report
from leitstand.identity.access import Principal
from leitstand.mail.message import WRONG_RECIPIENT
from leitstand.mail.settings import parsed, sender
from leitstand.reports import words
from leitstand.reports.blocks import WEIGHTS
from leitstand.reports.editions import file_name, kind_of, period_of
from leitstand.reports.unsubscribe_links import PATH, Link, token_of
from leitstand.settings import Settings
from leitstand.words import DEFAULT, msg, translate
from leitstand.words.lines import one_line


@dataclass(frozen=True)
class Attachment:
    """A report as a file: `form` is "pdf" or "html"."""

    form: str
    data: bytes


def message_id(settings: Settings, report: Report, person_id: UUID) -> str:
    """The same for the same report, period and person, so that a message that came twice is known to be one."""
    edition = f"{report.workspace_id}\n{report.name}\n{report.period_start}\n{report.zone}\n{person_id}"
    digest = hashlib.sha256(edition.encode()).hexdigest()[:32]
    return f"<{report.name}.{digest}@{sender(settings).domain}>"


def build(
    settings: Settings, report: Report, person: Principal, attachment: Attachment, *, identity: str
) -> EmailMessage:
    """The message of a report to a person.

    Args:
        identity: its Message-ID.

    Raises:
        InvalidInput: the sender or the person's address can't be used.
    """
    from_ = sender(settings)
    message = EmailMessage(policy=SMTP)
    message["From"] = from_
    message["To"] = parsed(person.name, person.email, WRONG_RECIPIENT)
    message["Subject"] = one_line(f"{_titled(report, person)}: {person.workspace_name}", 150)
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = identity
    message["Auto-Submitted"] = "auto-generated"
    stop = f"{settings.base_url}{PATH}{token_of(Link(report.workspace_id, _id(person), report.name))}"
    message["List-Unsubscribe"] = f"<{stop}>"
    message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    page = f"{settings.base_url}/reports/{report.id}"
    message.set_content(_text(report, person, page, stop))
    message.add_alternative(str(_html(report, person, page, stop)), subtype="html")
    main, sub = ("application", "pdf") if attachment.form == "pdf" else ("text", "html")
    message.add_attachment(
        attachment.data, maintype=main, subtype=sub, filename=file_name(report, attachment.form)
    )
    return message


def _id(person: Principal) -> UUID:
    if person.person_id is None:
        raise ValueError("only people get mail")
    return person.person_id


def _lead(report: Report, person: Principal) -> tuple[str, str]:
    as_of = words.instant(report.as_of, report.zone) if report.as_of else words.NONE
    lead = msg(
        "{workspace}, days of {zone}, figures as of {time}.",
        workspace=one_line(person.workspace_name), zone=report.zone, time=as_of,
    )  # fmt: skip
    return _titled(report, person), _say(person, lead)


def _titled(report: Report, person: Principal) -> str:
    """The report and its period, in the language of its reader."""
    return f"{_say(person, kind_of(report).title)}, {period_of(report).named(person.language or DEFAULT)}"


def _say(person: Principal, text: str) -> str:
    """A text of the message in the language of its reader; what the report itself says stays as it is."""
    return translate(text, person.language or DEFAULT)


def _text(report: Report, person: Principal, page: str, stop: str) -> str:
    title, lead = _lead(report, person)
    notices = [
        f"- {_say(person, WEIGHTS[one['weight']])}: {one['text']}"
        for one in report.summary.get("notices", [])
    ]
    figures = [
        f"{one['name']}: {one['value']}{' (' + one['counts'] + ')' if one['counts'] else ''}; "
        f"{_say(person, msg('before {figure}', figure=one['before']))}: {one['change']}"
        for one in report.summary.get("figures", [])
    ]
    parts = [
        title,
        lead,
        "",
        _say(person, msg("What needs attention first")) + ":",
        *(notices or ["- " + _say(person, msg("Nothing stands out."))]),
        "",
        *figures,
        "",
        _say(person, msg("The whole report is attached, and here: {page}", page=page)),
        _say(person, msg("To get no more of these: {address}", address=stop)),
    ]
    return "\n".join(parts) + "\n"


def _html(report: Report, person: Principal, page: str, stop: str) -> Markup:
    title, lead = _lead(report, person)
    notices = Markup("").join(
        Markup("<li><strong>{}:</strong> {}</li>").format(_say(person, WEIGHTS[one["weight"]]), one["text"])
        for one in report.summary.get("notices", [])
    )
    rows = Markup("").join(_figure(one) for one in report.summary.get("figures", []))
    heads = Markup("").join(
        Markup('<th scope="col" style="text-align:left;padding:6px 14px 6px 0">{}</th>').format(
            _say(person, name)
        )
        for name in (msg("Figure"), msg("Now"), msg("Before"), msg("Change"))
    )
    table = Markup(
        '<table style="border-collapse:collapse"><thead><tr>{}</tr></thead><tbody>{}</tbody></table>'
    ).format(heads, rows)
    return Markup(
        '<!doctype html><html lang="{language}"><head><meta charset="utf-8"><meta name="color-scheme" content="light dark">'
        "<title>{title}</title></head>"
        '<body style="font:15px/1.5 system-ui,sans-serif;max-width:44rem;margin:0 auto;padding:1rem">'
        '<h1 style="font-size:1.35rem;margin:0">{title}</h1><p style="margin-top:4px">{lead}</p>'
        '<h2 style="font-size:1.05rem">{first}</h2><ul>{notices}</ul>{figures}'
        '<p>{attached} <a href="{page}">{opening}</a></p>'
        '<p style="font-size:13px">{why} <a href="{stop}">{ending}</a></p>'
        "</body></html>"
    ).format(
        title=title,
        lead=lead,
        notices=notices or Markup("<li>{}</li>").format(_say(person, msg("Nothing stands out."))),
        figures=table if rows else "",
        page=page,
        stop=stop,
        language=person.language or DEFAULT,
        first=_say(person, msg("What needs attention first")),
        attached=_say(person, msg("The whole report is attached.")),
        opening=_say(person, msg("Open it in Leitstand")),
        why=_say(person, msg("You get this because you subscribed to it.")),
        ending=_say(person, msg("Get no more of these")),
    )


ROW = Markup(
    '<tr><th scope="row" style="text-align:left;font-weight:500;padding:5px 14px 5px 0;border-top:1px solid #9999;vertical-align:top">{}</th>'
    '<td style="padding:5px 14px 5px 0;border-top:1px solid #9999;vertical-align:top"><strong>{}</strong>{}</td>'
    '<td style="padding:5px 14px 5px 0;border-top:1px solid #9999;vertical-align:top">{}</td>'
    '<td style="padding:5px 14px 5px 0;border-top:1px solid #9999;vertical-align:top">{}</td></tr>'
)


def _figure(one: dict[str, str]) -> Markup:
    counts = Markup("<br><small>{}</small>").format(one["counts"]) if one["counts"] else Markup("")
    return ROW.format(one["name"], one["value"], counts, one["before"], one["change"])
