"""The connection to an OPA server: short timeouts, no retries, and a breaker, so that a dead or hung OPA is not waited for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import aiohttp
import orjson
from circuitbreaker import CircuitBreaker
from opa_client.errors import DeleteDataError, DeletePolicyError, RegoParseError
from opa_client.opa_async import AsyncOpaClient

from gateway.adapters.policy.bundle import canonical
from gateway.adapters.policy.problems import Unreachable
from gateway.config import Opa
from gateway.policy import PolicyError
from gateway.questions import Questions

T = TypeVar("T")

_PUSH_TIMEOUT = 5.0
_FAILURES = 5
_OPEN_FOR = 1
_AT_FAULT = "invalid_parameter"
_STRICT = {"strict-builtin-errors": "true"}
_GONE = (aiohttp.ClientConnectionError, TimeoutError, aiohttp.ClientPayloadError)


class OpaConnection:
    """Two sessions with one OPA: `ask` for decisions, quick and behind the breaker; everything else for loading policies."""

    def __init__(self, config: Opa, root: Path, timeout: float) -> None:
        self._url = config.url
        self._address = _address(config.url)
        self._token_file = None if config.token_file is None else root / config.token_file
        self._timeout = timeout
        self._token: str | None = None
        self._clients: dict[bool, AsyncOpaClient] = {}
        self._retired: tuple[AsyncOpaClient, ...] = ()
        self._breaker = CircuitBreaker(
            failure_threshold=_FAILURES, recovery_timeout=_OPEN_FOR, expected_exception=Unreachable
        )
        self._questions = Questions[object](lambda: Unreachable("the connection to OPA is being closed"))

    async def ask(self, package: str, rule: str, document: Mapping[str, Any]) -> object:
        """A decision within the timeout; None where undefined. Raises PolicyError."""
        if self._breaker.opened:
            raise Unreachable(f"OPA at {self._url} failed {_FAILURES} times in a row; it is asked again in a moment")
        return await self._questions.ask(self._breaker.call_async(self._query, True, package, rule, document))

    async def query(self, package: str, rule: str, document: Mapping[str, Any]) -> object:
        """The value of a rule; None where undefined. Raises PolicyError."""
        return await self._query(False, package, rule, document)

    async def _query(self, quick: bool, package: str, rule: str, document: Mapping[str, Any]) -> object:
        plain = orjson.loads(canonical(document))
        answer = await self._send(quick, lambda opa: opa.query_rule(plain, package, rule, query_params=_STRICT))
        if not isinstance(answer, dict):
            raise PolicyError("OPA answered with something else than an object")
        return answer.get("result")

    async def put_data(self, path: str, data: Mapping[str, Any]) -> None:
        """Replaces the document at a path; raises PolicyError."""
        try:
            await self._send(False, lambda opa: opa.update_or_create_data(dict(data), path))
        except RegoParseError as error:
            raise PolicyError(f"OPA refused the data: {error.expression}") from None

    async def put_policy(self, name: str, text: str) -> None:
        """Adds or replaces one module; raises RegoParseError where the text is at fault, else PolicyError."""
        try:
            await self._send(False, lambda opa: opa.update_policy_from_string(text, name, rego_compat=False))
        except RegoParseError as error:
            if error.expression == _AT_FAULT:
                raise
            raise PolicyError(f"OPA refused the policy: {error.expression}") from None

    async def policies(self) -> Sequence[str]:
        """Ids of the modules in OPA; raises Unreachable."""
        return list(await self._send(False, lambda opa: opa.get_policies_list()))

    async def forget(self, names: Sequence[str]) -> None:
        """Takes modules out. One that others still use is tried again when those have gone; never raises."""
        left = list(names)
        while left:
            stayed = [name for name in left if not await self._gone(name)]
            if len(stayed) == len(left):
                return
            left = stayed

    async def _gone(self, name: str) -> bool:
        try:
            await self._send(False, lambda opa: opa.delete_policy(name))
        except DeletePolicyError as error:
            return bool(error.expression == "resource_not_found")
        except PolicyError:
            return False
        return True

    async def forget_data(self, path: str) -> None:
        """Takes a document out; never raises."""
        try:
            await self._send(False, lambda opa: opa.delete_data(path))
        except (DeleteDataError, PolicyError):
            return

    async def close(self) -> None:
        """Closes every session; questions under way fail."""
        self._questions.close()
        await self._retire()
        await self._retire()

    async def _retire(self) -> None:
        """New sessions from here on; those before the last retirement are closed, their questions being long answered."""
        closing, self._retired, self._clients = self._retired, tuple(self._clients.values()), {}
        for client in closing:
            await client.close_connection()

    async def _send(self, quick: bool, request: Callable[[AsyncOpaClient], Awaitable[T]]) -> T:
        """One request; connection failures and timeouts become Unreachable, the rest PolicyError or the client's own error."""
        try:
            return await request(await self._client(quick))
        except _GONE as error:
            raise Unreachable(f"OPA does not answer at {self._url}: {type(error).__name__}") from None
        except aiohttp.ClientResponseError as error:
            raise PolicyError(f"OPA answered with HTTP status {error.status}") from None
        except (ValueError, TypeError) as error:
            raise PolicyError(f"no sound question to OPA or answer from it: {type(error).__name__}") from None

    async def _client(self, quick: bool) -> AsyncOpaClient:
        if not quick:
            await self._renew_token()
        if quick not in self._clients:
            host, port, tls = self._address
            client = AsyncOpaClient(
                host=host,
                port=port,
                ssl=tls,
                token=self._token,
                retries=0,
                timeout=self._timeout if quick else _PUSH_TIMEOUT,
            )
            await client.__aenter__()
            self._clients[quick] = client
        return self._clients[quick]

    async def _renew_token(self) -> None:
        """Takes a token that was replaced in its file; the engine looks at its policies several times a second."""
        if self._token_file is None:
            return
        try:
            token = self._token_file.read_text().strip()
        except OSError as error:
            raise Unreachable(f"the token for OPA cannot be read: {error.strerror}") from None
        if token != self._token:
            await self._retire()
            self._token = token


def _address(url: str) -> tuple[str, int, bool]:
    """Host, port and whether TLS is used; raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/") or parts.query:
        raise ValueError(f'the address of OPA is written like "http://127.0.0.1:8181", not {url!r}')
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return host, parts.port or (443 if parts.scheme == "https" else 8181), parts.scheme == "https"
