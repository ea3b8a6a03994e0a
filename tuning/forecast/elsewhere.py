"""What rsLoRA, DoRA and a quantized base mean for an adapter outside: which programs apply it, and as it was trained.

It is said where they are chosen, as notices of the plan. How an adapter is written for others is the business of `export`.
"""

from tuning.schema import Notice, TrainSettings


def told(settings: TrainSettings) -> list[Notice]:
    """A notice for each setting that matters to who serves the adapter. A model that is trained as a whole has no adapter."""
    if settings.method == "full":
        return []
    chosen = {
        "plan.outside_rslora": bool(settings.lora.get("use_rslora")),
        "plan.outside_dora": bool(settings.lora.get("use_dora")),
        "plan.outside_quantized": settings.quantization != "none",
    }
    bits = {"nf4": 4, "int8": 8}.get(str(settings.quantization))
    params = {"plan.outside_quantized": {"bits": bits}}
    return [Notice(code=code, params=params.get(code, {})) for code, there in chosen.items() if there]
