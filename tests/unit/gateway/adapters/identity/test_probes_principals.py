"""Nobody who calls is one of the principals that the gateway makes probes as."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.errors import CallError, Reason
from tests.unit.gateway.adapters.identity.world import World, bearer, call


@pytest.mark.parametrize(("prefix", "sub"), [("", "firebreak:probe"), ("", "firebreak:x"), ("fire", "break:stranger")])
async def test_a_token_that_would_make_one_is_refused(tmp_path: Path, prefix: str, sub: str) -> None:
    world = World(tmp_path)
    made = world.made(config=world.config(prefix=prefix))
    with pytest.raises(CallError) as caught:
        await made.authenticator.authenticate(call(bearer(world.user_token(sub=sub))))
    assert caught.value.reason is Reason.CREDENTIALS_INVALID
