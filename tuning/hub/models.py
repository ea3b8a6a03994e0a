"""What the Hub says of a model before a weight of it is fetched, and its files.

Everything asked for is small: the listing of a repository, two JSON files, the headers of the weights. Nothing of it is
executed, and the token is sent only where it is given. Which folder a file belongs in is `shelf`'s affair.
"""

import contextlib
import functools
import pathlib
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

import httpx2
from huggingface_hub import HfApi, ModelInfo, errors, get_session, hf_hub_url, hf_raise_for_status
from huggingface_hub.file_download import http_get
from huggingface_hub.hf_api import RepoSibling

from tuning.errors import InputError
from tuning.hub.repository import ID, AdapterRepository, HubFile, Repository, folder_name
from tuning.models import catalog, examine
from tuning.runs import disk, files
from tuning.schema import Bilingual, ModelCard
from tuning.settings import RemoteCode

KEPT_SECONDS = 600.0  # how long an answer of the Hub is taken for true; access may change
SECONDS = 10.0  # for one small answer
MOST_TEXT = 16 * 2**20  # bytes of a JSON file; tokenizer_config.json of real models has up to 3 MB
MOST_SHARDS = 256
CLOSED = {"model.missing": "pull.missing", "model.private": "pull.private", "model.gated": "pull.gated"}  # of a model, of an adapter
FREE = frozenset({"apache-2.0", "mit", "bsd-3-clause", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "openrail", "unlicense"})


class Caller:
    """Whoever asks the Hub: with `token`, or as anybody where it is None."""

    def __init__(self, endpoint: str, token: str | None, offline: bool) -> None:
        self.endpoint = endpoint.rstrip("/")
        self.offline = offline
        self._token: str | bool = token or False  # False: not even the one that the machine's owner has saved
        self._headers = {"authorization": f"Bearer {token}"} if token else {}
        self._api = HfApi(endpoint=self.endpoint, token=self._token)

    def page(self, id: str) -> str:
        """Where a person reads about what was asked for and accepts its licence."""
        return f"{self.endpoint}/{id}"

    def _other(self, id: str) -> str:
        """What is open to everybody and does what this one would have done."""
        raise NotImplementedError

    @contextlib.contextmanager
    def _asking(self, id: str) -> Iterator[None]:
        """Turn what can go wrong between here and the Hub into one sentence each."""
        if self.offline:
            raise InputError("model.offline", model=id)
        try:
            yield
        except errors.GatedRepoError as error:
            raise InputError("model.gated", model=id, page=self.page(id), other=self._other(id)) from error
        except (errors.RepositoryNotFoundError, errors.HFValidationError, errors.RevisionNotFoundError) as error:
            hidden = isinstance(error, errors.RepositoryNotFoundError) and error.response.status_code != 404
            code = "model.private" if hidden else "model.missing"
            raise InputError(code, model=id, page=self.page(id), other=self._other(id)) from error
        except errors.HfHubHTTPError as error:
            raise _refused(id, error.response, self.page(id), self._other(id)) from error
        except errors.OfflineModeIsEnabled as error:
            raise InputError("model.offline", model=id) from error
        except (httpx2.HTTPError, errors.FileMetadataError) as error:
            raise InputError("model.hub_unreachable", model=id, host=self.endpoint.partition("://")[2]) from error


@contextlib.contextmanager
def _searching(words: str) -> Iterator[None]:
    """What words are looked for is no model, and is not called one where the Hub is not to be had."""
    try:
        yield
    except InputError as error:
        code = {"model.offline": "model.search_offline", "model.hub_unreachable": "model.search_unreachable"}.get(error.code)
        if code is None:
            raise
        raise InputError(code, words=words.strip()[:100], **{key: value for key, value in error.params.items() if key == "host"}) from error


