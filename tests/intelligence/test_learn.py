import dataclasses
from dataclasses import replace

import pytest

np = pytest.importorskip("numpy")
from pack.data.families import families  # noqa: E402
from pack.errors import LANGUAGES  # noqa: E402
from pack.feedback import Action, Change, Glimpse, Made, Rating, Relation, Standing, Tally  # noqa: E402
from pack.intelligence.analyze import analyze  # noqa: E402
from pack.intelligence.explain import explain  # noqa: E402
from pack.intelligence.learn import changes_between, contexts_of, predicted, relate, rules, taste_of  # noqa: E402
from pack.pipeline import make_plan  # noqa: E402
from pack.plan import (  # noqa: E402
    Constraints,
    Fixed,
    Generation,
    Lean,
    Leaning,
    Liking,
    LoraUse,
    Mode,
    Request,
    Taste,
    Verbosity,
)
from pack.tests.ledger import Ledger  # noqa: E402
from pack.tests.shelf import LORAS, checkpoint, complete_set, gpu, library, lora  # noqa: E402

PROMPT = "watercolor of an old fisherman"
TWINS = tuple(
    lora(f"watercolor_{name}.safetensors", title="Watercolor", tags=("watercolor", "style"), downloads=900)
    for name in ("brook", "creek", "delta")
)
SHELF = library(checkpoint(), *TWINS)


def plan(text=PROMPT, taste=None, shelf=SHELF, machine=None, **asked):
    return make_plan(Request(text, **asked), analyze(text), shelf, taste or Taste(), machine or gpu())


def made(of, changes=(), seed=1):
    return Made(Generation(of, seed, f"{seed:032x}"), "s", "l", changes=changes)


def stars(number):
    return Standing(Rating(number))


def taste(ledger, text=PROMPT, explore=0.0):
    analysis = analyze(text)
    return taste_of(ledger.tallies(contexts_of(analysis)), analysis, ledger.version, explore=explore, prompt=text)


def used(name, text=PROMPT, **asked):
    return plan(text, loras=(LoraUse(name, 0.8, 0.8),), **asked)


def rated(*judged, half_life=None):
    ledger = Ledger(half_life)
    for picture, number in judged:
        ledger.judge(made(picture), stars(number))
    return ledger


A, B, C = (file.name for file in TWINS)


# --------------------------------------------------------------------------- verdicts


def test_stars_go_from_nothing_to_one_and_every_part_counts():
    say = rules().verdict
    assert [say(stars(number)).liked for number in range(1, 6)] == [0, 0.25, 0.5, 0.75, 1]
    assert say(Standing(Rating(4, quality=1))).liked < say(stars(4)).liked < say(Standing(Rating(4, aesthetic=5))).liked
    assert say(Standing(Rating(quality=2, accuracy=4))).stars == 3


def test_a_rating_outweighs_actions_and_these_what_was_read_off():
    say = rules().verdict
    assert say(Standing(Rating(1), frozenset({Action.SAVED, Action.FAVOURITED}))).liked < 0.35
    assert say(Standing(actions=frozenset({Action.DELETED, Action.KEPT}))).liked == 0
    kept, rerolled = (say(Standing(actions=frozenset({each}))) for each in (Action.KEPT, Action.REROLLED))
    assert kept.liked > 0.5 > rerolled.liked and kept.weight == rerolled.weight == 0.15
    assert say(Standing()).weight == say(Standing(Rating(comment="hm"))).weight == 0


@pytest.mark.parametrize("action", list(Action))
def test_every_action_says_something(action):
    said = rules().verdict(Standing(actions=frozenset({action})))
    assert 0 < said.weight <= 1 and said.liked != 0.5 and said.stars is None


# --------------------------------------------------------------------------- traits


def test_a_picture_speaks_about_its_loras_model_and_settings_in_its_contexts():
    picture = plan(loras=(LoraUse(A, 0.6, 0.6), LoraUse(B, 0.5, 0.5)), fixed=Fixed(cfg=10.0, sampler="euler"))
    found = {(trait.kind, trait.name): trait for trait in rules().traits(made(picture)) if trait.context == "*"}
    assert {("lora", A), ("lora", B), ("pair", f"{A}|{B}"), ("checkpoint", "sd_xl_base_1.0.safetensors")} <= found.keys()
    assert found["lora", A].value == 0.6
    assert ("steps", "0") in found and ("size", "usual") in found and ("sampler", "euler/karras") in found
    assert next(int(name) for kind, name in found if kind == "cfg") > 0
    contexts = {trait.context for trait in rules().traits(made(picture)) if trait.kind == "lora"}
    assert contexts == set(contexts_of(picture.analysis)) and "content:character" in contexts


