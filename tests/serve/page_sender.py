"""A page without a browser: its parts hold what they were told, and a press goes to the app with all of it, as Chromium sends it."""

import json
from typing import Any

import httpx
from gradio_client.utils import apply_diff


class PageSender:
    """The English page in a session of its own, drawn once."""

    def __init__(self, address: str, session: str) -> None:
        self.browser, self.session = httpx.Client(base_url=address, timeout=600), session
        config = self.browser.get("/config").json()
        there = {*config["page"][""]["components"]}
        self.parts = {one["id"]: one for one in config["components"]}
        self.values = {key: one["props"].get("value", one["props"].get("default_value")) for key, one in self.parts.items()}
        self.named = {one["props"]["elem_id"]: key for key, one in self.parts.items() if key in there and one["props"].get("elem_id")}
        self.wired = [one for one in config["dependencies"] if one["targets"] and one["targets"][0][0] in there]
        self._does(max(self.wired, key=lambda one: len(one["outputs"])), None)  # the whole page is drawn

    def holds(self, part: str) -> Any:
        """The value of a part, by the name that the style sheet has for it."""
        return self.values[self.named[part]]

    def chooses(self, run: str) -> None:
        """Somebody else to talk to."""
        self.values[self.named["target"]] = run
        self._fires("target", "change")

    def asks(self, question: str) -> str:
        """Send a message: all that the page is told until the answer is over, as it was sent."""
        self.values[self.named["message"]] = question
        return self._fires("send", "click")

    def last_answer(self) -> str:
        """What stands last on the sheet of whoever is talked to, without the badge that tells who it was."""
        turn = self.holds("bot-tuned")[-1]
        assert turn["role"] == "assistant", turn
        return "".join(piece["text"] for piece in turn["content"]).partition("<details")[0]

    def _fires(self, part: str, event: str) -> str:
        key = self.named[part]
        return self._does(next(one for one in self.wired if [key, event] in [list(target) for target in one["targets"]]), key)

    def _does(self, wired: dict[str, Any], trigger: int | None) -> str:
        data = [self.values[key] for key in wired["inputs"]]
        body = {"fn_index": wired["id"], "data": data, "session_hash": self.session, "trigger_id": trigger or wired["targets"][0][0]}
        joined = self.browser.post("/gradio_api/queue/join", json=body)
        assert joined.status_code == 200, joined.text
        told, now = [], list[Any]()
        with self.browser.stream("GET", f"/gradio_api/queue/data?session_hash={self.session}") as stream:
            for line in stream.iter_lines():
                if not line.startswith("data: "):
                    continue
                told.append(line)
                step = json.loads(line.removeprefix("data: "))
                if step["msg"] == "process_generating":
                    sent = step["output"]["data"]
                    now = [apply_diff(old, new) for old, new in zip(now, sent, strict=True)] if now else sent
                    self._take(wired, now)
                elif step["msg"] == "process_completed":
                    assert step["success"], line
                    if not now:
                        self._take(wired, step["output"]["data"])
                    return "\n".join(told)
        raise AssertionError(told)

    def _take(self, wired: dict[str, Any], sent: list[Any]) -> None:
        for key, value in zip(wired["outputs"], sent, strict=True):
            if not (isinstance(value, dict) and value.get("__type__") == "update"):
                self.values[key] = value
            elif "value" in value:
                self.values[key] = value["value"]
