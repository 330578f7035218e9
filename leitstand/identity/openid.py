"""OpenID Connect as its client: discovery, keys, the way to the provider and back, and what its token says.

Discovery and keys are asked for anew at each sign-in, so that a key that a provider replaces is known at once.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from leitstand.errors import LeitstandError
from leitstand.outgoing.fetching import Answer, fetch
from leitstand.words import msg

SCOPE = "openid email profile"
# Signatures with a key of the provider's alone: never `none`, and none that our own secret could make.
ALGORITHMS = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
    "Ed25519",
)
LEEWAY_SECONDS = 60
FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
HTTP_PASSWORD, FORM_PASSWORD = "client_secret_basic", "client_secret_post"


class ProviderProblem(LeitstandError):
    """The identity provider does not do what it should; the message is for whoever manages the workspace."""

    status, title, kind = 502, "The sign-on does not work", "sign-on-problem"


@dataclass(frozen=True)
class Discovery:
    """What an issuer says of itself (OpenID Connect Discovery)."""

    issuer: str
    authorization: str
    token: str
    keys: str
    userinfo: str
    methods: tuple[str, ...]


@dataclass(frozen=True)
class Client:
    """Who we are to the provider; an empty secret is a public client."""

    id: str
    secret: str
    redirect: str

    def __repr__(self) -> str:
        return f"Client({self.id!r})"


@dataclass(frozen=True)
class Identity:
    """Who the provider says it is."""

    issuer: str
    subject: str
    email: str
    email_verified: bool
    name: str


def discover(issuer: str) -> Discovery:
    """Ask an issuer for its addresses.

    Raises:
        ProviderProblem: it has no discovery document, or one that is not right.
        LeitstandError: the address may not be asked, or does not answer.
    """
    answer = fetch(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    document = _document(answer, "The discovery document")
    if document.get("issuer") != issuer:
        raise ProviderProblem(
            msg(
                "The issuer calls itself {value!r}, not {issuer!r}.",
                value=str(document.get("issuer"))[:200],
                issuer=issuer,
            ),
            hint="Enter exactly what it calls itself; a slash at the end counts.",
        )
    named = ("authorization_endpoint", "token_endpoint", "jwks_uri")
    if lacking := [name for name in named if not _is_address(document.get(name))]:
        raise ProviderProblem(msg("The discovery document has no {lacking}.", lacking=lacking[0]))
    methods, userinfo = (
        document.get("token_endpoint_auth_methods_supported"),
        document.get("userinfo_endpoint"),
    )
    authorization, token, keys = (str(document[name]) for name in named)
    return Discovery(
        issuer=issuer,
        authorization=authorization,
        token=token,
        keys=keys,
        userinfo=str(userinfo) if _is_address(userinfo) else "",
        methods=tuple(map(str, methods)) if isinstance(methods, list) else (HTTP_PASSWORD,),
    )


def fetch_keys(found: Discovery) -> Any:
    """The provider's public keys (a `joserfc` key set).

    Raises:
        ProviderProblem: there is none that can be used.
        LeitstandError: they can't be fetched.
    """
    from joserfc.errors import JoseError
    from joserfc.jwk import KeySet

    try:
        return KeySet.import_key_set(_document(fetch(found.keys), "The key set"))  # type: ignore[arg-type]
    except (JoseError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ProviderProblem("The provider has no key that can be used.") from error


def way_there(found: Discovery, client: Client, *, state: str, nonce: str, verifier: str) -> str:
    """Where the browser goes to sign in: authorization code with PKCE (S256), state and nonce."""
    from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
    from authlib.oauth2.rfc7636 import create_s256_code_challenge

    address: str = prepare_grant_uri(
        found.authorization,
        client_id=client.id,
        response_type="code",
        redirect_uri=client.redirect,
        scope=SCOPE,
        state=state,
        nonce=nonce,
        code_challenge=create_s256_code_challenge(verifier),
        code_challenge_method="S256",
    )
    return address


def identify(client: Client, *, issuer: str, code: str, verifier: str, nonce: str) -> Identity:
    """Exchange a code for a token and check all of it.

    Raises:
        ProviderProblem: the provider refuses the code, or its token does not hold.
        LeitstandError: the provider can't be reached.
    """
    found = discover(issuer)
    tokens = _exchange(found, client, code=code, verifier=verifier)
    claims = checked_claims(
        str(tokens.get("id_token") or ""), fetch_keys(found), issuer=issuer, audience=client.id, nonce=nonce
    )
    if not claims.get("email") and found.userinfo and tokens.get("access_token"):
        claims = _with_userinfo(found, claims, str(tokens["access_token"]))
    return Identity(
        issuer,
        str(claims["sub"]),
        str(claims.get("email") or "").strip().lower(),
        claims.get("email_verified") is True,
        str(claims.get("name") or ""),
    )


def checked_claims(
    token: str, keys: Any, *, issuer: str, audience: str, nonce: str, now: datetime | None = None
) -> dict[str, Any]:
    """What an id token says, once signature, issuer, audience, times and nonce are right.

    Args:
        keys: a `joserfc` key set.

    Raises:
        ProviderProblem: something about it is wrong.
    """
    from joserfc import jwt
    from joserfc.errors import JoseError

    required: dict[str, Any] = {
        "iss": {"essential": True, "value": issuer},
        "aud": {"essential": True, "value": audience},
        "sub": {"essential": True, "allow_blank": False},
        "exp": {"essential": True},
        "iat": {"essential": True},
        "nonce": {"essential": True, "value": nonce},
    }
    seconds = int((now or datetime.now(UTC)).timestamp())
    try:
        claims = dict(jwt.decode(token, keys, algorithms=list(ALGORITHMS)).claims)
        jwt.JWTClaimsRegistry(now=seconds, leeway=LEEWAY_SECONDS, **required).validate(claims)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise ProviderProblem(
            msg("The provider's token does not hold: {reason}.", reason=type(error).__name__)
        ) from error
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if claims.get("azp", None if several else audience) != audience:
        raise ProviderProblem("The provider's token is meant for somebody else.")
    return claims


def _exchange(found: Discovery, client: Client, *, code: str, verifier: str) -> dict[str, Any]:
    fields = {
        "grant_type": "authorization_code", "code": code, "redirect_uri": client.redirect, "code_verifier": verifier,
    }  # fmt: skip
    headers = dict(FORM)
    if client.secret and (HTTP_PASSWORD in found.methods or FORM_PASSWORD not in found.methods):
        headers["Authorization"] = f"Basic {_basic(client)}"
    else:
        fields |= {"client_id": client.id} | ({"client_secret": client.secret} if client.secret else {})
    answer = fetch(found.token, method="POST", headers=headers, body=urlencode(fields).encode())
    if not answer.ok:
        said = _said(answer)
        raise ProviderProblem(
            msg(
                "The provider refuses the code ({status}{said}).",
                status=answer.status,
                said=": " + said if said else "",
            )
        )
    return _document(answer, "The token answer")


def _with_userinfo(found: Discovery, claims: dict[str, Any], access_token: str) -> dict[str, Any]:
    """The claims with those of the userinfo endpoint, if they are about the same person."""
    answer = fetch(found.userinfo, headers={"Authorization": f"Bearer {access_token}"})
    told = _document(answer, "The userinfo answer")
    if told.get("sub") != claims["sub"]:
        raise ProviderProblem("The provider's userinfo is about somebody else.")
    return claims | {name: told[name] for name in ("email", "email_verified", "name") if name in told}


def _basic(client: Client) -> str:
    """RFC 6749 2.3.1: both are form-encoded first."""
    return base64.b64encode(f"{quote(client.id, safe='')}:{quote(client.secret, safe='')}".encode()).decode()


def _document(answer: Answer, what: str) -> dict[str, Any]:
    if not answer.ok:
        raise ProviderProblem(
            msg("{what} can't be read: the provider answers {status}.", what=what, status=answer.status)
        )
    return answer.document()


def _said(answer: Answer) -> str:
    """The error code of RFC 6749, if it is one; a provider's words may hold anything."""
    try:
        code = answer.document().get("error")
    except LeitstandError:
        return ""
    return code if isinstance(code, str) and len(code) < 40 and code.replace("_", "").isalnum() else ""


def _is_address(value: object) -> bool:
    return isinstance(value, str) and value.startswith(("https://", "http://"))


def error_of(answer: Mapping[str, str]) -> str:
    """The error that a provider sent the browser back with; empty where there is none."""
    code = answer.get("error", "")
    return code[:40] if code.replace("_", "").isalnum() else ("error" if code else "")