def test_what_a_distilled_model_or_a_framing_word_decides_is_no_taste():
    turbo = checkpoint("turbo.safetensors", distillation="turbo")
    kinds = {trait.kind for trait in rules().traits(made(plan(shelf=library(turbo))))}
    assert not kinds & {"cfg", "steps", "sampler"}
    kinds = {trait.kind for trait in rules().traits(made(plan("wide landscape, panorama")))}
    assert "size" not in kinds and "cfg" in kinds


@pytest.mark.parametrize("family", sorted(families().keys() - {"sdxl_refiner"}))
def test_every_family_has_traits_and_what_is_usual_is_usual(family):
    picture = plan("a cat", shelf=library(*complete_set(family)))
    found = {trait.kind: trait.name for trait in rules().traits(made(picture)) if trait.context == "*"}
    assert "checkpoint" in found
    assert {found[kind] for kind in found.keys() & {"cfg", "guidance", "steps"}} <= {"0"}
    assert {found[kind] for kind in found.keys() & {"sampler", "size"}} <= {"usual"}


def test_what_was_run_otherwise_is_liked_and_the_proposal_less():
    proposed = plan()
    changed = plan(fixed=Fixed(cfg=11.0), loras=(LoraUse(B, 0.5, 0.5),))
    changes = changes_between(proposed, changed)
    assert {(change.parameter, change.subject) for change in changes} == {("cfg", ""), ("lora", A), ("lora", B)}
    said = {(t.kind, t.name): v.liked for t, v in rules().hints(made(changed, changes)) if t.context == "*"}
    assert said["lora", B] > 0.5 > said["lora", A] and said["cfg", "0"] < 0.5
    assert max(liked for (kind, _), liked in said.items() if kind == "cfg") > 0.5


def test_changes_name_sizes_samplers_and_strengths():
    proposed = plan()
    other = plan(fixed=Fixed(width=832, height=1216, sampler="euler", steps=44), loras=(LoraUse(A, 0.3, 0.3),))
    found = {change.parameter: (change.proposed, change.used) for change in changes_between(proposed, other)}
    assert found["size"] == ("1024x1024", "832x1216") and found["strength"][1] == "0.3" and found["steps"][1] == "44"
    assert found["sampler"][1] == "euler"
    assert changes_between(proposed, proposed) == ()
    assert changes_between(proposed, replace(other, family="sd15")) == ()


def test_a_change_nobody_can_read_breaks_nothing():
    strange = tuple(Change(kind, "x×y", "?", "z") for kind in ("cfg", "size", "steps", "strength", "shift", "lora"))
    assert all(0 <= said.liked <= 1 for _, said in rules().hints(made(plan(), strange)))


# --------------------------------------------------------------------------- taste


def score(ledger, name=A, **asked):
    return taste(ledger, **asked).on("sdxl").loras[name].score


def test_more_likes_more_score_and_few_ratings_stay_near_the_usual():
    scores = [score(rated(*[(used(A), 5)] * many, *[(used(B), 2)] * 6)) for many in (1, 3, 9)]
    assert 0 < scores[0] < scores[1] < scores[2] <= 1
    assert score(rated((used(A), 1))) < 0


def test_recent_evidence_outweighs_old():
    turned = rated(*[(used(A), 5)] * 10, *[(used(B), 3)] * 20, *[(used(A), 1)] * 10, half_life=10)
    assert score(turned) < 0
    assert score(rated(*[(used(A), 1)] * 10, *[(used(B), 3)] * 20, *[(used(A), 5)] * 10, half_life=10)) > 0


def test_what_a_prompt_has_in_common_decides_how_much_evidence_counts():
    here, elsewhere = used(A), used(A, "a steam train on a bridge, photograph")
    other = [(used(B), 3)] * 4
    assert score(rated(*[(here, 5)] * 3, *other)) > score(rated(*[(elsewhere, 5)] * 3, *other)) > 0


def test_verdicts_that_tell_nothing_apart_are_not_believed():
    noisy = rated(*[(used(name), number) for number in (1, 5, 3, 2, 4) * 8 for name in (A, B, C)])
    assert max(abs(score(noisy, name)) for name in (A, B, C)) < 0.05


def test_taste_says_what_it_rests_on():
    liking = taste(rated(*[(used(A), 5)] * 4, (used(B), 2))).on("sdxl").loras[A]
    assert (liking.stars, liking.ratings, liking.about) == (5.0, 4, "character")


