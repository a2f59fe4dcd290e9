import pytest
from pack.graph.parameters import parameters_text, sampler_label
from pack.intelligence.analyze import analyze
from pack.pipeline import make_plan
from pack.plan import Fixed, Request, Settings, Taste
from pack.tests.shelf import LORAS, checkpoint, gpu, library


def text_of(prompt="portrait of a woman", **asked):
    plan = make_plan(Request(prompt, **asked), analyze(prompt), library(checkpoint(), *LORAS), Taste(), gpu())
    return parameters_text(plan, 7)


def test_the_block_has_prompt_negative_and_settings():
    lines = text_of("a train <lora:steam_locomotive:0.6>").splitlines()
    assert lines[0].endswith("<lora:steam_locomotive:0.6>") and lines[1].startswith("Negative prompt: ")
    assert "Sampler: DPM++ 2M Karras" in lines[2] and "Seed: 7" in lines[2] and "Model: sd_xl_base_1.0" in lines[2]


def test_the_size_is_written_only_where_it_is_known():
    assert "Size: 896x1152" in text_of()
    assert "Size:" not in text_of(has_image=True)
    assert "Size: 768x512" in text_of(has_image=True, fixed=Fixed(width=768, height=512))


@pytest.mark.parametrize(
    ("sampler", "scheduler", "label"),
    [
        ("dpmpp_2m", "karras", "DPM++ 2M Karras"),
        ("euler_ancestral", "normal", "Euler a"),
        ("dpmpp_2m_sde_gpu", "sgm_uniform", "DPM++ 2M SDE SGM Uniform"),
        ("my_own", "my_schedule", "my_own"),
    ],
)
def test_samplers_are_spelled_as_other_programs_do(sampler, scheduler, label):
    assert sampler_label(Settings(20, 7.0, sampler, scheduler, 512, 512)) == label
