"""Stop sequences: ends a text that comes in pieces before the first of them. It knows nothing of models or requests."""

from collections.abc import Sequence


class Cutter:
    """Ends a text before the first stop sequence, and holds back what may be the beginning of one."""

    def __init__(self, stops: Sequence[str]) -> None:
        self.stops, self.cut, self._held = [stop for stop in stops if stop], False, ""

    def feed(self, piece: str) -> str:
        """What of the text is certain with this piece; nothing after the end."""
        if self.cut:
            return ""
        text, self._held = self._held + piece, ""
        places = [place for stop in self.stops if (place := text.find(stop)) >= 0]
        if places:
            self.cut = True
            return text[: min(places)]
        begun = (size for stop in self.stops for size in range(min(len(stop), len(text)), 0, -1) if text.endswith(stop[:size]))
        keep = len(text) - max(begun, default=0)
        self._held = text[keep:]
        return text[:keep]

    def rest(self) -> str:
        """What was held back and began no stop sequence after all."""
        held, self._held = self._held, ""
        return held
