from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.foundation.errors import InputError, UnknownName
from simulator.topology.importers import IMPORTERS, Imported, import_topology
from simulator.topology.importers.hostlist import expand
from simulator.topology.importers.imported import recognise
from simulator.topology.importers.xml_reader import parse_xml
from simulator.topology.shapes.mesh import CUBE

SAMPLES = Path(__file__).parent / "samples"


def sample(name: str) -> Imported:
    return import_topology(SAMPLES / name)


def spans(found: Imported) -> list[tuple[str, int, int, int]]:
    return [(level.name, level.count, level.smallest, level.largest) for level in found.levels]


@pytest.mark.parametrize(
    ("name", "kind", "members", "count"),
    [
        ("matrix.txt", "nvidia-smi", "devices", 4),
        ("machine_nccl.xml", "nccl-xml", "devices", 2),
        ("machine_hwloc.xml", "hwloc-xml", "devices", 2),
        ("tree.conf", "slurm-conf", "nodes", 8),
        ("blocks.conf", "slurm-conf", "nodes", 36),
        ("named.yaml", "slurm-yaml", "nodes", 6),
        ("nodes.json", "kubernetes-json", "nodes", 9),
    ],
)
def test_each_format_is_recognised_and_counted(name, kind, members, count):
    found = sample(name)
    assert (found.kind, found.members, found.count) == (kind, members, count)
    assert all({"kind", "label"} <= set(about) for _, about in found.graph.nodes(data=True))
    assert all("kind" in about for _, _, about in found.graph.edges(data=True))


def test_every_registered_format_has_a_sample():
    kinds = {recognise(path.read_text(), str(path)) for path in SAMPLES.iterdir()}
    assert kinds == set(IMPORTERS)


def test_a_matrix_with_more_links_to_all_others_than_a_gpu_has_is_a_switch():
    found = sample("matrix.txt")
    assert found.shape == "nvswitch"  # 12 links to each of 3 others
    assert found.graph.edges["GPU0", "GPU3"]["lines"] == 12
    assert found.graph.edges["GPU0", "NIC1"]["kind"] == "SYS"


def matrix(links: list[list[int]]) -> str:
    names = [f"GPU{number}" for number in range(len(links))]
    rows = [
        "\t".join([name, *("X" if a == b else f"NV{links[a][b]}" if links[a][b] else "SYS" for b in range(len(links)))])
        for a, name in enumerate(names)
    ]
    return "\n".join(["\t" + "\t".join(names) + "\tCPU Affinity", *rows])


@pytest.mark.parametrize(
    ("links", "shape"),
    [
        ([[0 if a == b else 12 for b in range(8)] for a in range(8)], "nvswitch"),
        ([[0 if a == b else 6 for b in range(16)] for a in range(16)], "nvswitch"),
        ([[0 if a == b else 4 for b in range(4)] for a in range(4)], "full-mesh"),
        ([list(row) for row in CUBE], "cube-mesh"),
        ([[0] * 4 for _ in range(4)], "pcie-tree"),
        ([[0, 4, 0, 0], [4, 0, 0, 0], [0, 0, 0, 4], [0, 0, 4, 0]], ""),
    ],
)
def test_the_shape_is_told_by_the_numbers_of_links(links, shape):
    assert IMPORTERS["nvidia-smi"](matrix(links), "x").shape == shape


def test_ncclxml_gives_the_bytes_per_second_of_buses_and_nvlinks():
    graph = sample("machine_nccl.xml").graph
    assert graph.edges["device:0", "nvswitch:0"]["capacity"] == pytest.approx(12 * 25e9)
    assert graph.edges["pci:0000:01:00.0", "pci:0000:07:00.0"]["capacity"] == pytest.approx(31.5e9, rel=1e-3)
    assert graph.nodes["nic:0"]["bandwidth"] == pytest.approx(25e9)
    assert sample("machine_nccl.xml").shape == "nvswitch"
    assert nx.is_connected(graph)


def test_hwloc_keeps_what_leads_to_accelerators_and_adapters():
    found = sample("machine_hwloc.xml")
    labels = {about["label"] for _, about in found.graph.nodes(data=True)}
    assert {"cuda0", "mlx5_0"} <= labels
    assert not any("07:00.0" in name for name in found.graph)  # a display for people
    assert spans(found) == [("package", 2, 1, 1), ("machine", 1, 2, 2)]


def test_slurm_trees_nest_and_blocks_stand_side_by_side():
    assert spans(sample("tree.conf")) == [("level-1", 2, 4, 4), ("level-2", 1, 8, 8)]
    assert spans(sample("blocks.conf")) == [("level-1", 2, 18, 18)]
    assert spans(sample("named.yaml")) == [("level-1", 3, 2, 2), ("level-2", 2, 2, 4), ("level-3", 1, 6, 6)]
    assert "flat-one" in sample("named.yaml").notes[0]


def test_kubernetes_labels_nest_from_the_accelerator_domain_outward():
    found = sample("nodes.json")
    assert spans(found) == [
        ("accelerator-domain", 4, 2, 2),
        ("tier-0", 4, 2, 2),
        ("tier-1", 2, 4, 4),
        ("zone", 1, 8, 8),
        ("region", 1, 8, 8),
    ]
    assert "8 nodes of gpu8 with 8 devices" in found.notes
    assert any("1 nodes carry no label" in note for note in found.notes)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("tux[0-2,5]", ["tux0", "tux1", "tux2", "tux5"]),
        ("a[08-11]", ["a08", "a09", "a10", "a11"]),
        ("r[1-2]n[1-2],login", ["r1n1", "r1n2", "r2n1", "r2n2", "login"]),
        ("plain", ["plain"]),
    ],
)
def test_hostlists_expand(text, names):
    assert list(expand(text)) == names


