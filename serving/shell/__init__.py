"""The page shell that web pages and dashboards share: template environment, context, error pages.

Pages extend `shell.html` and fill its blocks `title`, `head`, `content`; render them with `page()` or with
`environment().get_template(…).render(context(principal, area=…, …))`.
"""

from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2

from leitstand import __version__
from leitstand.catalogue.areas import BY_SLUG, address_of, visible_groups
from leitstand.identity.access import Principal
from leitstand.identity.sessions import csrf_token
from serving.shell import formats
from serving.shell.assets import static_url

TEMPLATES = Path(__file__).parent / "templates"


@lru_cache(maxsize=8)
def environment(*folders: Path) -> jinja2.Environment:
    """The Jinja environment of the shell: HTML is escaped, an unknown name is an error.

    Args:
        folders: further template folders, searched before the shell's own.
    """
    env = jinja2.Environment(
        loader=jinja2.FileSystemLoader([*folders, TEMPLATES]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters.update(
        number=formats.number, bytes=formats.size, duration=formats.duration, percent=formats.percent,
        moment=formats.moment, day=formats.day, initials=formats.initials,
        marked=formats.marked,
        browser=formats.browser,
    )  # fmt: skip
    env.globals.update(static=static_url, icon=formats.icon, version=__version__, address_of=address_of)
    return env


def context(principal: Principal | None, *, area: str, **more: Any) -> dict[str, Any]:
    """What `shell.html` needs, and `more` for the page's own blocks.

    Args:
        principal: who is signed in; None renders the shell without navigation.
        area: slug of the area that the page belongs to (`leitstand.catalogue.areas`); empty for none.
        more: anything else; `notice` (see `serving.shell.notices`) shows a toast.
    """
    shared = {
        "principal": principal,
        "groups": list(visible_groups(principal)) if principal else [],
        "area": BY_SLUG.get(area),
        "csrf": csrf_token(principal) if principal else "",
        "theme": principal.theme if principal else "system",
        "zone": principal.zone if principal else "UTC",
        "notice": None,
    }
    return shared | more


def page(
    template: str, principal: Principal | None, *, area: str, folders: tuple[Path, ...] = (), **more: Any
) -> str:
    """Render one page (a template that extends `shell.html`) to HTML."""
    return environment(*folders).get_template(template).render(context(principal, area=area, **more))
