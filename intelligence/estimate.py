"""What a plan will cost: memory from headers and family data, time from runs measured here or a stated guess.

Pure arithmetic; nothing is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..data import table
from ..data.families import Family, version_of
from ..plan import GIB, Constraints, Estimate, Kind, Machine, ModelFile, Offload, Precision, Settings, Stage, StageCost

MIB = 1024**2
# Bytes per weight by the registry's dtype names; what is not listed counts as 16 bit.
ELEMENT_BYTES = {"fp64": 8, "fp32": 4, "fp16": 2, "bf16": 2, "fp8_e4m3fn": 1, "fp8_e5m2": 1, "int8": 1, "uint8": 1}
FEW_STEPS = 12  # distilled models are run with 1–8 steps, most others with 20 and more
CLIP_TOKENS_AREA = 256  # pixels a transformer of the SD/Flux line turns into one token: 8×8 latent, 2×2 patches


@dataclass(frozen=True)
class Load:
    """The files a plan keeps in memory, in bytes as they lie there while in use. ``second_bytes`` is the refiner or the
    other half, ``second_encoder_bytes`` the refiner's own text encoder, ``lora_bytes`` the LoRA files, which stay in RAM as
    ``backup_bytes`` do: the originals of what they change."""

    diffusion_bytes: int
    encoder_bytes: int
    vae_bytes: int
    parameters: int = 0
    second_bytes: int = 0
    control_bytes: int = 0
    lora_bytes: int = 0
    backup_bytes: int = 0
    second_encoder_bytes: int = 0

    @property
    def weights_bytes(self) -> int:
        """All models, without what LoRAs add."""
        drawing = self.diffusion_bytes + self.second_bytes + self.control_bytes
        return drawing + self.encoder_bytes + self.second_encoder_bytes + self.vae_bytes


@dataclass(frozen=True)
class Holding:
    """Which models are on the device at a time. ``BALANCED`` is what ComfyUI does by itself: one stage makes room for the
    next. ``streams`` says that of weights which do not fit a part waits in RAM and is fetched at each step."""

    offload: Offload = Offload.BALANCED
    encoder_on_cpu: bool = False
    streams: bool = False


def load_of(
    model: ModelFile,
    machine: Machine,
    encoders: tuple[ModelFile, ...] = (),
    vae: ModelFile | None = None,
    loras: tuple[ModelFile, ...] = (),
    weight_dtype: Precision = Precision.DEFAULT,
    encoder_dtype: Precision = Precision.DEFAULT,
    second: ModelFile | None = None,
    controls: tuple[ModelFile, ...] = (),
) -> Load:
    """The weights of a plan by stage. Header sizes are scaled to the dtype ComfyUI holds them in: diffusion models in the
    one it computes in (``comfy/model_management.unet_dtype``; on a GPU 8-bit files stay 8-bit), text encoders in 16 bit
    everywhere (``text_encoder_dtype``), VAEs in 16 bit on a GPU (``vae_dtype``). A LoRA takes RAM alone: ComfyUI patches
    a weight where it lies and keeps its original (``model_patcher.patch_weight_to_device``). A second model that is a
    checkpoint (a refiner) is loaded as it is, with its own text encoder. Plans have no ControlNet (``controls``) yet."""
    refiner = second if second and second.kind is Kind.CHECKPOINT else None
    second_dtype = Precision.DEFAULT if refiner else weight_dtype
    diffusion = _diffusion_stored(model)
    held = _in_memory(diffusion, model, machine, weight_dtype)
    return Load(
        held,
        _encoders(model, encoders, encoder_dtype),
        _in_memory(vae.size_bytes if vae else model.part_bytes.get("vae", 0), vae or model, machine),
        model.parameters or diffusion // _stored(model),
        second_bytes=_in_memory(_diffusion_stored(second), second, machine, second_dtype) if second else 0,
        control_bytes=sum(_in_memory(file.size_bytes, file, machine) for file in controls),
        lora_bytes=sum(file.size_bytes for file in loras),
        backup_bytes=int(held * table("memory")["lora"]["patched_share"]) if loras else 0,
        second_encoder_bytes=_encoders(refiner, (), Precision.DEFAULT) if refiner else 0,
    )


def _diffusion_stored(model: ModelFile) -> int:
    beside = model.part_bytes.get("clip", 0) + model.part_bytes.get("vae", 0)
    return model.part_bytes.get("unet", 0) or max(0, model.size_bytes - beside)


def _stored(file: ModelFile) -> int:
    return ELEMENT_BYTES.get(file.dtype or "fp16", 2)


def _encoders(model: ModelFile, encoders: tuple[ModelFile, ...], precision: Precision) -> int:
    sizes = [(file.size_bytes, _stored(file)) for file in encoders] or [(model.part_bytes.get("clip", 0), _stored(model))]
    return sum(int(size / stored * (_cast(precision, stored, "encoder") or min(stored, 2))) for size, stored in sizes)


def _cast(precision: Precision, stored: int, part: str) -> float | None:
    """Bytes per weight of a part (a row of the table, by architecture) held in this form; ``None`` where nothing is cast:
    a file in 8 bits stays as it is. Not every weight of a model is put into 8 bits."""
    if precision is Precision.DEFAULT or stored == 1:
        return None
    shares = table("memory")["quantised"]
    eight = precision in (Precision.FP8, Precision.INT8)
    return 2 * float(shares.get(part, shares["default"])) if eight else ELEMENT_BYTES[precision.value]


def _in_memory(stored_bytes: int, file: ModelFile, machine: Machine, precision: Precision = Precision.DEFAULT) -> int:
    stored = _stored(file)
    used = _cast(precision, stored, file.architecture or "default")
    return int(stored_bytes / stored * (used or (min(stored, 2) if on_gpu(machine) else compute_bytes(machine))))


def compute_bytes(machine: Machine) -> int:
    """The element size ComfyUI computes in."""
    return machine.compute_bytes or (2 if on_gpu(machine) else 4)


def shares_ram(machine: Machine) -> bool:
    """Whether device and processor use the same memory, so that nothing is won by moving weights: on a CPU, and on a Mac
    (``VRAMState.SHARED``)."""
    return machine.device.split(":")[0] in ("cpu", "mps")


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
    lean = machine.device.split(":")[0] == "cuda" if machine.lean_attention is None else machine.lean_attention
    per_latent_pixel = compute_bytes(machine) * 0.01 if lean else 0.15
    return int(area * per_latent_pixel * family.memory_factor * MIB)


def decode_bytes(family: Family, settings: Settings, machine: Machine) -> int:
    """Working memory of the VAE decode (``comfy/sd.py`` memory_used_decode; AutoencoderKL: 2178 × 64 × element
    size per latent pixel of 8 × 8) for one picture: of a batch ComfyUI decodes as many at a time as there is room for.
    A tiled decode needs what one tile needs."""
    element = 2 if on_gpu(machine) else 4
    pixels = settings.width * settings.height
    if settings.tiled_decode:
        pixels = min(pixels, table("settings")["tile"]["side"] ** 2)
    return int(pixels * _decode_factor(family.architecture, machine.host_version) * element)


def _decode_factor(architecture: str, host: str) -> float:
    rows = table("settings")["decode"]
    if host != Machine().host_version and version_of(host) < version_of(rows["older"]["before"]):
        return float(rows["older"].get(architecture, rows["architecture"].get(architecture, rows["default"])))
    return float(rows["architecture"].get(architecture, rows["default"]))


def estimate(
    family: Family,
    settings: Settings,
    load: Load,
    machine: Machine,
    constraints: Constraints,
    holding: Holding = Holding(),
) -> Estimate:
    """Peak memory over the three stages, whether it fits the budget, what waits in RAM, and the time. Bytes and seconds
    for the whole batch."""
    budget, reserve, factor = budget_bytes(machine, constraints), reserve_bytes(), peak_factor(family, machine)
    room = int(budget / factor) - reserve if budget else None
    stages = stage_costs(family, settings, load, machine, holding, room)
    peak = round((max(stage.weights_bytes + stage.working_bytes for stage in stages) + reserve) * factor)
    seconds, measured = seconds_of(family, settings, load, machine)
    if seconds is not None and not measured:
        seconds = float(round(seconds + _fetching_seconds(stages, load, machine) * settings.steps))
    return Estimate(
        vram_bytes=peak,
        weights_bytes=load.weights_bytes,
        activations_bytes=activation_bytes(family, settings, machine),
        decode_bytes=decode_bytes(family, settings, machine),
        seconds=seconds,
        measured=measured,
        fits=peak <= budget if budget else None,
        ram_bytes=_ram_bytes(load, machine, stages, holding),
        stages=stages,
    )


def stage_costs(
    family: Family, settings: Settings, load: Load, machine: Machine, holding: Holding, room_bytes: int | None
) -> tuple[StageCost, ...]:
    """What each stage takes on the device; ``room_bytes`` is what weights and working memory may take there together,
    which is filled where weights are streamed."""
    working = {
        Stage.ENCODE: int(table("memory")["encode"]["working_bytes"]) if load.encoder_bytes else 0,
        Stage.SAMPLE: activation_bytes(family, settings, machine),
        Stage.DECODE: decode_bytes(family, settings, machine),
    }
    weights = _on_device(load, machine, holding)
    if holding.streams and room_bytes is not None and not shares_ram(machine):
        floor = int(table("memory")["streamed"]["floor_bytes"])
        for stage in (Stage.ENCODE, Stage.SAMPLE):
            weights[stage] = min(weights[stage], max(floor, room_bytes - working[stage]))
    return tuple(StageCost(stage, weights[stage], working[stage]) for stage in Stage)


def _on_device(load: Load, machine: Machine, holding: Holding) -> dict[Stage, int]:
    encoder = 0 if holding.encoder_on_cpu and not shares_ram(machine) else load.encoder_bytes
    if shares_ram(machine):
        return dict.fromkeys(Stage, load.weights_bytes + load.lora_bytes + load.backup_bytes)
    if holding.offload is Offload.NONE:
        return dict.fromkeys(Stage, load.weights_bytes - load.encoder_bytes + encoder)
    sample = max(load.diffusion_bytes, load.second_bytes) + load.control_bytes
    return {Stage.ENCODE: max(encoder, load.second_encoder_bytes), Stage.SAMPLE: sample, Stage.DECODE: load.vae_bytes}


def _ram_bytes(load: Load, machine: Machine, stages: tuple[StageCost, ...], holding: Holding) -> int:
    """What does not lie on the device while it samples, and what LoRAs keep in RAM. Where ComfyUI moves weights by itself
    they stay in their files, and their pages are given back when RAM is short."""
    if shares_ram(machine):
        return load.weights_bytes + load.lora_bytes + load.backup_bytes
    if machine.dynamic_vram:
        return load.lora_bytes
    sampling = next(stage.weights_bytes for stage in stages if stage.stage is Stage.SAMPLE)
    return max(0, load.weights_bytes - sampling) + load.lora_bytes + load.backup_bytes


def streamed_bytes(stages: tuple[StageCost, ...], load: Load) -> int:
    """Weights of the model that draws which are fetched from RAM at each step."""
    sampling = next((stage.weights_bytes for stage in stages if stage.stage is Stage.SAMPLE), 0)
    return max(0, max(load.diffusion_bytes, load.second_bytes) + load.control_bytes - sampling)


def _fetching_seconds(stages: tuple[StageCost, ...], load: Load, machine: Machine) -> float:
    rate = float(table("memory")["streamed"]["seconds_per_gib"])
    return 0.0 if shares_ram(machine) else streamed_bytes(stages, load) / GIB * rate


def reserve_bytes() -> int:
    """What ComfyUI keeps free for whatever it did not foresee."""
    return int(table("settings")["vram"]["reserve_bytes"])


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