class Hub(Caller):
    """Models, as one person may see them."""

    def __init__(
        self,
        endpoint: str,
        token: str | None,
        offline: bool,
        cache: pathlib.Path | None = None,
        cards: Mapping[str, ModelCard] | None = None,
        pinned: RemoteCode | None = None,
    ) -> None:
        super().__init__(endpoint, token, offline)
        self._cache = None if cache is None else cache / ("mine" if token else "anybody")
        self._cards = cards or {}
        self._pinned = pinned

    def describe(self, id: str) -> Repository:
        """Everything the forecast and a download need to know of a model. At most a few hundred kB are read.

        Raises InputError that says which it is: missing, private, gated, without safetensors, with code of its own, of an
        architecture that is not known; the Hub busy, down, not reached, or not to be asked.
        """
        kept = self.recall(id)
        if kept is not None and (self.offline or 0 <= time.time() - kept.asked < KEPT_SECONDS):
            return kept
        with self._asking(id):
            info = self._info(id)
            if info.private and not self._token:
                raise InputError("model.private", model=id, page=self.page(id), other=self._other(id, info))
            if info.gated and not self._token:
                raise InputError("model.gated", model=id, page=self.page(id), other=self._other(id, info))
            found = self._examine(id, info)
        self._keep(found)
        return found

    def _info(self, id: str) -> ModelInfo:
        """What the Hub lists of a model, at the commit that is pinned where one is."""
        pinned = self._pin(id)
        if pinned is None:
            return self._api.model_info(id, files_metadata=True, timeout=SECONDS)
        wrong = InputError("code.revision", model=id, revision=pinned.revision)
        try:
            info = self._api.model_info(id, revision=pinned.revision, files_metadata=True, timeout=SECONDS)
        except errors.RevisionNotFoundError as error:
            raise wrong from error
        if info.sha != pinned.revision:
            raise wrong
        return info

    def recall(self, id: str) -> Repository | None:
        """What was found when `describe` asked last, however long ago: enough to name a model by. None where it never did."""
        place = self._place(id)
        return None if place is None else disk.kept(lambda: disk.record(place, Repository), None)

    def search(self, words: str, limit: int = 12) -> list[dict[str, Any]]:
        """Models by words in their name, the most downloaded first: id, parameters (None if not known), downloads, license, languages.

        Only what writes text, has safetensors and, without a token, needs no log-in; of what takes pictures, too, the kinds of which the
        text model can be trained. Raises InputError as `describe` does.
        """

        def listed(task: str) -> Iterable[ModelInfo]:
            return self._api.list_models(
                search=words.strip()[:100],
                pipeline_tag=task,
                filter="safetensors",
                gated=None if self._token else False,
                sort="downloads",
                limit=limit,
                expand=["downloads", "safetensors", "cardData", "tags", "gated"],
            )

        with _searching(words), self._asking(words):
            get_session().head(self.endpoint, timeout=SECONDS)  # is it there? A list would be asked for six times, in half a minute
            seeing = [info for info in listed("image-text-to-text") if examine.text_types() & set(info.tags or ())]
            found = sorted([*listed("text-generation"), *seeing], key=lambda info: -(info.downloads or 0))[:limit]
            return [
                {
                    "id": info.id,
                    "parameters": info.safetensors.total if info.safetensors else None,
                    "downloads": info.downloads or 0,
                    "gated": bool(info.gated),
                    **_facts(info),
                }
                for info in found
                if ID.fullmatch(info.id)
            ]

    def fetch(self, repository: Repository, file: HubFile, path: pathlib.Path, progress: Callable[[int], None]) -> None:
        """Append to `path` what is missing of `file`; a connection that is cut is taken up again where it was.

        `progress` gets the bytes that came since the last call; what it raises ends the download. Raises InputError as
        `describe` does. Whether the content is right is not looked at.
        """
        url = hf_hub_url(repository.id, file.name, revision=repository.revision, endpoint=self.endpoint)
        with self._asking(repository.id), path.open("ab") as stream:
            http_get(
                url,
                stream,
                resume_size=stream.tell(),
                headers=self._headers,
                expected_size=file.size,
                displayed_filename=file.name,
                tqdm_class=functools.partial(DownloadMeter, progress),  # type: ignore[arg-type]
            )

    def adapter(self, id: str, revision: str) -> AdapterRepository:
        """What a repository with an adapter holds at a tag, branch or commit: its configuration, its card's base, and its files.

        Raises InputError `pull.…`: not there, private, gated, no such revision, not an adapter; and as `describe` does where the Hub
        cannot be asked.
        """
        wrong = InputError("pull.revision", repo=id, revision=revision, page=f"{self.page(id)}/tree/main")
        try:
            with self._asking(id):
                try:
                    info = self._api.model_info(id, revision=revision, files_metadata=True, timeout=SECONDS)
                except errors.RevisionNotFoundError as error:
                    raise wrong from error
                if info.gated and not self._token:
                    raise InputError("model.gated")
                sizes = {file.rfilename: file for file in info.siblings or []}
                if "adapter_config.json" not in sizes:
                    whole = "config.json" in sizes
                    raise InputError("pull.whole" if whole else "pull.no_adapter", repo=id, revision=revision)
                config = self._json(id, str(info.sha), "adapter_config.json", sizes["adapter_config.json"].size or 0)
        except InputError as error:
            code = CLOSED.get(error.code)
            if code is None:
                raise
            raise InputError(code, repo=id, page=self.page(id), login=f"{self.endpoint}/settings/tokens") from error
        said: Any = info.card_data or {}
        files = [HubFile(name=name, size=one.size or 0, sha256=sha256_of(one), git=one.blob_id) for name, one in sizes.items()]
        return AdapterRepository(id=id, asked=revision, commit=str(info.sha), config=config, base=said.get("base_model"), files=files)

    # Inside

    def _examine(self, id: str, info: ModelInfo) -> Repository:
        sizes = {file.rfilename: file for file in info.siblings or []}
        revision = str(info.sha or "main")

        def text(name: str) -> dict[str, Any]:
            return self._json(id, revision, name, sizes[name].size or 0) if name in sizes else {}

        if "adapter_config.json" in sizes and not any(examine.SHARD.fullmatch(name) for name in sizes):
            base = str(text("adapter_config.json").get("base_model_name_or_path") or "")
            raise InputError("model.adapter", model=id, base=base if ID.fullmatch(base) else "?")
        shards = examine.weights(id, sizes)
        if "config.json" not in sizes:
            raise InputError("model.missing_file", model=id, file="config.json")
        if len(shards) > MOST_SHARDS:
            raise InputError("model.broken", model=id, file=examine.INDEX)
        config, words = text("config.json"), text("tokenizer_config.json")
        code = self._pin(id) is not None
        examine.configs(id, config, words, code)
        with ThreadPoolExecutor(8) as pool:
            shapes = {name: shape for of in pool.map(functools.partial(self._shapes, id, revision), shards) for name, shape in of.items()}
        facts = _facts(info)
        count = f"{info.downloads or 0:,}"
        why = Bilingual(
            en=f"A model from the Hub, downloaded {count} times last month.",
            it=f"Un modello dall'Hub, scaricato {count.replace(',', '.')} volte nell'ultimo mese.",
        )
        if code and "auto_map" in config:
            facts["packing"] = False  # nobody has tried it
        card = catalog.card(
            config,
            id=id,
            title=id.partition("/")[2],
            why=why,
            parameters=examine.parameters(config, shapes),
            instruct="chat_template" in words or "chat_template.jinja" in sizes,
            free_license=facts["license"] in FREE,
            italian="fair" if "it" in facts["languages"] else "none",
            **facts,
        )
        kept = [
            HubFile(name=name, size=sizes[name].size or 0, sha256=sha256_of(sizes[name]), git=sizes[name].blob_id)
            for name in examine.wanted(sizes, shards, code)
            if name in sizes
        ]
        return Repository(id=id, revision=revision, card=catalog.with_family(card, self._cards), files=kept, asked=time.time())

    def _json(self, id: str, revision: str, name: str, size: int) -> dict[str, Any]:
        """A JSON file of a repository. Raises InputError where it is none, or too large to be one."""
        if size > MOST_TEXT:
            raise InputError("model.broken", model=id, file=name)
        url = hf_hub_url(id, name, revision=revision, endpoint=self.endpoint)
        response = get_session().get(url, headers=self._headers, timeout=SECONDS)
        hf_raise_for_status(response)
        try:
            content = response.json()
        except (ValueError, RecursionError) as error:
            raise InputError("model.broken", model=id, file=name) from error
        if not isinstance(content, dict):
            raise InputError("model.broken", model=id, file=name)
        return content

    def _shapes(self, id: str, revision: str, name: str) -> dict[str, list[int]]:
        """The tensors of a safetensors file by their shapes, from its header."""
        try:
            header = self._api.parse_safetensors_file_metadata(id, name, revision=revision, timeout=SECONDS)
            if sum(header.parameter_count.values()) < 1:
                raise ValueError(name)
            return {tensor: info.shape for tensor, info in header.tensors.items()}
        except (errors.SafetensorsParsingError, errors.NotASafetensorsRepoError, ValueError, KeyError, TypeError) as error:
            raise InputError("model.broken", model=id, file=name) from error

    def _other(self, id: str, info: ModelInfo | None = None) -> str:
        """A model of the catalog that does what this one would have done: of like size and language, and open."""
        size = re.search(r"(\d+(?:\.\d+)?)\s*b\b", id.lower().replace("_", "-"))
        parameters = info.safetensors.total if info and info.safetensors else float(size[1]) * 1e9 if size else 2e9
        italian = bool(info and "it" in _facts(info)["languages"]) or bool(re.search(r"ital|\bita\b|-it-", id.lower()))
        return catalog.like(self._cards, int(parameters), italian, instruct=bool(re.search(r"instruct|chat|-it\b", id.lower())))

    def _place(self, id: str) -> pathlib.Path | None:
        return None if self._cache is None else self._cache / f"{folder_name(id, self._pin(id))}.json"

    def _pin(self, id: str) -> RemoteCode | None:
        return self._pinned if self._pinned and self._pinned.id == id else None

    def _keep(self, found: Repository) -> None:
        place = self._place(found.id)
        if place is not None:
            place.parent.mkdir(parents=True, exist_ok=True)
            files.write(place, found.model_dump_json(by_alias=True))


