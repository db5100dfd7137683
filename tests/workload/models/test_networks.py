"""Networks drawn layer by layer, held against the counts of the published weights and papers."""

from __future__ import annotations

import pytest

from simulator.foundation.errors import InputError, UnknownName
from simulator.workload.models.networks.canvas import Canvas
from simulator.workload.models.networks.network import NetworkRecipe
from simulator.workload.operators import Elementwise, Gemm


def build(family, size, **options):
    return NetworkRecipe(name=family, family=family, size=size, options=tuple(options.items())).build()


# parameters: counted from the weights that torchvision and timm publish
# multiply-adds (10^9): torchvision's model table, which counts convolutions and matrix products
PUBLISHED = [
    ("alexnet", 224, {}, 61_100_840, 0.71),
    ("vgg", 224, {"depth": 11}, 132_863_336, 7.61),
    ("vgg", 224, {"depth": 13}, 133_047_848, 11.31),
    ("vgg", 224, {"depth": 16}, 138_357_544, 15.47),
    ("vgg", 224, {"depth": 19}, 143_667_240, 19.63),
    ("resnet", 224, {"depth": 18}, 11_689_512, 1.81),
    ("resnet", 224, {"depth": 34}, 21_797_672, 3.66),
    ("resnet", 224, {"depth": 50}, 25_557_032, 4.09),
    ("resnet", 224, {"depth": 101}, 44_549_160, 7.80),
    ("resnet", 224, {"depth": 152}, 60_192_808, 11.51),
    ("resnet", 224, {"depth": 50, "groups": 32, "group_width": 4}, 25_028_904, 4.23),
    ("resnet", 224, {"depth": 101, "groups": 32, "group_width": 8}, 88_791_336, 16.41),
    ("resnet", 224, {"depth": 50, "group_width": 128}, 68_883_240, 11.40),
    ("resnet", 224, {"depth": 101, "group_width": 128}, 126_886_696, 22.75),
    ("googlenet", 224, {}, 6_624_904, 1.50),
    ("inception-v3", 299, {}, 23_834_568, 5.71),
    ("densenet", 224, {"depth": 121}, 7_978_856, 2.83),
    ("densenet", 224, {"depth": 161}, 28_681_000, 7.73),
    ("densenet", 224, {"depth": 169}, 14_149_480, 3.36),
    ("densenet", 224, {"depth": 201}, 20_013_928, 4.29),
    ("mobilenet-v1", 224, {}, 4_231_976, 0.569),
    ("mobilenet-v2", 224, {}, 3_504_872, 0.30),
    ("mobilenet-v3", 224, {"variant": "large"}, 5_483_032, 0.22),
    ("mobilenet-v3", 224, {"variant": "small"}, 2_542_856, 0.06),
    ("efficientnet", 224, {"variant": 0}, 5_288_548, 0.39),
    ("efficientnet", 240, {"variant": 1}, 7_794_184, 0.69),
    ("efficientnet", 288, {"variant": 2}, 9_109_994, 1.09),
    ("efficientnet", 300, {"variant": 3}, 12_233_232, 1.83),
    ("efficientnet", 380, {"variant": 4}, 19_341_616, 4.39),
    ("efficientnet", 456, {"variant": 5}, 30_389_784, 10.27),
    ("efficientnet", 528, {"variant": 6}, 43_040_704, 19.07),
    ("efficientnet", 600, {"variant": 7}, 66_347_960, 37.75),
    ("lenet", 28, {}, 61_706, 0.000417),
]


@pytest.mark.parametrize(("family", "size", "options", "parameters", "gmacs"), PUBLISHED)
def test_parameters_are_the_published_ones_to_the_last_digit_and_work_to_the_printed_one(
    family, size, options, parameters, gmacs
):
    network = build(family, size, **options)
    assert network.parameters == parameters
    assert network.macs == pytest.approx(gmacs * 1e9, rel=0.02, abs=0.006e9 if gmacs > 0.01 else 0)


def test_resnet_50_with_the_stride_in_its_first_convolution_does_the_work_of_the_paper():
    assert build("resnet", 224, depth=50, early_stride=True).macs == pytest.approx(3.86e9, rel=0.001)


def test_work_of_a_convolutional_network_grows_with_the_area_and_its_weights_do_not():
    small, large = build("resnet", 224, depth=50), build("resnet", 448, depth=50)
    assert large.parameters == small.parameters
    assert large.macs == pytest.approx(4 * small.macs, rel=0.002)
    assert large.activations == pytest.approx(4 * small.activations, rel=0.002)


def test_a_convolution_is_the_matrix_product_of_its_im2col_form():
    canvas = Canvas(3, (224, 224))
    canvas.conv(64, 7, stride=2, padding=3, norm=False, act=None)
    (layer,) = canvas.layers
    assert isinstance(layer.operator, Gemm)
    assert (layer.operator.rows, layer.operator.k, layer.operator.n) == (112 * 112, 3 * 7 * 7, 64)
    assert layer.parameters == 3 * 7 * 7 * 64
    assert layer.outputs == 64 * 112 * 112
    assert layer.operator.saved == 3 * 224 * 224


def test_groups_divide_work_and_weights_alike():
    plain, grouped = Canvas(64, (8, 8)), Canvas(64, (8, 8))
    plain.conv(64, 3, norm=False, act=None)
    grouped.conv(64, 3, groups=64, norm=False, act=None)
    assert grouped.layers[0].macs * 64 == plain.layers[0].macs
    assert grouped.layers[0].parameters * 64 == plain.layers[0].parameters


def test_a_branch_leaves_the_shape_as_it_was():
    canvas = Canvas(16, (32, 32))
    with canvas.branch():
        canvas.conv(99, 3, stride=2)
        assert (canvas.channels, canvas.extent) == (99, (16, 16))
    assert (canvas.channels, canvas.extent) == (16, (32, 32))


def test_the_blocks_of_a_network_hold_all_its_work():
    network = build("resnet", 224, depth=50)
    work = traffic = 0.0
    for block in network.blocks():
        (operator,) = block.operators
        if isinstance(operator, Gemm):
            work += block.count * operator.rows * operator.k * operator.n * operator.repeats
        else:
            assert isinstance(operator, Elementwise)
            traffic += block.count * operator.moved
    assert work == pytest.approx(network.macs)
    assert traffic > 0


def test_parameters_by_kind_add_up():
    for family, size, options, parameters, _ in PUBLISHED[:6]:
        assert sum(count for _, count in build(family, size, **options).parameters_by_kind()) == parameters


@pytest.mark.parametrize(
    ("family", "size", "options", "message"),
    [
        ("resnet", 224, {"depth": 51}, "no ResNet of depth 51. Known: 18, 34, 50"),
        ("resnet", 224, {"deepth": 50}, "no option 'deepth'. Did you mean 'depth'"),
        ("vgg", 224, {}, "needs the option 'depth'"),
        ("resnet", 0, {"depth": 50}, "at least 1"),
        ("inception-v3", 32, {}, "too small"),
        ("densenet", 224, {"depth": 7}, "no DenseNet"),
        ("efficientnet", 224, {"variant": 9}, "B0 to B7"),
        ("mobilenet-v3", 224, {"variant": "huge"}, "large, small"),
    ],
)
def test_a_network_that_cannot_be_is_refused_with_what_can(family, size, options, message):
    with pytest.raises(InputError, match=message):
        build(family, size, **options)


def test_an_unknown_family_is_refused_with_near_names():
    with pytest.raises(UnknownName, match="resnet"):
        build("resnets", 224, depth=50)
