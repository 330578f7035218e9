"""An OpenID Connect provider on a port of its own, which can be told to be wrong in each way. Fixture `provider`."""

import base64
import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi import FastAPI, Form, Request
from fastapi.responses import JSONResponse
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from leitstand.settings import get_settings
from tests.live import served

CLIENT, SECRET = "leitstand-client", "a secret & with: odd/letters"


@dataclass
class Provider:
    """What it says next; `claims` are put over the right ones, and None takes one out."""

    issuer: str = ""
    key: Any = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one"}))
    published: list[Any] = field(default_factory=list)
    claims: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] = field(default_factory=dict)
    calls_itself: str = ""
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def approve(self, address: str, **claims: Any) -> dict[str, str]:
        """Somebody signs in at the address that our client sent them to; gives what the browser comes back with."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        assert query["client_id"] == CLIENT and query["response_type"] == "code"
        assert query["code_challenge_method"] == "S256" and "openid" in query["scope"].split()
        self.claims = claims
        code = f"code-{len(self.codes)}"
        self.codes[code] = query
        return {"code": code, "state": query["state"]}

    def token(self, query: dict[str, str]) -> str:
        """The id token of a code."""
        now = int(time.time())
        right = {
            "iss": self.issuer, "aud": CLIENT, "sub": "subject-1", "nonce": query["nonce"], "iat": now, "exp": now + 300,
            "email": "olga@example.test", "email_verified": True, "name": "Olga Owner",
        }  # fmt: skip
        claims = {name: value for name, value in (right | self.claims).items() if value is not None}
        return jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, self.key)


def application(provider: Provider) -> FastAPI:
    """Its endpoints."""
    app = FastAPI()

    @app.get("/.well-known/openid-configuration")
    def discovery() -> dict[str, Any]:
        return {
            "issuer": provider.calls_itself or provider.issuer,
            "authorization_endpoint": f"{provider.issuer}/authorize?tenant=1",
            "token_endpoint": f"{provider.issuer}/token",
            "jwks_uri": f"{provider.issuer}/keys",
            "userinfo_endpoint": f"{provider.issuer}/userinfo",
        }

    @app.get("/keys")
    def keys() -> dict[str, Any]:
        return KeySet(provider.published or [provider.key]).as_dict(private=False)

    @app.post("/token")
    def token(
        request: Request, code: Annotated[str, Form()], code_verifier: Annotated[str, Form()]
    ) -> JSONResponse:
        provider.asked.append(request.headers.get("authorization", ""))
        query = provider.codes.pop(code, None)
        if query is None:
            return JSONResponse({"error": "invalid_grant"}, status_code=400)
        digest = hashlib.sha256(code_verifier.encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if challenge != query["code_challenge"]:
            return JSONResponse({"error": "invalid_grant"}, status_code=400)
        return JSONResponse(
            {"access_token": "access", "token_type": "Bearer", "id_token": provider.token(query)}
        )

    @app.get("/userinfo")
    def userinfo() -> dict[str, Any]:
        return provider.userinfo

    return app


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    """A provider that runs; our requests may go to it. Take it after `settings`, whose cache it renews."""
    monkeypatch.setenv("LEITSTAND_OUTGOING_PRIVATE_ADDRESSES_ALLOWED", "127.0.0.1")
    get_settings.cache_clear()
    made = Provider()
    with served(application(made)) as address:
        made.issuer = address
        yield made
    monkeypatch.undo()
    get_settings.cache_clear()
