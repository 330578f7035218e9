"""The pages of the runtime: rendered on the server, complete without a script. The one there is says that it takes a while."""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2
from fastapi import Request, Response
from fastapi.responses import HTMLResponse

from api.runtime_pages.visitors import Visitor, form_token
from leitstand.catalogue.kinds.control import VALUE_BYTES
from leitstand.companions.inputs import fields_of
from leitstand.companions.runner import transcript
from leitstand.companions.runs import Run
from leitstand.companions.steps import Input
from leitstand.errors import NotFound
from leitstand.words import DEFAULT, LANGUAGES, N_
from serving.language import language_of
from serving.problems import Problem
from serving.shell import speak

HERE = Path(__file__).parent
STATIC_TYPES = {
    "runtime.css": "text/css; charset=utf-8",
    "runtime.js": "text/javascript; charset=utf-8",
}
SNIPPET = HERE / "static" / "leitstand.js"
AN_HOUR = "public, max-age=3600"
FOREVER = "public, max-age=31536000, immutable"
STALE = N_("You had gone on already, here or in another window. This is where you are.")
TITLES = {404: N_("Nothing is here"), 413: N_("That is too long"), 429: N_("One moment, please")}
NOTHING = N_("There is nothing at this address. Check the link, or ask who gave it to you.")


@dataclass(frozen=True)
class Asset:
    """A static file and the hash of its content, which is a part of its address."""

    content: bytes
    media_type: str
    digest: str


@lru_cache(maxsize=len(STATIC_TYPES))
def asset(name: str) -> Asset:
    """A static file.

    Raises:
        NotFound: there is none of that name.
    """
    if name not in STATIC_TYPES:
        raise NotFound("There is no such file.")
    content = (HERE / "static" / name).read_bytes()
    return Asset(content, STATIC_TYPES[name], hashlib.sha256(content).hexdigest()[:16])


def static_url(name: str) -> str:
    """The address of a static file, which changes with its content."""
    return f"/c/static/{name}?v={asset(name).digest}"


@lru_cache(maxsize=1)
def _snippet() -> str:
    return SNIPPET.read_text(encoding="utf-8")


def snippet(workspace: str) -> str:
    """The script with which pages of others count what happens there; `workspace` names the visitors' ids in browsers."""
    return _snippet().replace('"WORKSPACE"', f'"{workspace}"')


@lru_cache(maxsize=len(LANGUAGES))
def environment(language: str = DEFAULT) -> jinja2.Environment:
    """Templates that escape whatever they are given and know no name that they were not, in one language."""
    env = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    speak(env, language)
    env.globals.update(static=static_url)
    return env


def run_page(
    run: Run,
    *,
    slug: str,
    visitor: Visitor | None,
    notice: str = "",
    problem: str = "",
    given: str = "",
    status: int = 200,
) -> HTMLResponse:
    """The page of a run.

    Args:
        visitor: who may answer; None shows the page without a form.
        notice: a sentence above the step.
        problem: why the last answer was not taken; `given` is that answer, to be mended.
    """
    *before, current = transcript(run.flow, run.state)
    step = run.flow.step(current.step)
    spoken = run.flow.language.lower().partition("-")[0]
    return _render(
        "run.html",
        status,
        page_language=run.flow.language,
        # The page's own words are the reader's: a screen reader must not read them as the flow's language.
        foreign=spoken != language_of(None),
        title=run.flow.title,
        slug=slug,
        run=run,
        lines=before,
        step=step,
        words=current.text,
        fields=fields_of(step, given) if isinstance(step, Input) else (),
        longest=VALUE_BYTES,
        token=form_token(visitor, run.run_id) if visitor else "",
        notice=notice,
        problem=problem,
        given=given,
    )


def problem_page(request: Request, problem: Problem) -> Response | None:
    """The page of a problem; None where a program asks, which gets the problem document."""
    if "text/html" not in request.headers.get("accept", ""):
        return None
    detail = NOTHING if problem.status == 404 else problem.detail
    page = _render(
        "problem.html",
        problem.status,
        page_language=language_of(None),
        title=TITLES.get(problem.status, problem.title),
        detail=detail,
        hint="" if problem.status == 404 else problem.hint,
        request_id=problem.request_id,
    )
    page.headers.update(problem.headers)
    return page


def _render(template: str, status: int, **context: Any) -> HTMLResponse:
    text = environment(language_of(None)).get_template(template).render(context)
    headers = {"Cache-Control": "no-store", "Vary": "Accept-Language"}
    return HTMLResponse(text, status_code=status, headers=headers)
