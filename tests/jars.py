# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Users that each keep the cookies they get, as browsers do."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from http.cookies import SimpleCookie

CONCURRENT = 24


@dataclass
class Jar:
    """One user: the cookies, and the version that made each answer, in order."""

    cookies: dict[str, str] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)

    @property
    def now(self) -> str:
        return self.seen[-1]

    def take(self, header: str) -> None:
        for name, morsel in SimpleCookie(header).items():
            if morsel["max-age"] == "0":
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = morsel.value


def ask(url: str, jars: list[Jar], times: int) -> list[list[str]]:
    """Each user asks so many times, one request after the other; what each was answered."""

    async def everybody() -> None:
        import aiohttp

        room = asyncio.Semaphore(CONCURRENT)
        connector = aiohttp.TCPConnector(limit=CONCURRENT)
        # The jars keep the cookies, for they outlive the connection.
        async with aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar()
        ) as session:

            async def one(jar: Jar) -> None:
                async with room:
                    for _ in range(times):
                        async with session.get(url, headers=_headers(jar)) as answer:
                            assert answer.status == 200, await answer.text()
                            jar.seen.append(answer.headers["x-app-version"])
                            for header in answer.headers.getall("set-cookie", []):
                                jar.take(header)

            await asyncio.gather(*(one(jar) for jar in jars))

    asyncio.run(everybody())
    return [jar.seen[-times:] for jar in jars]


def _headers(jar: Jar) -> dict[str, str]:
    text = "; ".join(f"{name}={value}" for name, value in jar.cookies.items())
    return {"cookie": text} if text else {}
