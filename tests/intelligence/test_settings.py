import pytest
from pack.data import table
from pack.data.families import distillations, families
from pack.errors import BadRequest
from pack.intelligence.samplers import label_of
from pack.intelligence.settings import Situation, choose_settings
from pack.plan import Analysis, Complexity, Constraints, Fixed, Level, Machine, Mode, Priority, Request
from pack.tests.shelf import gpu

LEVELS = {Level.SIMPLE: 0.1, Level.MODERATE: 0.3, Level.COMPLEX: 0.6}


def decided(family="sdxl", style="none", level=Level.COMPLEX, total=None, machine=None, distillation=None, by="", **asked):
    complexity = Complexity(level, LEVELS[level] if total is None else total)
    analysis = Analysis("x", "x", style=style, complexity=complexity)
    rows = distillations()
    case = Situation(Request("x", **asked), analysis, families()[family], machine or gpu(), rows.get(distillation or ""), by)
    return choose_settings(case)


def settings(*arguments, **asked):
    return decided(*arguments, **asked)[0]


@pytest.mark.parametrize("family", ["sd15", "sdxl"])
@pytest.mark.parametrize(("level", "low", "high"), [(Level.SIMPLE, 20, 30), (Level.MODERATE, 30, 40), (Level.COMPLEX, 40, 50)])
def test_complexity_picks_the_band_and_its_total_the_place_inside(family, level, low, high):
    places = [settings(family, level=level, total=total / 100).steps for total in range(0, 101, 5)]
    assert places == sorted(places) and set(places) <= set(range(low, high + 1))
    assert settings(family, level=level, priority=Priority.SPEED).steps == low


def test_forty_is_the_start_of_complex():
    from pack.intelligence.rules_complexity import COMPLEX_FROM

    assert settings(total=COMPLEX_FROM).steps == 40
    assert settings(total=1.0).steps == 50


@pytest.mark.parametrize(("style", "low", "high"), [("anime", 5, 8), ("photo", 8, 12), ("oil_painting", 7, 10)])
def test_cfg_stays_in_the_range_of_the_style(style, low, high):
    by_priority = {priority: settings(style=style, priority=priority).cfg for priority in Priority}
    assert all(low <= cfg <= high for cfg in by_priority.values())
    assert by_priority[Priority.SPEED] < by_priority[Priority.BALANCED] < by_priority[Priority.QUALITY]
    assert (style, by_priority[Priority.QUALITY]) in (("anime", 7.5), ("photo", 11.0), ("oil_painting", 9.5))


def test_first_systems_rules_never_leak_onto_other_families():
    for name, family in families().items():
        if family.complexity_steps:
            continue
        simple, complex_ = settings(name, level=Level.SIMPLE), settings(name, level=Level.COMPLEX)
        assert simple.steps == complex_.steps == family.steps[Priority.BALANCED], name
        low, high = family.cfg["default"]
        value = simple.guidance if family.guidance else simple.cfg
        assert min(low, *(r[0] for r in family.cfg.values())) <= value <= max(high, *(r[1] for r in family.cfg.values())), name


def test_speed_and_quality_choose_the_first_systems_samplers():
    fast, good = settings(priority=Priority.SPEED), settings(priority=Priority.QUALITY)
    assert fast.sampler == "euler_ancestral"
    assert (good.sampler, good.scheduler) == ("dpmpp_2m", "karras")


def test_guidance_replaces_cfg_where_the_family_takes_it():
    made = settings("flux_dev", style="photo")
    assert made.cfg == 1 and 2 <= made.guidance <= 3
    assert settings("sdxl").guidance is None


@pytest.mark.parametrize("name", sorted(distillations()))
def test_distillation_changes_steps_cfg_and_sampler_together(name):
    row = distillations()[name]
    made = settings(distillation=name, priority=Priority.QUALITY)
    assert (made.steps, made.cfg, made.sampler, made.scheduler) == (row.steps[0], row.cfg, row.sampler, row.scheduler)
    if row.shift is not None:
        assert made.shift == row.shift


@pytest.mark.parametrize(
    ("file", "steps"), [("sdxl_lightning_8step_lora", 8), ("Hyper-SDXL-1step", 1), ("x_2-steps", 2), ("lightning", 4)]
)
def test_steps_of_a_distillation_follow_its_file_name(file, steps):
    assert settings(distillation="lightning", by=file).steps == steps


