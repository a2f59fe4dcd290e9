"""What a plan will cost: memory from headers and family data, time from runs measured here or a stated guess.

Pure arithmetic; nothing is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..data import table
from ..data.families import Family
from ..plan import Constraints, Estimate, Machine, ModelFile, Precision, Settings

MIB = 1024**2
# Bytes per weight by the registry's dtype names; what is not listed counts as 16 bit.
ELEMENT_BYTES = {"fp64": 8, "fp32": 4, "fp16": 2, "bf16": 2, "fp8_e4m3fn": 1, "fp8_e5m2": 1, "int8": 1, "uint8": 1}
FEW_STEPS = 12  # distilled models are run with 1–8 steps, most others with 20 and more
CLIP_TOKENS_AREA = 256  # pixels a transformer of the SD/Flux line turns into one token: 8×8 latent, 2×2 patches


@dataclass(frozen=True)
class Load:
    """The files a plan keeps in memory, in bytes as they lie there while in use."""

    diffusion_bytes: int
    encoder_bytes: int
    vae_bytes: int
    parameters: int = 0


def load_of(
    model: ModelFile,
    machine: Machine,
    encoders: tuple[ModelFile, ...] = (),
    vae: ModelFile | None = None,
    loras: tuple[ModelFile, ...] = (),
    weight_dtype: Precision = Precision.DEFAULT,
) -> Load:
    """The weights of a plan by stage. Header sizes are scaled to the dtype ComfyUI computes in: 16 bit on a
    GPU (8-bit files stay 8-bit), 32 bit on a CPU (``comfy/model_management.unet_dtype``)."""
    element = ELEMENT_BYTES.get(weight_dtype.value)
    diffusion = model.part_bytes.get("unet", 0) or _remainder(model)
    parameters = diffusion // _stored(model)
    return Load(
        _in_memory(diffusion, model, machine, element) + sum(file.size_bytes for file in loras),
        sum(_in_memory(file.size_bytes, file, machine) for file in encoders)
        or _in_memory(model.part_bytes.get("clip", 0), model, machine),
        _in_memory(vae.size_bytes if vae else model.part_bytes.get("vae", 0), vae or model, machine),
        model.parameters or parameters,
    )


def weights_at_rest(model: ModelFile, machine: Machine) -> int:
    """Bytes of the diffusion model's weights in the dtype they are used in."""
    return load_of(model, machine).diffusion_bytes


def _remainder(model: ModelFile) -> int:
    return max(0, model.size_bytes - model.part_bytes.get("clip", 0) - model.part_bytes.get("vae", 0))


def _stored(file: ModelFile) -> int:
    return ELEMENT_BYTES.get(file.dtype or "fp16", 2)


def _in_memory(stored_bytes: int, file: ModelFile, machine: Machine, element: int | None = None) -> int:
    stored = _stored(file)
    used = element or (min(stored, 2) if on_gpu(machine) else 4)
    return stored_bytes * used // stored


def on_gpu(machine: Machine) -> bool:
    return machine.device.split(":")[0] != "cpu"


def budget_bytes(machine: Machine, constraints: Constraints) -> int:
    """Memory a plan may use: the machine's, or the person's limit where that is lower; 0 = unknown. On a CPU
    ``vram_bytes`` is the RAM with our own models counted as free, so it stays the same while one is loaded."""
    there = machine.vram_bytes if on_gpu(machine) else machine.vram_bytes or machine.ram_bytes
    limit = constraints.max_vram_bytes
    if limit is None:
        return there
    return min(there, limit) if there else limit


# --------------------------------------------------------------------------- memory


