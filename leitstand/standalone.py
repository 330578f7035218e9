"""An HTML page that needs nothing but itself: kept as evidence and read years later, it asks no host for anything."""

from html import escape

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'{images}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
{body}
</body>
</html>
"""


def standalone_page(title: str, body: str, *, style: str, images: bool = False) -> str:
    """The whole page.

    Args:
        title: as text.
        body: as HTML, and trusted: whoever makes it escapes what it says.
        style: CSS.
        images: it may show pictures that are part of it (`data:`).
    """
    return PAGE.format(
        title=escape(title), style=style, body=body, images="; img-src data:" if images else ""
    )
