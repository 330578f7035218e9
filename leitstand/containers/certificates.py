"""An authority of a server's own, and from it the certificate of the object store that runs on the same server."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from leitstand.embedded.environment import write_private

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.x509 import Certificate, KeyUsage

AUTHORITY, CERTIFICATE, KEY = "objects_authority.pem", "objects_certificate.pem", "objects_key.pem"
DAYS = 3650


def write_certificates(folder: Path, name: str, *, days: int = DAYS) -> None:
    """Write authority, certificate and key (PEM) into a folder; the authority's own key is kept nowhere.

    Args:
        name: host name of the store; pgBackRest looks for names, not for addresses.
        days: that they hold.
    """
    from cryptography.hazmat.primitives import serialization

    pem = serialization.Encoding.PEM
    authority, authority_key = _signed("Leitstand objects", None, days=days)
    server, key = _signed(name, (authority, authority_key), days=days)
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    write_private(folder / AUTHORITY, authority.public_bytes(pem).decode())
    write_private(folder / CERTIFICATE, server.public_bytes(pem).decode())
    write_private(folder / KEY, private.decode())


def _signed(
    name: str, issuer: "tuple[Certificate, EllipticCurvePrivateKey] | None", *, days: int
) -> "tuple[Certificate, EllipticCurvePrivateKey]":
    """A certificate and its key; without an issuer it is an authority, signed by itself.

    It has all that RFC 5280 asks of it: Python from 3.13 on takes no other.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    own, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(own.public_key()), critical=False)
        .add_extension(_usage(authority=issuer is None), critical=True)
    )
    if issuer:
        signer = issuer[0].extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        known = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(signer)
        builder = (
            builder.add_extension(known, critical=False)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        )
    return builder.sign(issuer[1] if issuer else own, hashes.SHA256()), own


def _usage(*, authority: bool) -> "KeyUsage":
    """An authority signs certificates, a server its part of a connection's beginning."""
    from cryptography.x509 import KeyUsage

    return KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