def activation_bytes(family: Family, settings: Settings, machine: Machine) -> int:
    """Working memory of one sampling step.

    ``comfy/model_base.py`` BaseModel.memory_required: ``area * dtype_size * 0.01 * memory_usage_factor`` MiB
    with memory-efficient attention, ``area * 0.15 * memory_usage_factor`` MiB without; area = latent pixels
    of the whole batch, twice where the negative prompt runs beside the positive one.
    """
    side = family.latent_scale
    area = settings.batch * _passes(settings) * (settings.width // side) * (settings.height // side)
    per_latent_pixel = 2 * 0.01 if machine.device.split(":")[0] == "cuda" else 0.15
    return int(area * per_latent_pixel * family.memory_factor * MIB)


def decode_bytes(family: Family, settings: Settings, machine: Machine) -> int:
    """Working memory of the VAE decode (``comfy/sd.py`` memory_used_decode; AutoencoderKL: 2178 × 64 × element
    size per latent pixel of 8 × 8). A tiled decode needs what one tile needs."""
    rows = table("settings")
    factor = rows["decode"]["architecture"].get(family.architecture, rows["decode"]["default"])
    element = 2 if on_gpu(machine) else 4
    pixels = settings.width * settings.height * settings.batch
    if settings.tiled_decode:
        pixels = min(pixels, rows["tile"]["side"] ** 2)
    return int(pixels * factor * element)


def estimate(family: Family, settings: Settings, load: Load, machine: Machine, constraints: Constraints) -> Estimate:
    """Peak memory over the three stages (encode, sample, decode: ComfyUI frees one for the next), whether it
    fits the budget, and the time. Bytes and seconds for the whole batch."""
    activations = activation_bytes(family, settings, machine)
    decode = decode_bytes(family, settings, machine)
    stages = (load.encoder_bytes, load.diffusion_bytes + activations, load.vae_bytes + decode)
    peak = round((max(stages) + int(table("settings")["vram"]["reserve_bytes"])) * peak_factor(family, machine))
    budget = budget_bytes(machine, constraints)
    seconds, measured = seconds_of(family, settings, load, machine)
    return Estimate(
        vram_bytes=peak,
        weights_bytes=load.encoder_bytes + load.diffusion_bytes + load.vae_bytes,
        activations_bytes=activations,
        decode_bytes=decode,
        seconds=seconds,
        measured=measured,
        fits=peak <= budget if budget else None,
    )


def peak_factor(family: Family, machine: Machine) -> float:
    """What peaks measured here say the estimate has to be multiplied by, within bounds: 1 where nothing was measured."""
    bounds = table("learning")["peak"]
    return float(min(bounds["most"], max(bounds["least"], machine.peak_factors.get(family.id, 1.0))))


# --------------------------------------------------------------------------- time


def timing_key(family: str, settings: Settings) -> str:
    """The key of ``Machine.seconds_per_step`` a run belongs to: ``workload@megapixels`` of the whole batch, with two
    significant digits. A workload is the family with what makes its steps comparable: the passes of each step (CFG
    above 1 runs the negative prompt, too) and whether they are so few that loading and encoding outweigh them."""
    return f"{_workload(family, settings, settings.steps <= FEW_STEPS)}@{_megapixels(settings):.2g}"


def _workload(family: str, settings: Settings, few: bool) -> str:
    return f"{family}/{_passes(settings)}{'-few' if few else ''}"


def _passes(settings: Settings) -> int:
    return 2 if settings.cfg > 1 else 1


def _megapixels(settings: Settings) -> float:
    return settings.width * settings.height * settings.batch / 1e6


def seconds_of(family: Family, settings: Settings, load: Load, machine: Machine) -> tuple[float | None, bool]:
    """Seconds of the whole run and whether they rest on runs measured here (for the nearest size of the same
    family, scaled by pixels); ``None`` when not even the size of the model is known."""
    rows = table("settings")
    per_step = _measured_step(family, settings, machine.seconds_per_step)
    if per_step is not None:
        return round(per_step * settings.steps, 1), True
    if not load.parameters:
        return None, False
    device = machine.device.split(":")[0]
    rate = rows["throughput"].get(device, rows["throughput"]["default"]) * 1e12
    tokens = settings.width * settings.height / CLIP_TOKENS_AREA
    step = 2 * load.parameters * tokens * _passes(settings) / rate
    return float(round(step * settings.steps * settings.batch + rows["overhead"]["seconds"])), False


def _measured_step(family: Family, settings: Settings, measured: Mapping[str, float]) -> float | None:
    """Seconds a step of runs of the same workload; a plan of few steps may go by long runs, never the reverse."""
    exact = measured.get(timing_key(family.id, settings))
    if exact is not None:
        return exact
    wanted = [_workload(family.id, settings, few) for few in (True, False) if not few or settings.steps <= FEW_STEPS]
    megapixels = max(_megapixels(settings), 0.01)
    for workload in wanted:
        keys = [key.rpartition("@") for key in measured]
        sizes = {float(size): measured[f"{name}@{size}"] for name, _, size in keys if name == workload and _positive(size)}
        if sizes:
            nearest = min(sizes, key=lambda size: abs(size - megapixels))
            return sizes[nearest] * megapixels / nearest
    return None


def _positive(text: str) -> bool:
    try:
        return float(text) > 0
    except ValueError:
        return False