@pytest.mark.parametrize(
    ("spelled", "found"), [("Euler a", "euler_ancestral"), ("DPM++ 2M", "dpmpp_2m"), ("EULER", "euler"), ("uni_pc", "uni_pc")]
)
def test_samplers_answer_to_the_names_people_use(spelled, found):
    assert settings(fixed=Fixed(sampler=spelled)).sampler == found


@pytest.mark.parametrize(
    ("spelled", "sampler", "scheduler"),
    [
        ("DPM++ 2M Karras", "dpmpp_2m", "karras"),
        ("dpmpp_2m_karras", "dpmpp_2m", "karras"),
        ("DPM++ 2M SDE GPU Exponential", "dpmpp_2m_sde_gpu", "exponential"),
        ("Euler a SGM Uniform", "euler_ancestral", "sgm_uniform"),
        ("Euler Automatic", "euler", "normal"),
    ],
)
@pytest.mark.parametrize("machine", [gpu(), Machine()])
def test_a_samplers_name_may_bring_its_scheduler(spelled, sampler, scheduler, machine):
    made = settings(fixed=Fixed(sampler=spelled), machine=machine)
    assert (made.sampler, made.scheduler) == (sampler, scheduler)
    made = settings(fixed=Fixed(sampler=spelled, scheduler="beta"), machine=machine)
    assert (made.sampler, made.scheduler) == (sampler, "beta")


@pytest.mark.parametrize("sampler", sorted(table("samplers")["sampler"]))
@pytest.mark.parametrize("scheduler", sorted(table("samplers")["scheduler"]))
def test_every_label_written_into_a_picture_is_understood(sampler, scheduler):
    everything = gpu(samplers=tuple(table("samplers")["sampler"]), schedulers=tuple(table("samplers")["scheduler"]))
    label = f"{label_of('sampler', sampler)} {label_of('scheduler', scheduler)}"
    made = settings(fixed=Fixed(sampler=label), machine=everything)
    assert (made.sampler, made.scheduler) == (sampler, scheduler)


@pytest.mark.parametrize("family", ["sdxl", "flux_dev"])
def test_style_and_priority_do_not_decide_cfg_in_manual_mode(family):
    styles = [settings(family, style=style, mode=Mode.MANUAL) for style in ("none", "anime", "photo", "oil_painting")]
    assert len({(made.cfg, made.guidance) for made in styles}) == 1


def test_unknown_sampler_and_scheduler_name_near_ones():
    with pytest.raises(BadRequest, match="dpmpp_2m"):
        settings(fixed=Fixed(sampler="dpmp_2m"))
    with pytest.raises(BadRequest, match="karras"):
        settings(fixed=Fixed(scheduler="karas"))
    assert settings(fixed=Fixed(sampler="my_own"), machine=Machine()).sampler == "my_own"


def test_a_sampler_the_machine_lacks_is_replaced_with_a_reason():
    made, reasons, _ = decided(machine=gpu(samplers=("euler", "euler_ancestral"), schedulers=("normal",)))
    assert (made.sampler, made.scheduler) == ("euler_ancestral", "normal")
    assert {"sampler.absent", "scheduler.absent"} <= {reason.key for reason in reasons}


def test_step_limit_is_obeyed_and_told():
    made, reasons, _ = decided(constraints=Constraints(max_steps=12))
    assert made.steps == 12 and "steps.limited" in {reason.key for reason in reasons}
    assert settings(constraints=Constraints(max_steps=12), fixed=Fixed(steps=30)).steps == 30


def test_every_reason_of_a_setting_names_the_default_beside_it():
    for family in families():
        _, reasons, _ = decided(family, fixed=Fixed(clip_skip=2))
        for reason in reasons:
            assert "default" in reason.values or reason.key in ("cfg.practice",), reason


def test_the_explanation_says_where_community_practice_is_lower():
    assert "cfg.practice" in {reason.key for reason in decided("sdxl", style="photo")[1]}
    assert "cfg.practice" not in {reason.key for reason in decided("illustrious", style="anime")[1]}


def test_clip_skip_and_shift_come_from_the_family():
    assert settings("pony").clip_skip == 2
    assert settings("qwen_image").clip_skip is None and settings("qwen_image").shift == 3.1
    assert settings("qwen_image", fixed=Fixed(shift=2.0)).shift == 2.0


def test_manual_takes_the_familys_own_steps():
    assert settings(mode=Mode.MANUAL).steps == families()["sdxl"].steps[Priority.BALANCED]
