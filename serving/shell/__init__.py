"""The page shell that web pages and dashboards share: template environment, context, error pages.

Pages extend `shell.html` and fill its blocks `title`, `head`, `content`; render them with `page()` or with
`environment().get_template(…).render(context(principal, area=…, …))`. There is an environment for each language, in which
`_()`, `{% trans %}`, the filter `translated` and every figure and time speak it.
"""

from collections.abc import Callable, Hashable, MutableMapping, Sequence
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any

import jinja2
from jinja2.runtime import Macro
from markupsafe import Markup

from leitstand import __version__
from leitstand.catalogue.areas import BY_SLUG, address_of, visible_groups
from leitstand.identity.access import Principal
from leitstand.identity.sessions import csrf_token
from leitstand.words import DEFAULT, from_stored, translate, translations
from serving.shell import formats, markdown, names
from serving.shell.assets import static_url

TEMPLATES = Path(__file__).parent / "templates"


class Environment(jinja2.Environment):
    """An environment whose templates share its globals as they are.

    Jinja lays a map of its own over them for each template, which costs every import and include of every page; it is
    needed by whoever gives a template further globals, and nobody here does.
    """

    def make_globals(self, d: MutableMapping[str, Any] | None) -> MutableMapping[str, Any]:
        """The globals of a template."""
        return super().make_globals(d) if d else self.globals


@lru_cache(maxsize=16)
def environment(*folders: Path, language: str = DEFAULT) -> jinja2.Environment:
    """The Jinja environment of the shell: HTML is escaped, an unknown name is an error.

    Args:
        folders: further template folders, searched before the shell's own.
        language: what its pages are written in.
    """
    env = Environment(
        loader=jinja2.FileSystemLoader([*folders, TEMPLATES]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        # What runs does not change under it; to look would be twenty calls of the system a page.
        auto_reload=False,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    speak(env, language)
    env.policies["json.dumps_kwargs"] = {"ensure_ascii": False}
    env.filters.update(
        bytes=partial(formats.size, language=language),
        cited=formats.cited,
        browser=partial(formats.browser, language=language),
        day=partial(formats.day, language=language),
        duration=partial(formats.duration, language=language),
        cost=partial(formats.cost, language=language),
        money=partial(formats.money, language=language),
        moment=partial(formats.moment, language=language),
        moments=partial(formats.moments, language=language),
        number=partial(formats.number, language=language),
        percent=partial(formats.percent, language=language),
        kind_name=partial(names.kind_name, language=language),
        role_name=partial(names.role_name, language=language),
        status_name=partial(names.status_name, language=language),
        visibility_name=partial(names.visibility_name, language=language),
        initials=formats.initials,
        marked=formats.marked,
        markdown=markdown.safe_html,
        sentence=formats.sentence,
    )
    env.globals.update(static=static_url, icon=formats.icon, version=__version__, address_of=address_of)
    kept = _keeper()
    env.globals.update(kept=kept, kept_each=partial(_kept_each, kept))
    return env


def speak(env: jinja2.Environment, language: str) -> None:
    """Give an environment its language: `_()` for the template's own texts, `translated` for those from elsewhere.

    `_()` takes what it says for safe HTML, so that it is given constants only.
    """
    env.policies["ext.i18n.trimmed"] = True
    env.install_gettext_translations(translations(language), newstyle=True)  # type: ignore[attr-defined]
    env.globals["_"] = _says(language)
    env.filters["translated"] = lambda text: translate(from_stored(text or ""), language)
    env.globals["language"] = language


def _says(language: str) -> Callable[..., Markup]:
    """What Jinja's own `_()` does, for constants, which are looked up once: a page says hundreds."""
    known = translations(language)

    @cache
    def text(message: str) -> Markup:
        return Markup(known.gettext(message))  # noqa: S704 - constants of the code and its catalogue

    @cache
    def whole(message: str) -> Markup:
        return text(message) % {}

    def says(message: str, /, **values: Any) -> Markup:
        return text(message) % values if values else whole(message)

    return says


def _keeper() -> Callable[..., Markup]:
    """`kept(macro, …)`: what a macro writes for these values, written once as long as it is asked for again.

    Of macros that are imported without context, so that they know nothing but what they are given.
    """

    @lru_cache(maxsize=formats.KEPT, typed=True)
    def kept(macro: Macro, *values: Hashable) -> Markup:
        return Markup(macro(*values))  # noqa: S704 - a macro escapes what it is given

    return kept


def _kept_each(
    kept: Callable[..., Markup],
    macro: Macro,
    these: Sequence[Hashable],
    those: Sequence[Hashable],
    *values: Hashable,
) -> Markup:
    """`kept_each(macro, these, those, …)`: what a macro writes for each pair and these values, one after the other.

    A table of fifty rows as one call of a template.
    """
    pairs = zip(these, those, strict=True)
    return Markup("".join([kept(macro, this, that, *values) for this, that in pairs]))  # noqa: S704 - `kept` is safe


def context(principal: Principal | None, *, area: str, **more: Any) -> dict[str, Any]:
    """What `shell.html` needs, and `more` for the page's own blocks.

    Args:
        principal: who is signed in; None renders the shell without navigation.
        area: slug of the area that the page belongs to (`leitstand.catalogue.areas`); empty for none.
        more: anything else; `notice` (see `serving.shell.notices`) shows a toast.
    """
    shared = {
        "principal": principal,
        "groups": visible_groups(principal) if principal else (),
        "area": BY_SLUG.get(area),
        "csrf": csrf_token(principal) if principal else "",
        "theme": principal.theme if principal else "system",
        "zone": principal.local_zone if principal else "UTC",
        "notice": None,
    }
    return shared | more


def page(
    template: str,
    principal: Principal | None,
    *,
    area: str,
    folders: tuple[Path, ...] = (),
    language: str = DEFAULT,
    **more: Any,
) -> str:
    """Render one page (a template that extends `shell.html`) to HTML."""
    env = environment(*folders, language=language)
    return env.get_template(template).render(context(principal, area=area, **more))