def test_the_same_prompt_and_version_always_try_the_same():
    ledger = rated((used(A), 4), (used(B), 3))
    assert taste(ledger, explore=0.3) == taste(ledger, explore=0.3)
    tried = {score(rated(*[(used(A), 4)] * many), explore=0.5) for many in range(1, 9)}
    assert len(tried) > 4


def test_without_a_budget_nothing_is_tried():
    ledger = rated(*[(used(name, fixed=Fixed(cfg=cfg)), 3) for name in (A, B) for cfg in (5.0, 7.0, 9.0)])
    leaning = taste(ledger).on("sdxl")
    assert not any(each.tried for each in (*leaning.loras.values(), *leaning.settings.values()))
    assert "*" not in leaning.loras


def test_a_setting_leans_only_where_it_is_surely_better():
    high, usual = used(A, fixed=Fixed(cfg=10.5)), used(A)
    assert "cfg" not in taste(rated((high, 4), (usual, 4))).on("sdxl").settings
    lean = taste(rated(*[(high, 5)] * 8, *[(usual, 2)] * 8)).on("sdxl").settings["cfg"]
    assert lean.factor > 1 and (lean.ratings, lean.usual_stars) == (8, 2.0)


def test_a_sampler_and_a_size_are_learned_by_name():
    other = used(A, fixed=Fixed(sampler="euler_ancestral", scheduler="normal", width=832, height=1216))
    settings = taste(rated(*[(other, 5)] * 8, *[(used(A), 2)] * 8)).on("sdxl").settings
    assert settings["size"].name == "832x1216"
    assert "sampler" not in settings or settings["sampler"].name.startswith("euler_ancestral")
    taught = taste(rated(*[(used(A, fixed=Fixed(sampler="heun")), 5)] * 8, *[(used(A), 2)] * 8))
    assert taught.on("sdxl").settings["sampler"].name.startswith("heun/")
    assert plan(taste=taught).settings.sampler == "heun"
    assert plan(taste=taught, machine=gpu(samplers=("euler",))).settings.sampler == "euler"


def test_a_pair_that_disappoints_is_avoided():
    both = plan(loras=(LoraUse(A, 0.8, 0.8), LoraUse(B, 0.8, 0.8)))
    good = [(used(A), 5), (used(B), 5)] * 5
    assert taste(rated(*good, *[(both, 1)] * 5)).on("sdxl").avoided == {(A, B)}
    assert not taste(rated(*good, *[(both, 5)] * 5)).on("sdxl").avoided
    assert not taste(rated(*good, (both, 1))).on("sdxl").avoided


def test_nothing_told_is_no_taste():
    assert taste(Ledger()) == Taste()


def test_odd_tallies_break_nothing():
    analysis = analyze(PROMPT)
    odd = [
        Tally("lora", "gone", "no_such_family", "*", 0.0, 0.0),
        Tally("cfg", "4", "sdxl", "*", 1e-9, 0.0),
        Tally("cfg", "-4", "sdxl", "style:none", 1e6, 1e6),
        Tally("pair", "a|b", "sdxl", "*", 3.0, 1.0),
        Tally("sampler", "usual", "sdxl", "*", 3.0, 1.0),
        Tally("checkpoint", "x", "sdxl", "*", 0.0, 4.0),
    ]
    found = taste_of(odd, analysis, 3, explore=0.5, prompt="\ud800")
    assert found.version == 3 and found.checkpoints["x"].score < 0


# --------------------------------------------------------------------------- influence on the plan


def sdxl(**known):
    return Taste(1, families={"sdxl": Leaning(**known)})


def names(of):
    return [choice.use.name for choice in of.loras]


def test_among_equals_the_liked_one_goes_first_and_says_why():
    assert names(plan()) == [A]
    liked = plan(taste=sdxl(loras={C: Liking(0.4, 9, 4.6, "portrait")}))
    assert names(liked) == [C]
    assert "ou rated it 4.6 over 9 pictures" in explain(liked, Verbosity.STANDARD)
    assert "e diste 4.6 estrellas en 9" in explain(liked, Verbosity.STANDARD, "es")


def test_what_is_clearly_disliked_is_left_out_with_the_reason_unless_it_is_named():
    hated = sdxl(loras={file.name: Liking(-0.8, 6, 1.2) for file in TWINS})
    left = plan(taste=hated)
    assert left.loras == () and {reason.key for miss in left.near_misses for reason in miss.reasons} >= {"lora.not.disliked"}
    once = sdxl(loras={file.name: Liking(-0.8, 2, 1.0) for file in TWINS})
    assert names(plan(taste=once))
    named = lora("steam_locomotive.safetensors", title="Steam Locomotive", tags=("vehicle",))
    hated = sdxl(loras={named.name: Liking(-1.0, 9, 1.0)})
    assert names(plan("a steam locomotive", taste=hated, shelf=library(checkpoint(), named))) == [named.name]


