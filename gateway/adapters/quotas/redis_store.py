"""Token buckets in Redis: one script, one round trip, one key for each bucket that is not full."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.credentials import CredentialProvider, UsernamePasswordCredentialProvider
from redis.exceptions import AuthenticationError, NoScriptError, RedisError
from redis.exceptions import ConnectionError as Broken
from redis.exceptions import TimeoutError as Late

from gateway.adapters.quotas.store import Gone
from gateway.adapters.quotas.trust import Encrypted, Trust, in_words
from gateway.config import Quotas

_CONNECTIONS = 32
"""At most, to Redis. A question takes a fraction of a millisecond; who finds all of them busy waits within its timeout."""

_PREFIX = "firebreak:quota:"

_BUCKET = """
-- A bucket is kept as the time at which it is full again (GCRA): one number, and nothing once it is full.
-- By the server's clock, so that gateways whose clocks differ agree.
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local interval = 1 / ARGV[1]
local full = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now)
-- What is owed at most is the whole burst: a rate that was raised counts at once.
full = math.min(full, now + ARGV[2] * interval)
local wait = full - now - (ARGV[2] - 1) * interval
if wait > 0.000001 then
  return math.ceil(wait * 1000000)
end
full = full + interval
redis.call('SET', KEYS[1], string.format('%.17g', full), 'PX', math.ceil((full - now) * 1000))
return 0
"""


class RedisStore:
    """Implements the port gateway.adapters.quotas.store.Store."""

    def __init__(self, config: Quotas, root: Path) -> None:
        """`root` is where relative paths start. Connects when it is first asked."""
        parts = urlsplit(config.redis)
        host, port = parts.hostname or "", parts.port or 6379
        self.address = f"{host}:{port}"
        pool = BlockingConnectionPool(
            max_connections=_CONNECTIONS,
            timeout=config.timeout,
            host=host,
            port=port,
            db=int(parts.path.removeprefix("/") or 0),
            socket_timeout=config.timeout,
            socket_connect_timeout=config.timeout,
            # A connection that lay idle may be broken without anybody having noticed: once more, on a new one.
            retry=Retry(NoBackoff(), 1, supported_errors=(Broken,)),
            credential_provider=_credentials(unquote(parts.username or ""), config.password_file, root),
            protocol=2,
            **_encryption(parts, config.ca_file, root),
        )
        self._redis = Redis(connection_pool=pool)
        self._digest = ""

    async def take(self, name: str, per_second: float, burst: int) -> float:
        try:
            answer = await self._ask(_key(name), repr(per_second), str(burst))
            return int(answer) / 1e6
        except _NoPassword as error:
            raise Gone(str(error)) from None
        except AuthenticationError:
            raise Gone(f"Redis at {self.address} does not accept user or password") from None
        except (Broken, Late, TimeoutError, OSError) as error:
            raise Gone(f"Redis at {self.address} {in_words(error)}") from None
        except (RedisError, ValueError, TypeError) as error:
            raise Gone(f"Redis at {self.address} refuses: {type(error).__name__}") from None

    async def close(self) -> None:
        await self._redis.aclose(close_connection_pool=True)

    async def _ask(self, *arguments: str) -> str:
        """Sends the script only to a server that does not have it: one that was started anew has none."""
        try:
            if self._digest:
                return str(await self._redis.evalsha(self._digest, 1, *arguments))
        except NoScriptError:
            pass
        self._digest = await self._redis.script_load(_BUCKET)
        return str(await self._redis.evalsha(self._digest, 1, *arguments))


def _encryption(parts: SplitResult, ca_file: str | None, root: Path) -> dict[str, Any]:
    """What makes the pool's connections TLS, where the address says so."""
    if parts.scheme != "rediss":
        return {}
    return {"connection_class": Encrypted, "trust": Trust(None if ca_file is None else root / ca_file)}


def _credentials(user: str, password_file: str | None, root: Path) -> CredentialProvider | None:
    if password_file is not None:
        return _Password(user, root / password_file)
    return UsernamePasswordCredentialProvider(user, "") if user else None


class _NoPassword(AuthenticationError):
    """Of a kind that the client knows, so that it closes a connection on which it could not log in."""


class _Password(CredentialProvider):
    """User and password for a new connection: a secret that was replaced in its file is in use from the next one on."""

    def __init__(self, user: str, file: Path) -> None:
        self._user = user
        self._file = file

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        try:
            password = self._file.read_text().strip()
        except (OSError, ValueError) as error:
            raise _NoPassword(f"the password for Redis cannot be read: {type(error).__name__}") from None
        return (self._user, password) if self._user else (password,)

    async def get_credentials_async(self) -> tuple[str] | tuple[str, str]:
        return self.get_credentials()


def _key(name: str) -> str:
    """Of a fixed length, and without the names of persons: Redis is no record of who called."""
    return _PREFIX + blake2b(name.encode(), digest_size=16).hexdigest()
