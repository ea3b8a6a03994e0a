"""llama.cpp's server out of the wheel xllamacpp, behind the words of llama-server that an export uses."""

import argparse
import os
import sys
import time
from importlib import metadata

import xllamacpp  # type: ignore[import-not-found]


def main() -> None:
    """Serve one file until it is ended."""
    if sys.argv[1:] == ["--version"]:
        sys.stderr.write(f"version: {metadata.version('xllamacpp')} (xllamacpp)\n")
        return
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for option in ("model", "host", "alias", "device"):
        parser.add_argument(f"--{option}")
    for option in ("port", "ctx-size", "parallel", "n-gpu-layers"):
        parser.add_argument(f"--{option}", type=int)
    parser.add_argument("--jinja", action="store_true")
    given, params = parser.parse_args(), xllamacpp.CommonParams()
    params.model.path, params.hostnames, params.port, params.model_alias = given.model, [given.host], given.port, {given.alias}
    params.n_ctx, params.n_parallel, params.n_gpu_layers, params.use_jinja = given.ctx_size, given.parallel, given.n_gpu_layers, given.jinja
    params.api_keys = [os.environ["LLAMA_API_KEY"]]
    running = xllamacpp.Server(params)
    sys.stderr.write(f"{running.listening_address}\n")
    time.sleep(3600)


main()
