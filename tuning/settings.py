"""The only reader of the environment: where things are kept, and how open this process may be.

It decides nothing about models or training, and it never writes.
"""

import contextlib
import importlib.util
import os
import pathlib
import re
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from typing import Literal

from tuning.errors import InputError

Mode = Literal["local", "shared", "space"]
STRICTNESS: dict[Mode, int] = {"local": 0, "shared": 1, "space": 2}

ROOT = pathlib.Path(__file__).resolve().parent.parent  # where children find the package: the checkout, or site-packages
INSTALLED = ROOT / "tuning_presets"  # where a wheel puts presets/: `presets` would be anybody's name in site-packages
PRESETS = INSTALLED if INSTALLED.is_dir() else ROOT / "presets"
REPO = re.compile(r"\w[\w.-]{0,95}/\w[\w.-]{0,95}", re.ASCII)
PINNED = re.compile(r"(\w[\w.-]{0,95}/\w[\w.-]{0,95})@([0-9a-f]{40})", re.ASCII)
CUDA_ORDER = "PCI_BUS_ID"  # in which CUDA numbers the cards: as the driver and nvidia-smi do
SHARING = ("ACCELERATE_USE_FSDP", "ACCELERATE_USE_DEEPSPEED")  # by which accelerate launch says that it wants a model in shares
VOLUME = "/data"  # where a Space has its storage, if it has any
OAUTH = ("OAUTH_CLIENT_ID", "OAUTH_CLIENT_SECRET", "OAUTH_SCOPES", "OPENID_PROVIDER_URL")  # which `hf_oauth: true` in README brings
SIGNING_IN = ("authlib", "itsdangerous")  # as the extra `oauth` of Gradio names them
_INDEX = ("http_proxy", "https_proxy", "no_proxy", "all_proxy", "ssl_cert_file", "home", "userprofile", "localappdata")
_CHILD = ("PATH", "SYSTEMROOT", "LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "TMPDIR", "TEMP", "TMP", "APPDATA")

# What each library that may be here is told so that it reports to nobody; a tracker that somebody chooses works all the same.
SILENT = {
    "DO_NOT_TRACK": "1",  # https://donottrack.sh: huggingface_hub, mlflow, vllm and others
    "DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",  # also transformers and trl, which report each training
    "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    "HF_UPDATE_DOWNLOAD_COUNTS": "0",
    "DISABLE_SAFETENSORS_CONVERSION": "1",  # transformers would ask the Hub's converter for weights in the other format
    "GRADIO_ANALYTICS_ENABLED": "False",
    "WANDB_ERROR_REPORTING": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "RAY_USAGE_STATS_ENABLED": "0",
    "VLLM_NO_USAGE_STATS": "1",
}


@dataclass(frozen=True)
class RemoteCode:
    """The one model of the Hub that may run code of its own here, at one commit of its repository."""

    id: str
    revision: str  # a full hash: a branch or a tag could be another one tomorrow


@dataclass(frozen=True)
class Mirror:
    """Where the runs of this home are kept beside it: a private repository of the Hub, and the token that may write it."""

    repo: str  # owner/name
    token: str = field(repr=False)


@dataclass(frozen=True)
class Space:
    """What a Hugging Face Space says of itself: the names of its page, and what it has."""

    id: str = ""  # owner/name
    hosts: tuple[str, ...] = ()
    creator: str = ""  # whose Space it is: the number of an account of the Hub
    oauth: bool = False  # one can sign in with an account of the Hub
    lacks: tuple[str, ...] = ()  # packages without which one cannot, though the Space has it switched on
    zero_gpu: bool = False  # cards are lent for seconds
    kept: bool = False  # the home folder outlives a restart


@dataclass(frozen=True)
class Settings:
    """What the environment and the platform say, read once. `token` is kept out of every printed form."""

    home: pathlib.Path
    mode: Mode = "local"
    no_mode: str | None = None  # what TUNING_MODE says, where that is none: see `require_mode`
    operators: tuple[str, ...] = ()  # log-ins that see everybody's runs, beside the terminal
    common: str | None = None  # a log-in that many share, under names of their own
    presets: pathlib.Path = PRESETS
    endpoint: str = "https://huggingface.co"
    offline: bool = False
    hub_cache: pathlib.Path = pathlib.Path(os.devnull)  # huggingface_hub's own, which other programs fill; it is only read
    cuda_visible_devices: str | None = None
    cuda_device_order: str = CUDA_ORDER
    rank: int = 0  # of the processes that a launcher has started, which this one is
    local_rank: int = 0  # the same on this machine
    world_size: int = 1
    local_world_size: int = 1  # of them on this machine
    shared_by: str | None = None  # how a launcher wants the model in shares: FSDP, ZeRO-2, ZeRO-3
    offloads: bool = False  # whether it wants some of it in main memory, or says so in a file of its own
    display: bool = True  # whether a browser could be opened here
    token: str | None = field(default=None, repr=False)
    remote_code: RemoteCode | None = None  # only ever by `allowing`
    space: Space | None = None  # off a Space there is none, whatever the mode is called
    mirror: Mirror | None = None  # its token is used for nothing else


def read(environ: Mapping[str, str] | None = None, home: str | None = None) -> Settings:
    """Settings of this process. `home`, where given, stands above `TUNING_HOME`."""
    env = os.environ if environ is None else environ
    implied: Mode = "space" if env.get("SYSTEM") == "spaces" or env.get("SPACE_ID") else "local"
    asked = env.get("TUNING_MODE", "")
    mode: Mode = implied
    for candidate in STRICTNESS:
        if asked == candidate and STRICTNESS[candidate] > STRICTNESS[implied]:
            mode = candidate
    space = env.get("SYSTEM") == "spaces" and bool(env.get("SPACE_ID"))  # as Gradio tells it
    mounted = os.path.join(VOLUME, "sartoria") if space and os.path.isdir(VOLUME) and os.access(VOLUME, os.W_OK) else None
    chosen = pathlib.Path(home or env.get("TUNING_HOME") or mounted or default_home(env)).expanduser().absolute()
    return Settings(
        home=chosen,
        mode=mode,
        no_mode=None if asked in ("", *STRICTNESS) else asked,
        endpoint=env.get("HF_ENDPOINT", Settings.endpoint),
        offline=env.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"},
        hub_cache=_hub_cache(env),
        cuda_visible_devices=visible_cards(env)[0],
        cuda_device_order=visible_cards(env)[1],
        rank=int(env.get("RANK") or 0),
        local_rank=int(env.get("LOCAL_RANK") or 0),
        world_size=int(env.get("WORLD_SIZE") or 1),
        local_world_size=int(env.get("LOCAL_WORLD_SIZE") or 1),
        shared_by=_shared_by(env),
        offloads=_offloads(env),
        display=sys.platform in ("win32", "darwin") or bool(env.get("DISPLAY") or env.get("WAYLAND_DISPLAY")),
        token=None if mode == "space" else env.get("HF_TOKEN") or None,  # there it is the Space's, and visitors come in
        space=_space(env, chosen) if space else None,
        mirror=Mirror(env["TUNING_MIRROR"], env.get("HF_TOKEN", "")) if env.get("TUNING_MIRROR") else None,
    )


def _shared_by(env: Mapping[str, str]) -> str | None:
    fsdp, deepspeed = (env.get(key, "").lower() == "true" for key in SHARING)
    return "FSDP" if fsdp else f"ZeRO-{env.get('ACCELERATE_DEEPSPEED_ZERO_STAGE', '')}" if deepspeed else None


def _offloads(env: Mapping[str, str]) -> bool:
    places = [env.get(f"ACCELERATE_DEEPSPEED_OFFLOAD_{what}_DEVICE", "none").lower() for what in ("OPTIMIZER", "PARAM")]
    own_file = bool(env.get("ACCELERATE_DEEPSPEED_CONFIG_FILE"))
    return own_file or env.get("FSDP_OFFLOAD_PARAMS", "").lower() == "true" or any(place not in ("", "none") for place in places)


def keep_shares(environ: MutableMapping[str, str] | None = None) -> None:
    """Let the libraries know nothing of a launcher's wish for shares, once it has been read: they would share out the adapter, too."""
    env = os.environ if environ is None else environ
    for key in SHARING:
        env.pop(key, None)


def _space(env: Mapping[str, str], home: pathlib.Path) -> Space:
    """What the environment of a Space says of it."""
    wanted = all(env.get(name) for name in OAUTH)
    lacks = tuple(name for name in SIGNING_IN if wanted and importlib.util.find_spec(name) is None)
    return Space(
        id=env["SPACE_ID"],
        hosts=tuple(host.strip().lower() for host in env.get("SPACE_HOST", "").split(",") if host.strip()),
        creator=env.get("SPACE_CREATOR_USER_ID", ""),
        oauth=wanted and not lacks,
        lacks=lacks,
        zero_gpu=env.get("SPACES_ZERO_GPU", "").lower() in {"1", "true"},
        kept=any(os.path.ismount(folder) for folder in (home, *home.parents[:-1])),
    )


def opened(settings: Settings, operators: tuple[str, ...], common: str | None = None) -> Settings:
    """The settings of a machine into which others come with log-ins; a stricter mode stays. Nothing is done with a token of its own."""
    mode: Mode = max(settings.mode, "shared", key=STRICTNESS.__getitem__)
    return replace(settings, mode=mode, operators=operators, common=common, token=None, remote_code=None)


def allowing(settings: Settings, pinned: str, environ: MutableMapping[str, str] | None = None) -> Settings:
    """The settings of a machine whose owner allows one model to run its code: `owner/name@` and a full commit hash.

    The one place where that is decided, for the command line alone. Transformers keeps the copy of the code that it imports in the
    home folder; to be called before it is loaded. Raises InputError for another form, and where others may come in.
    """
    if settings.mode != "local":
        raise InputError("code.mode", option=f"TUNING_MODE={settings.mode}")
    found = PINNED.fullmatch(pinned)
    if found is None:
        raise InputError("code.pinned", given=pinned[:120])
    env = os.environ if environ is None else environ
    env["HF_MODULES_CACHE"] = str(settings.home / "models" / ".code")
    return replace(settings, remote_code=RemoteCode(found[1], found[2]))


def require_mode(settings: Settings) -> None:
    """Raises InputError for a mode that is none: a word that was mistyped would leave the machine as open as before."""
    if settings.no_mode is not None:
        raise InputError("settings.mode", given=settings.no_mode[:40], modes=", ".join(STRICTNESS))


def require_mirror(settings: Settings) -> None:
    """Raises InputError where a mirror is configured that could not be one, or would give somebody's runs to another.

    Names that a class types are kept in the home alone: after a restart they would be anybody's to take.
    """
    if settings.mirror is None:
        return
    if not REPO.fullmatch(settings.mirror.repo) or ".." in settings.mirror.repo:
        raise InputError("mirror.name", given=settings.mirror.repo[:120])
    if not settings.mirror.token:
        raise InputError("mirror.no_token")
    if settings.offline:
        raise InputError("mirror.offline")
    if settings.common is not None:
        raise InputError("mirror.open_class")


def default_home(env: Mapping[str, str]) -> pathlib.Path:
    """The platform's folder for a user's data: %LOCALAPPDATA%, ~/Library/Application Support or $XDG_DATA_HOME."""
    user = pathlib.Path.home()
    if sys.platform == "win32":
        return pathlib.Path(env.get("LOCALAPPDATA") or user / "AppData" / "Local") / "sartoria"
    if sys.platform == "darwin":
        return user / "Library" / "Application Support" / "sartoria"
    return pathlib.Path(env.get("XDG_DATA_HOME") or user / ".local" / "share") / "sartoria"


def _hub_cache(env: Mapping[str, str]) -> pathlib.Path:
    """Where huggingface_hub has its cache, without its import."""
    user = env.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    base = env.get("HF_HOME") or os.path.join(user, "huggingface")
    chosen = env.get("HF_HUB_CACHE") or env.get("HUGGINGFACE_HUB_CACHE") or os.path.join(base, "hub")
    return pathlib.Path(os.path.expandvars(os.path.expanduser(chosen))).absolute()


def child_environment(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a child process may know: enough for Python to start, and nothing that could hold a secret."""
    env = os.environ if environ is None else environ
    return {key: env[key] for key in _CHILD if key in env}


def launcher_environment() -> dict[str, str]:
    """What the processes of a training that this one launches may know: all but the token of the Hub, which they have no use for."""
    return {key: value for key, value in os.environ.items() if key != "HF_TOKEN"}


def index_environment() -> dict[str, str]:
    """What pip is to know beside that: how this machine reaches its index of packages, and where its settings and cache are."""
    return {key: value for key, value in os.environ.items() if key.upper().startswith("PIP_") or key.lower() in _INDEX}


def share_processor(environ: MutableMapping[str, str] | None = None) -> None:
    """Let OpenMP's threads sleep soon where they wait for each other; to be called before torch is loaded.

    By default they spin for milliseconds. Beside another busy process on the same cores (a browser will do) they train one and a
    half times as long then as with a thousand spins, some microseconds. Those that sleep at once are quicker still there, by a
    third for a small model, but on an idle machine they take half as long again (tests/bench/threads.py).
    """
    env = os.environ if environ is None else environ
    if "OMP_WAIT_POLICY" not in env:
        env["OMP_WAIT_POLICY"] = "PASSIVE"  # LLVM's library sleeps at once
        env.setdefault("GOMP_SPINCOUNT", "1000")  # GNU's, which PyTorch for Linux brings, heeds this first


def threads(environ: Mapping[str, str] | None = None) -> int | None:
    """With how many threads PyTorch was told to compute, by the variable that it heeds first; None where nobody told it."""
    env = os.environ if environ is None else environ
    told = (env.get(name, "").split(",")[0].strip() for name in ("MKL_NUM_THREADS", "OMP_NUM_THREADS"))
    return next((int(count) for count in told if count.isdecimal() and int(count)), None)


def spare_memory(environ: MutableMapping[str, str] | None = None) -> None:
    """Let oneDNN keep what it has compiled for 64 matrix products and not for 1,024; to be called before torch is loaded.

    Each takes half a megabyte, and packed rows bring another number of tokens every time: a fifth of what a step of 60 million
    parameters takes. With fewer than 64 a small model has to wait for the compiler.
    """
    env = os.environ if environ is None else environ
    env.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")
    env.setdefault("LRU_CACHE_CAPACITY", "64")  # of PyTorch's own descriptions of them


def spare_card(environ: MutableMapping[str, str] | None = None) -> None:
    """Let PyTorch grow its blocks on a card instead of keeping many that fit nothing; to be called before torch is loaded.

    Whoever has configured the allocator, by its name of today or by that of before, is left with that.
    """
    env = os.environ if environ is None else environ
    if sys.platform == "linux" and not {"PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF"} & set(env):  # elsewhere the option is not there
        env["PYTORCH_ALLOC_CONF"] = "expandable_segments:True"


def visible_cards(environ: Mapping[str, str] | None = None) -> tuple[str | None, str]:
    """Which cards CUDA shows this process, None for all, and in which order they are numbered there."""
    env = os.environ if environ is None else environ
    return env.get("CUDA_VISIBLE_DEVICES"), env.get("CUDA_DEVICE_ORDER") or CUDA_ORDER


def number_cards(environ: MutableMapping[str, str] | None = None) -> None:
    """Let CUDA number the cards by PCI bus, as the driver does, so that "cuda:1" is known before torch is loaded, which comes after.

    Its own default, FASTEST_FIRST, sorts by what is not published.
    """
    env = os.environ if environ is None else environ
    env.setdefault("CUDA_DEVICE_ORDER", CUDA_ORDER)


@contextlib.contextmanager
def kept_environment() -> Iterator[None]:
    """The environment is after this as it was before: libraries write their own switches into it, for everybody after them."""
    before = dict(os.environ)
    try:
        yield
    finally:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)


def keep_silent(environ: MutableMapping[str, str] | None = None) -> None:
    """Switch the telemetry of all libraries off, whatever it was; each room does so that imports one of those that have any.

    The Hub's library reads this once: where somebody has imported it before, it is told again.
    """
    (os.environ if environ is None else environ).update(SILENT)
    loaded = sys.modules.get("huggingface_hub.constants")
    if environ is None and loaded is not None:
        setattr(loaded, "HF_HUB_DISABLE_TELEMETRY", True)  # noqa: B010  a module has no such attribute by its type


def upload_to(folder: pathlib.Path, environ: MutableMapping[str, str] | None = None) -> None:
    """Have Gradio keep in `folder` what is uploaded, and what it hands out; by default it is one for all users of the machine."""
    env = os.environ if environ is None else environ
    env["GRADIO_TEMP_DIR"] = str(folder)