def test_an_avoided_pair_is_not_put_together():
    text = "anime girl, steam locomotive, watercolor, magical powers, Victorian mansion, detailed"
    shelf = library(checkpoint(), *LORAS)
    before = names(plan(text, shelf=shelf))
    pair = tuple(sorted(before[:2]))
    after = plan(text, taste=sdxl(avoided=frozenset({pair})), shelf=shelf)
    literal = {"steam_locomotive.safetensors", "watercolor_wash.safetensors", "detail_enhancer.safetensors"}
    assert len(before) >= 2 and (before[1] not in names(after) or before[1] in literal)


def test_a_learned_strength_stays_within_the_card():
    liking = {A: Liking(0.5, 5, 4.5, strength=0.4)}
    assert plan(taste=sdxl(loras=liking)).loras[0].use.strength_model == 0.4
    card = library(checkpoint(), replace(TWINS[0], strength=(0.6, 0.8, 1.0)))
    assert plan(taste=sdxl(loras=liking), shelf=card).loras[0].use.strength_model == 0.6
    assert "lora.strength.learned" in {reason.key for reason in plan(taste=sdxl(loras=liking)).loras[0].reasons}


@pytest.mark.parametrize("family", sorted(families().keys() - {"sdxl_refiner"}))
@pytest.mark.parametrize("factor", (0.1, 0.7, 1.4, 9.0))
def test_learned_settings_stay_within_the_family(family, factor):
    row, shelf = families()[family], library(*complete_set(family))
    leans = {kind: Lean(factor, ratings=5, stars=5.0, usual_stars=2.0) for kind in ("cfg", "guidance", "steps")}
    learned = plan("a cat", taste=Taste(1, families={family: Leaning(settings=leans)}), shelf=shelf)
    plain = plan("a cat", shelf=shelf)
    lows, highs = zip(*row.cfg.values(), strict=True)
    free = learned.settings.guidance if row.guidance else learned.settings.cfg
    assert min(lows) <= free <= max(highs)
    assert learned.settings.cfg == plain.settings.cfg if row.guidance or row.distilled else True
    assert learned.settings.steps == plain.settings.steps if row.distilled else learned.settings.steps >= 1
    changed = learned.settings != plain.settings
    assert changed == any(reason.key.startswith("learned.") for reason in learned.reasons)


def test_what_is_fixed_limited_manual_or_distilled_is_left_alone():
    leans = {kind: Lean(1.5, ratings=5, stars=5.0, usual_stars=2.0) for kind in ("cfg", "steps")}
    leans["size"], leans["sampler"] = Lean(name="832x1216"), Lean(name="heun/karras")
    known = sdxl(settings=leans)
    fixed = Fixed(steps=21, cfg=6.5, sampler="euler", width=1024, height=1024)
    assert plan(taste=known, fixed=fixed).settings == plan(fixed=fixed).settings
    assert plan(taste=known, mode=Mode.MANUAL) == plan(mode=Mode.MANUAL)
    assert plan(taste=known, learning=False) == plan(learning=False)
    turbo = library(checkpoint("turbo.safetensors", distillation="turbo"))
    learned, plain = plan(taste=known, shelf=turbo).settings, plan(shelf=turbo).settings
    assert replace(learned, width=64, height=64) == replace(plain, width=64, height=64)
    assert plan(taste=known, constraints=Constraints(max_steps=12)).settings.steps <= 12
    assert plan(taste=known).settings.width == 832
    assert plan("landscape, panorama", taste=known).settings.width > 832


def test_a_liked_checkpoint_decides_between_equals():
    shelf = library(checkpoint("aaa.safetensors"), checkpoint("bbb.safetensors"))
    liked = Taste(1, checkpoints={"bbb.safetensors": Liking(0.6, 9, 4.7)})
    chosen = plan("a cat", taste=liked, shelf=shelf)
    assert chosen.models.checkpoint == "bbb.safetensors" and "model.rated" in {reason.key for reason in chosen.reasons}
    assert plan("a cat", shelf=shelf).models.checkpoint == "aaa.safetensors"


def test_measured_peaks_correct_the_estimate_within_bounds():
    plain = plan(machine=gpu(48)).estimate.vram_bytes
    corrected = plan(machine=gpu(48, peak_factors={"sdxl": 1.25}))
    assert corrected.estimate.vram_bytes == pytest.approx(1.25 * plain, rel=1e-6)
    assert "vram.measured" in {reason.key for reason in corrected.reasons}
    assert plan(machine=gpu(48, peak_factors={"sdxl": 50.0})).estimate.vram_bytes == 2 * plain
    assert plan(machine=gpu(48, peak_factors={"sd15": 1.5})).estimate.vram_bytes == plain