@pytest.mark.parametrize(
    "text", ["a[1-", "a]1[", "a[[1]]", "a[3-1]", "a[x]", "a,,b", "a[1-999999999]", "a[0-999][0-999]", ""]
)
def test_broken_or_huge_hostlists_are_refused(text):
    with pytest.raises(InputError):
        expand(text)


BOMB = """<?xml version="1.0"?><!DOCTYPE topology [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<topology><object type="&b;"/></topology>"""
OUTSIDE = """<?xml version="1.0"?><!DOCTYPE t [<!ENTITY x SYSTEM "file:///etc/hostname">]>
<topology><object type="&x;"/></topology>"""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (BOMB, "DOCTYPE"),
        (OUTSIDE, "DOCTYPE"),
        ("<a>" * 100 + "</a>" * 100, "deeper"),
        ("<a>" + "<b/>" * 200_001 + "</a>", "more than 200000"),
        ("<a", "not XML"),
        ("", "not XML"),
        ("<a b='" + "x" * 70_000 + "'/>", "attribute"),
    ],
)
def test_hostile_xml_is_refused(text, words):
    with pytest.raises(InputError, match=words):
        parse_xml(text, "x.xml")


def test_the_doctype_that_hwloc_writes_is_not_followed():
    assert parse_xml('<!DOCTYPE topology SYSTEM "http://nowhere.invalid/x.dtd"><topology/>', "x").tag == "topology"


@pytest.mark.parametrize(
    ("kind", "text", "words"),
    [
        ("nvidia-smi", "GPU0 GPU1\nGPU0 X NV4\nGPU1 NV2 X", "GPU1 says NV2"),
        ("nvidia-smi", "GPU0 GPU1\nGPU0 X NV4\n", "no row for GPU1"),
        ("nvidia-smi", "GPU0 GPU1\nGPU0 X FOO\nGPU1 NV4 X", "'FOO'"),
        ("nvidia-smi", "nothing here", "no matrix"),
        ("nccl-xml", "<system><cpu numaid='0'/></system>", "no <gpu>"),
        ("nccl-xml", "<topology/>", "<system>"),
        ("nccl-xml", "<system><cpu><pci busid='1' link_speed='fast'/></cpu></system>", "link_speed"),
        (
            "nccl-xml",
            "<system><cpu><pci busid='1'><gpu dev='0' sm='80'><nvlink target='9'/></gpu></pci></cpu></system>",
            "no GPU of the file",
        ),
        ("hwloc-xml", "<system/>", "<topology>"),
        ("hwloc-xml", "<topology><object type='Machine'/></topology>", "whole-io"),
        ("slurm-conf", "SwitchName=a Switches=b", "described nowhere"),
        ("slurm-conf", "SwitchName=a Switches=b\nSwitchName=b Switches=a", "circle"),
        ("slurm-conf", "SwitchName=a Nodes=n1\nSwitchName=a Nodes=n2", "twice"),
        ("slurm-conf", "SwitchName=a Nods=n1", "'Nods=n1'"),
        ("slurm-conf", "Nodes=n1", "needs SwitchName="),
        ("slurm-conf", "# nothing", "no SwitchName="),
        ("slurm-yaml", "a: 1", "a list is needed"),
        ("slurm-yaml", "- topology: x\n  flat: true", "neither"),
        ("slurm-yaml", "- topology: x\n  tree:\n    switches:\n      - switch: a\n        nodes: n[3-1]", "backward"),
        ("slurm-yaml", "- topology: x\n  tree: 3", "needs the key 'switches'"),
        ("kubernetes-json", "{", "not JSON"),
        ("kubernetes-json", "{}", "kubectl"),
        ("kubernetes-json", '{"items": [3]}', "items\\[0\\]"),
        ("kubernetes-json", '{"items": []}', "0 nodes"),
        ("kubernetes-json", '{"items": [' + "[" * 100_000, "not JSON|too deep"),
    ],
)
def test_broken_files_say_what_is_wrong(kind, text, words):
    with pytest.raises(InputError, match=words):
        IMPORTERS[kind](text, "file")


@pytest.mark.parametrize("kind", list(IMPORTERS))
@settings(max_examples=60, derandomize=True, deadline=None)
@given(text=st.text(alphabet='GPU01 XNV\n\t=[]-,<>/"{}:', max_size=120))
def test_any_text_is_either_read_or_refused_by_name(kind, text):
    with suppress(InputError):
        IMPORTERS[kind](text, "file")


def test_unknown_files_and_formats_are_named(tmp_path):
    other = tmp_path / "other.txt"
    other.write_text("hello")
    with pytest.raises(InputError, match="no topology in a known format"):
        import_topology(other)
    with pytest.raises(UnknownName, match="slurm-conf"):
        import_topology(other, "slurm")
    with pytest.raises(InputError, match="no such file"):
        import_topology(tmp_path / "none")
    with pytest.raises(InputError, match="directory"):
        import_topology(tmp_path)
    other.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="UTF-8"):
        import_topology(other)
