from itertools import combinations

import pytest
from pack.data import table
from pack.graph import build, saving
from pack.graph.workflow import description, is_widget, to_workflow
from pack.tests.graph.cases import SEED, cases, plan_of

HOSTS = table("native_nodes")


def read_back(workflow):
    """The API graph a canvas would queue from this workflow."""
    names = {node["id"]: node["properties"]["plan_node"] for node in workflow["nodes"]}
    links = {link[0]: [names[link[1]], link[2]] for link in workflow["links"]}
    return {names[node["id"]]: {"class_type": node["type"], "inputs": inputs_of(node, links)} for node in workflow["nodes"]}


def inputs_of(node, links):
    values = iter(node["widgets_values"])
    inputs = {slot["name"]: links[slot["link"]] for slot in node["inputs"] if slot["link"] is not None}
    for field in filter(is_widget, description(node["type"])["inputs"]):
        inputs[field["name"]] = next(values)
        if field.get("control"):
            assert next(values) == "fixed"
        if field.get("upload"):
            assert next(values) == "image"
    assert not list(values)
    return inputs


@pytest.mark.parametrize("name", cases())
def test_workflow_reads_back_as_the_same_graph(name):
    plan, image = cases()[name]
    graph = saving(plan, SEED, "lighthouse", image="sketch.png" if image else None)
    assert read_back(to_workflow(graph)) == graph.nodes


@pytest.mark.parametrize("host", HOSTS)
def test_workflow_of_every_host(host):
    workflow = to_workflow(saving(plan_of("sdxl"), SEED, "x"), host)
    assert workflow["version"] == 0.4
    assert [node["id"] for node in workflow["nodes"]] == list(range(1, workflow["last_node_id"] + 1))


@pytest.mark.parametrize("name", ["sdxl+refiner", "wan22+loras", "flux2_dev", "flux2_dev+image"])
def test_nodes_run_left_to_right_without_overlap(name):
    plan, image = cases()[name]
    workflow = to_workflow(saving(plan, SEED, "x", image="sketch.png" if image else None))
    nodes = {node["id"]: node for node in workflow["nodes"]}
    for link in workflow["links"]:
        assert nodes[link[1]]["pos"][0] + nodes[link[1]]["size"][0] <= nodes[link[3]]["pos"][0]
        assert link[0] in nodes[link[1]]["outputs"][link[2]]["links"]
        assert nodes[link[3]]["inputs"][link[4]]["link"] == link[0]
    for one, other in combinations(nodes.values(), 2):
        apart = [
            one["pos"][axis] + one["size"][axis] <= other["pos"][axis]
            or other["pos"][axis] + other["size"][axis] <= one["pos"][axis]
            for axis in (0, 1)
        ]
        assert any(apart), (one["title"], other["title"])


def test_an_image_from_outside_stays_unlinked():
    workflow = to_workflow(build(plan_of("sd15"), SEED, image=["12", 0]))
    scale = next(node for node in workflow["nodes"] if node["type"] == "ImageScaleToTotalPixels")
    assert scale["inputs"][0] == {"name": "image", "type": "IMAGE", "link": None}


def test_titles_are_words():
    titles = {node["title"] for node in to_workflow(build(plan_of("sd15"), SEED, prefix="7.0.0."))["nodes"]}
    assert {"Checkpoint", "Positive", "Empty latent", "Sampler", "Decode"} <= titles
    stack = to_workflow(build(cases()["sdxl+loras"][0], SEED))["nodes"]
    assert {"LoRA anime", "LoRA detail"} <= {node["title"] for node in stack}
