"""leitstand storage: what the object store really does."""

import json

import click


@click.group("storage")
def group() -> None:
    """The object store."""


@group.command("probe")
@click.option("--bucket", default="", help="Bucket to try in; default: the backups bucket.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
@click.pass_context
def probe_command(context: click.Context, bucket: str, as_json: bool) -> None:
    """Try put, get, range, multipart, versions and more on throw-away objects; exit 1 when a needed one fails."""
    from leitstand.settings import get_settings
    from leitstand.storage.objects import ObjectStorage

    storage = ObjectStorage(get_settings())
    storage.ensure_buckets()
    result = storage.probe(bucket)
    if as_json:
        click.echo(json.dumps(result.to_dict()))
    else:
        click.echo(f"{result.endpoint}  bucket {result.bucket}")
        for finding in result.findings:
            verdict = "works" if finding.works else ("FAILS" if finding.needed else "no")
            click.echo(f"  {finding.name:<16} {verdict:<6} {finding.milliseconds:>8.1f} ms  {finding.detail}")
    context.exit(0 if result.ok else 1)
