"""Wheels for speed are found by their files, with their versions, and never imported."""

import pathlib
import sys

import pytest

from tuning.machine import wheels


def wheel(folder: pathlib.Path, module: str, package: str, version: str) -> None:
    """An installed package that must not be imported."""
    (folder / module).mkdir(exist_ok=True)
    (folder / module / "__init__.py").write_text("raise RuntimeError('imported')", encoding="utf-8")
    described = folder / f"{package.replace('-', '_')}-{version}.dist-info"
    described.mkdir()
    (described / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n", encoding="utf-8")


@pytest.fixture(autouse=True)
def folder(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_what_is_installed_is_found_with_its_version(folder: pathlib.Path) -> None:
    assert wheels.installed() == {}
    wheel(folder, "flash_attn", "flash-attn", "2.8.3.post1")
    wheel(folder, "liger_kernel", "liger-kernel", "0.8.5")
    wheel(folder, "triton", "triton", "3.7.0")
    assert wheels.installed() == {"flash_attn": "2.8.3.post1", "liger_kernel": "0.8.5"}
    assert not {"flash_attn", "liger_kernel"} & set(sys.modules)


@pytest.mark.parametrize(
    ("module", "package", "version"),
    [
        ("flash_attn", "flash-attn", "2.3.2"),  # older than transformers takes
        ("flash_attn", "flash-attn-4", "4.0.0"),  # another one under the same name
        ("liger_kernel", "liger-kernel", "0.5.10"),  # its functions take other arguments
        ("liger_kernel", "liger-kernel", "0.8.5"),  # without Triton
        ("kernels", "kernels", "0.12.0"),  # what downloads code is no wheel for speed
    ],
)
def test_what_does_not_fit_is_not_there(folder: pathlib.Path, module: str, package: str, version: str) -> None:
    wheel(folder, module, package, version)
    assert wheels.installed() == {}
