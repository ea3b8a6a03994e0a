"""Whom one talks to in the Chat tab: who can be chosen, who is by itself, and what is said of them above the conversation.

What is asked of them, and what they answer, is the tab's affair.
"""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from tuning.errors import TuningError
from tuning.hub.pulled import parsed
from tuning.runs.contents import KeptChat
from tuning.schema import ALIVE, UNREADABLE
from tuning.studio.talk import run_of
from tuning.ui import slip, view
from tuning.ui.desk import NAMES_SECONDS, Desk, Scene
from tuning.ui.markup import Html, html


class Whom:
    """Who is chosen on a page, and the switch for their thoughts."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def paint(self, scene: Scene) -> list[Any]:
        """Whom one can talk to; a run that was just started is chosen by itself."""
        options = targets(self.desk, scene.runs, scene.talker, scene.choice.model)
        known = [value for _, value in options]
        watched = scene.run["run"] if scene.run else None
        kept = scene.followed is None and scene.talk and self.kept(scene.talk)  # the page was opened anew
        if kept and kept.target in known:
            return [gr.update(choices=options, value=kept.target), watched or "", talking(self.desk, scene, kept.target)]
        follow = watched in known and watched != scene.followed
        wanted = watched if follow else scene.talker if scene.talker in known else next(iter(known), None)
        update = gr.update(choices=options, **({"value": wanted} if wanted != scene.talker else {}))
        return [update, watched if follow else scene.followed, talking(self.desk, scene, wanted)]

    def first(self) -> str:
        """Whom a page offers that is opened now: for a message that comes before this is drawn."""
        runs = self.desk.runs(shared=True)
        known, watched = [value for _, value in targets(self.desk, runs)], self.desk.watched(runs, None)
        return watched["run"] if watched and watched["run"] in known else next(iter(known), "")

    def kept(self, talk: str | None) -> KeptChat | None:
        """The conversation of this id, if it is still there."""
        try:
            return self.desk.studio.chats.get(talk) if talk else None
        except TuningError:
            return None

    def think(self, who: str | None) -> None:
        """The other way: with a thought before the answer, or without."""
        kept, now = self.desk.studio.chats, self.desk.studio.answering.thinks(who or "")
        if now is not None:
            how = kept.settings(str(who))
            kept.set(str(who), how.model_copy(update={"thinking": not (now if how.thinking is None else how.thinking)}))


def targets(desk: Desk, runs: Sequence[Mapping[str, Any]], who: str | None = None, model: str | None = None) -> list[tuple[str, str]]:
    """Who can be talked to: runs with an adapter or at work, newest first, adapters from the Hub, then the models as they are, that of the
    order in a folder, too. Of the run that is talked to its checkpoints, too."""
    found = []
    for run in runs:
        if run["status"] in ("starting", "running"):
            found.append((desk.say("ui.chat.learning", name=run["name"]), run["run"]))
        elif run["has_adapter"] and run["status"] not in (*ALIVE, UNREADABLE):
            found.append((f"{run['name']} · {view.when(run['created'], desk.lang)}", run["run"]))
        if run["run"] == run_of(who or ""):
            steps = [f"{run['run']}@{step}" for step in desk.studio.talk.steps(run["run"])]
            found += [(desk.studio.talk.called(one, desk.lang), one) for one in reversed(steps)]
    return [
        *found,
        *((one.name, one.name) for one in desk.studio.talk.pulled()),
        *((desk.say("ui.chat.bare", model=entry["title"]), entry["id"]) for entry in desk.models(NAMES_SECONDS) if entry["here"]),
        *((desk.say("ui.chat.bare", model=folder_of(desk, one)), one) for one in folders(desk, who, model)),
    ]


def talking(desk: Desk, scene: Scene, who: str | None) -> Html:
    """With whom one talks; while a run learns, that it is talked to as it is now, or that nobody answers."""
    run = scene.run
    if run is not None and run["run"] == who and run["status"] in ("starting", "running"):
        step, total = view.number(run["state"]["step"], desk.lang), view.number(run["total_steps"], desk.lang)
        says = desk.say("ui.chat.while", step=step, total=total) if slip.answers(run) else desk.say("chat.launched")
        return html('<p class="while"><i aria-hidden="true">●</i> {says}</p>', says=says)
    name = next((entry["name"] for entry in scene.runs if entry["run"] == who), None)
    name = desk.studio.talk.called(who, desk.lang) if who and (run_of(who) != who or is_pulled(who)) else name
    title = next((entry["title"] for entry in desk.models(NAMES_SECONDS) if entry["id"] == who), folder_of(desk, who) or who or "")
    says = desk.say("ui.chat.with_run", name=name) if name else desk.say("ui.chat.with_model", model=title)
    untaught = desk.say("chat.untaught") if who and not name and desk.studio.talk.untaught(who) else ""
    return html('<p class="hint">{says}</p>{thinking}', says=f"{says} {untaught}".strip(), thinking=thinking(desk, who)) if who else Html()


def is_run(desk: Desk, who: str | None) -> bool:
    """Whether it is a run that is talked to, and not a model as it is, nor an adapter that was trained elsewhere."""
    models = [entry["id"] for entry in desk.models(NAMES_SECONDS)]
    return bool(who) and who not in models and not is_pulled(who) and not folder_of(desk, who)


def folder_of(desk: Desk, who: str | None) -> str:
    """What the folder is called, where a model in a folder is talked to; nothing where it is none, or whoever looks may not know of it."""
    folder = pathlib.Path(who or "")
    return folder.name if desk.local and folder.is_absolute() and folder.is_dir() else ""


def folders(desk: Desk, *some: str | None) -> list[str]:
    """Those that are models in folders of this machine."""
    return [one for one in dict.fromkeys(some) if one and folder_of(desk, one)]


def is_pulled(who: str | None) -> bool:
    """Whether it is an adapter from the Hub that is talked to."""
    return parsed(who or "") is not None


def thinking(desk: Desk, who: str) -> Html:
    """The switch for thoughts, where the template knows of them."""
    usual = desk.studio.answering.thinks(who)
    kept = desk.studio.chats.settings(who).thinking
    if usual is None:
        return Html()
    on = usual if kept is None else kept
    label = ("☑ " if on else "☐ ") + desk.say("ui.chat.thinking")
    return html(
        '<button type="button" class="mend" role="switch" aria-checked="{on}" data-do="think">{label}</button>',
        on=str(on).lower(),
        label=label,
    )
