"""A shared machine with a teacher and two pupils, for tests of what they see of each other."""

import pathlib

import httpx

from tuning import settings
from tuning.studio import Studio

PROF, ANNA, BRUNO = ("prof", "thimble"), ("anna", "gatto7"), ("bruno", "cane8")


class Class:
    """A shared machine with a teacher and two pupils, and its home as this process sees it."""

    def __init__(self, home: pathlib.Path, address: str) -> None:
        self.home, self.address = home, address
        self.house = Studio(settings.opened(settings.read(home=str(home)), ("prof",)), "prof")

    def of(self, name: str) -> Studio:
        return self.house.for_owner(name)

    def browser(self, who: tuple[str, str]) -> httpx.Client:
        client = httpx.Client(base_url=self.address, timeout=60)
        assert client.post("/login", data={"username": who[0], "password": who[1]}).status_code == 200
        return client

    def log(self) -> str:
        return (self.home / "app.log").read_text(encoding="utf-8", errors="replace")
