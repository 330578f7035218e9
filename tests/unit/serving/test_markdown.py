"""Text of a model as HTML: nothing in it is taken for markup of ours, and nothing is fetched by itself."""

import pytest

from serving.shell.markdown import safe_html


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("<script>x</script>", "<p>&lt;script&gt;x&lt;/script&gt;</p>\n"),
        ("![x](https://a.test/?secret)", '<p>!<a href="https://a.test/?secret" rel="noopener noreferrer nofollow">x</a></p>\n'),
        ("[x](/settings/members)", '<p><a href="#" rel="noopener noreferrer nofollow">x</a></p>\n'),
        ("[x](javascript:alert(1))", "<p>[x](javascript:alert(1))</p>\n"),
        ("# Big\n\n###### small", "<h3>Big</h3>\n<h6>small</h6>\n"),
        ("a\nb", "<p>a<br />\nb</p>\n"),
    ],
)  # fmt: skip
def test_what_a_model_writes_is_shown(text: str, html: str) -> None:
    assert safe_html(text) == html


def test_a_table_is_one() -> None:
    assert "<th>A</th>" in safe_html("| A |\n| - |\n| 1 |")
