"""Posts JSON to another system over HTTP."""

import json
from collections.abc import Mapping
from typing import Self

import aiohttp

from services.commerce.notifications.application.ports import Away, Refused


class HttpClient:
    """Posts JSON. 3xx and 4xx are permanent refusals, except 408, 425 and 429: try again later."""

    def __init__(self, patience: float) -> None:
        self.patience = patience
        self._session: aiohttp.ClientSession | None = None

    def opened(self) -> aiohttp.ClientSession:
        """Returns a new session."""
        return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=self.patience))

    async def __aenter__(self) -> Self:
        self._session = self.opened()
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Posts a body.

        Raises:
            Refused, Away
        """
        assert self._session is not None, "the client is not open: use it inside `async with`"
        headers = {"content-type": "application/json", **headers}
        try:
            async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as answer:
                status = answer.status
        except (aiohttp.InvalidURL, UnicodeError) as error:  # UnicodeError: a name that no host can have
            raise Refused("the address is not a URL") from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Away(f"there was no answer: {type(error).__name__}") from error
        if 300 <= status < 500 and status not in (408, 425, 429):
            raise Refused(f"the answer was {status}")
        if status >= 300:
            raise Away(f"the answer was {status}")


def to_json(**values: str) -> bytes:
    """Returns values as a JSON object."""
    return json.dumps(values, ensure_ascii=False).encode()