class DownloadMeter:
    """What http_get takes for a progress bar."""

    def __init__(self, progress: Callable[[int], None], **words: Any) -> None:
        self._progress = progress

    def update(self, count: int) -> None:
        self._progress(count)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return None


def sha256_of(file: RepoSibling) -> str | None:
    return str(file.lfs["sha256"]) if file.lfs else None


def _facts(info: ModelInfo) -> dict[str, Any]:
    """License and languages, from the model card and the tags."""
    tags = [str(tag) for tag in info.tags or []]
    said: Any = info.card_data or {}
    spoken = said.get("language") or []
    languages = [spoken] if isinstance(spoken, str) else [word for word in spoken if isinstance(word, str)]
    license = next((tag.partition(":")[2] for tag in tags if tag.startswith("license:")), said.get("license"))
    return {"license": str(license or "unknown")[:60], "languages": [word[:20] for word in languages[:40]]}


def _refused(id: str, response: httpx2.Response, page: str, other: str) -> InputError:
    status = response.status_code
    if status == 404:
        return InputError("model.missing", model=id, page=page, other=other)
    if status in (401, 403):
        return InputError("model.private", model=id, page=page, other=other)
    if status == 429:
        after = response.headers.get("Retry-After", "")
        return InputError("model.hub_busy", model=id, seconds=int(after) if after.isdigit() else 60)
    return InputError("model.hub_down" if status >= 500 else "model.hub_answer", model=id, status=status)