def test_every_learned_reason_can_be_said_in_every_language():
    leans = {"cfg": Lean(1.3, ratings=5, stars=5.0, usual_stars=2.0, about="watercolor"), "steps": Lean(1.3, tried=True)}
    loras = {A: Liking(0.9, 3, None), B: Liking(-0.9, 3, None, tried=True)}
    told = plan(taste=replace(sdxl(settings=leans, loras=loras), checkpoints={"sd_xl_base_1.0.safetensors": Liking(-0.4, 2)}))
    for language in LANGUAGES:
        text = explain(told, Verbosity.TECHNICAL, language)
        assert "learned." not in text and "lora.liked" not in text and "{" not in text


def test_the_whole_way_round():
    ledger = Ledger()
    for _ in range(12):
        picture = plan(taste=taste(ledger))
        ledger.judge(made(picture), stars(5 if names(picture) == [C] else 2))
    assert names(plan(taste=taste(ledger, explore=0.15))) != [A]


# --------------------------------------------------------------------------- prediction


def test_what_is_liked_is_predicted_to_be_liked():
    known = sdxl(loras={A: Liking(0.8), B: Liking(-0.8)}, settings={"cfg": Lean(1.3)}, avoided=frozenset({(A, B)}))
    one, two, both = used(A), used(B), plan(loras=(LoraUse(A, 1, 1), LoraUse(B, 1, 1)))
    assert predicted(one, known) > 0.5 > predicted(both, known) and predicted(one, known) > predicted(two, known)
    assert predicted(used(A, fixed=Fixed(cfg=11.0)), known) > predicted(one, known)
    assert predicted(one, Taste()) == 0.5
    assert all(0 <= predicted(each, known) <= 1 for each in (one, two, both))


# --------------------------------------------------------------------------- what follows from what


def glimpse(number, prompt=PROMPT, at=0.0, lineage="l", relation=Relation.NEW, **more):
    return Glimpse(f"g{number}", at, "s", lineage, prompt, relation, **more)


def test_the_first_picture_and_one_after_a_pause_begin_a_session():
    assert relate(plan(), 5.0, []).session == ""
    after = relate(plan(), 5000.0, [glimpse(1)])
    assert (after.session, after.lineage, after.relation) == ("", "", Relation.NEW)
    assert after.implied == (("g1", Action.KEPT),)


def test_the_same_prompt_is_a_reroll_and_an_edited_one_an_edit():
    again = relate(plan(), 60.0, [glimpse(1)])
    assert (again.session, again.lineage, again.relation, again.parent) == ("s", "l", Relation.REROLL, "g1")
    assert again.implied == ()
    edited = relate(plan(PROMPT + ", sunset"), 60.0, [glimpse(1)])
    assert (edited.lineage, edited.relation) == ("l", Relation.EDIT)


def test_another_prompt_says_that_the_last_one_was_kept_and_those_before_were_not():
    line = [glimpse(3, relation=Relation.REROLL), glimpse(2, relation=Relation.REROLL), glimpse(1)]
    other = relate(plan("a cat"), 60.0, line)
    assert (other.session, other.lineage, other.relation) == ("s", "", Relation.NEW)
    assert other.implied == (("g3", Action.KEPT), ("g2", Action.REROLLED), ("g1", Action.REROLLED))
    spoken = [replace(line[0], rated=True), replace(line[1], actions=frozenset({Action.SAVED})), line[2]]
    assert relate(plan("a cat"), 60.0, spoken).implied == (("g1", Action.REROLLED),)


def test_a_batch_implies_nothing():
    assert relate(plan("a cat"), 60.0, [glimpse(2, batch="b"), glimpse(1, batch="b")]).implied == ()


def test_a_clock_that_jumped_backwards_breaks_nothing():
    assert relate(plan(), -20.0, [glimpse(1, at=0.0)]).session == "s"
    assert relate(plan(), -9e9, [glimpse(1, at=9e9)]).session == ""


def test_coming_back_to_an_earlier_prompt_takes_its_line_up_again():
    back = relate(plan(), 60.0, [glimpse(2, "a cat", lineage="m"), glimpse(1)])
    assert (back.lineage, back.parent) == ("l", "g1") and back.implied == (("g2", Action.KEPT),)


def test_every_field_of_taste_is_a_plain_value():
    assert [each.name for each in dataclasses.fields(Taste)] == ["version", "checkpoints", "families"]
