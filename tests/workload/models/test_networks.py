"""Networks drawn layer by layer, held against what is known of the published weights and papers.

The figures are recalled, not read again for these tables; those with all digits are met in every digit by a count from
the shape alone.
"""

from __future__ import annotations

import inspect

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.foundation.errors import InputError, UnknownName
from simulator.workload.models.networks import families
from simulator.workload.models.networks.canvas import Canvas
from simulator.workload.models.networks.network import FAMILIES, NetworkRecipe
from simulator.workload.operators import Elementwise, Gemm

assert families.MODULES


def build(family, size, **options):
    return NetworkRecipe(name=family, family=family, size=size, options=tuple(options.items())).build()


# parameters: those of the weights that torchvision and timm publish
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
    ("efficientnet", 224, {"variant": "b0"}, 5_288_548, 0.39),
    ("efficientnet", 240, {"variant": "b1"}, 7_794_184, 0.69),
    ("efficientnet", 288, {"variant": "b2"}, 9_109_994, 1.09),
    ("efficientnet", 300, {"variant": "b3"}, 12_233_232, 1.83),
    ("efficientnet", 380, {"variant": "b4"}, 19_341_616, 4.39),
    ("efficientnet", 456, {"variant": "b5"}, 30_389_784, 10.27),
    ("efficientnet", 528, {"variant": "b6"}, 43_040_704, 19.07),
    ("efficientnet", 600, {"variant": "b7"}, 66_347_960, 37.75),
    ("lenet", 28, {}, 61_706, 0.000417),
    ("regnet", 224, {"first": 24, "slope": 24.48, "ratio": 2.54, "depth": 22, "group_width": 16}, 5_157_512, 0.40),
    ("regnet", 224, {"first": 88, "slope": 26.31, "ratio": 2.25, "depth": 25, "group_width": 48}, 15_296_552, 3.18),
    ("regnet", 224, {"first": 320, "slope": 69.86, "ratio": 2.0, "depth": 23, "group_width": 168}, 107_811_560, 31.74),
    ("regnet", 224, {"first": 80, "slope": 42.63, "ratio": 2.66, "depth": 21, "group_width": 24, "squeeze": True},
     19_436_338, 3.18),
    ("regnet", 224, {"first": 232, "slope": 115.89, "ratio": 2.53, "depth": 20, "group_width": 232, "squeeze": True},
     145_046_770, 32.28),
]  # fmt: skip


@pytest.mark.parametrize(("family", "size", "options", "parameters", "gmacs"), PUBLISHED)
def test_parameters_are_the_published_ones_to_the_last_digit_and_work_to_the_printed_one(
    family, size, options, parameters, gmacs
):
    network = build(family, size, **options)
    assert network.parameters == parameters
    assert network.macs == pytest.approx(gmacs * 1e9, rel=0.02, abs=0.006e9 if gmacs > 0.01 else 0)


CRITEO = (
    "39884406-39043-17289-7420-20263-3-7120-1543-63-38532951-2953546-403346-10-2208-11938-155-4-976-14-39979771-"
    "25641295-39664984-585935-12972-108-36"
)

# parameters: those of the published weights; of the GANs, those of the reference codes
# multiply-adds (10^9): as the papers print them; YOLOv3 and Stable Diffusion as commonly quoted
OTHERS = [
    ("vit", 224, {"patch": 16, "width": 768, "depth": 12, "heads": 12}, 86_567_656, 17.56),
    ("vit", 224, {"patch": 32, "width": 768, "depth": 12, "heads": 12}, 88_224_232, 4.41),
    ("swin", 224, {"width": 96, "depths": "2-2-6-2"}, 28_288_354, 4.49),
    ("swin", 224, {"width": 96, "depths": "2-2-18-2"}, 49_606_258, 8.74),
    ("swin", 224, {"width": 128, "depths": "2-2-18-2"}, 87_768_224, 15.43),
    ("swin", 256, {"width": 96, "depths": "2-2-6-2", "window": 8, "second": True}, 28_347_154, 5.92),
    ("convnext", 224, {"depths": "3-3-9-3", "widths": "96-192-384-768"}, 28_589_128, 4.46),
    ("convnext", 224, {"depths": "3-3-27-3", "widths": "128-256-512-1024"}, 88_591_464, 15.36),
    ("efficientnet-v2", 384, {"variant": "s"}, 21_458_488, None),
    ("efficientnet-v2", 384, {"variant": "m"}, 54_139_356, 15.74),
    ("efficientnet-v2", 384, {"variant": "l"}, 118_515_272, 35.90),
    ("bit", 224, {"depth": 50}, 25_549_352, 4.09),
    ("dpn", 224, {"variant": "68"}, 12_611_602, 2.33),
    ("dpn", 224, {"variant": "92"}, 37_668_392, 6.50),
    ("resnest", 224, {"depth": 50}, 27_483_240, 5.37),
    ("senet", 224, {}, 115_088_984, 20.69),
    ("hrnet", 224, {"width": 18}, 21_299_004, 4.28),
    ("hrnet", 224, {"width": 48}, 77_469_864, 17.28),
    ("nfnet", 192, {"depths": "1-2-6-3", "widths": "256-512-1536-1536", "group_width": 128, "ratio": 0.5, "last": 2.0,
                    "squeeze": 0.5}, 71_489_272, 6.98),
    ("yolov3", 416, {}, 61_949_149, 32.93),
    ("dcgan", 64, {}, 3_576_704 + 2_765_568, None),
    ("latent-diffusion", 64, {}, 859_520_964, 401),
    ("latent-diffusion", 64, {"context": 1024, "head_width": 64}, 865_910_724, 402),
    ("latent-diffusion", 128, {"levels": "1-2-4", "depths": "0-2-10", "middle": 10, "context": 2048, "head_width": 64,
                               "vector": 2816}, 2_567_463_684, None),
    ("dit", 32, {"width": 1152, "depth": 28, "heads": 16}, 674_834_720, 118.64),
    ("flux", 4096, {}, 11_901_408_320, None),
    ("flux", 4096, {"guided": False}, 11_891_178_560, None),
]  # fmt: skip


@pytest.mark.parametrize(("family", "size", "options", "parameters", "gmacs"), OTHERS)
def test_transformers_on_images_and_generators_have_the_published_parameters_and_work(
    family, size, options, parameters, gmacs
):
    network = build(family, size, **options)
    assert network.parameters == parameters
    if gmacs is not None:
        assert network.macs == pytest.approx(gmacs * 1e9, rel=0.005)


@pytest.mark.parametrize(
    ("family", "size", "options", "parameters", "rounded_to"),
    [
        ("cyclegan", 256, {}, 11.378e6 + 2.765e6, 1e-4),  # printed by the reference code
        ("jasper", 1000, {}, 333e6, 2e-3),  # arXiv:1904.03288, table 4
        ("quartznet", 1000, {}, 18.9e6, 3e-3),  # arXiv:1910.10261, table 2
        ("conformer", 1000, {"width": 256, "depth": 18, "heads": 4}, 30.5e6, 2e-3),  # NeMo, medium
        ("conformer", 1000, {"width": 512, "depth": 18, "heads": 8}, 121.5e6, 2e-3),  # NeMo, large
        ("deepspeech2", 400, {}, 86.6e6, 1e-3),
        ("dlrm", 1, {"rows": CRITEO, "bottom": "512-256-128", "top": "1024-1024-512-256-1"}, 24e9, 2e-3),
        ("ncf", 1, {"users": 138493, "items": 26744}, 31.8e6, 2e-3),
        ("unet", 512, {"classes": 1}, 31.03e6, 1e-3),  # arXiv:1505.04597
    ],
)
def test_other_families_have_the_parameters_that_were_printed_with_fewer_digits(
    family, size, options, parameters, rounded_to
):
    assert build(family, size, **options).parameters == pytest.approx(parameters, rel=rounded_to)


def test_retinanet_has_the_published_count_besides_its_frozen_norms():
    frozen = dict(build("resnet", 224, depth=50).parameters_by_kind())["norm"]
    network = build("retinanet", 800)
    assert network.parameters - frozen == 34_014_999
    assert network.macs == pytest.approx(151.54e9, rel=0.001)


def test_an_ssd_looks_at_8732_boxes_and_does_the_work_of_its_benchmark():
    network = build("ssd-resnet", 300)
    scores = [layer for layer in network.layers if layer.name == "boxes" and layer.operator.n % 81 == 0]
    assert sum(layer.outputs for layer in scores) == 8732 * 81  # arXiv:1512.02325, section 3.1
    assert build("ssd-resnet", 300, depth=50).macs == pytest.approx(20.8e9, rel=0.04)


def test_mask_r_cnn_has_the_published_count_and_the_work_of_an_image_in_which_nothing_is_found():
    frozen = dict(build("resnet", 224, depth=50).parameters_by_kind())["norm"]
    network = build("mask-rcnn", 800, masks=1)
    assert network.parameters - frozen == 44_401_393
    assert network.macs == pytest.approx(134.38e9, rel=0.005)
    assert build("mask-rcnn", 800, masks=100).parameters == network.parameters


# parameters: those of the published weights; multiply-adds (10^9): table 2 of arXiv:1911.09070, rounded there
SCALED = [
    ("d0", 512, 3_880_067, 2.5), ("d1", 640, 6_625_898, 6.1), ("d2", 768, 8_097_039, 11), ("d3", 896, 12_032_296, 25),
    ("d4", 1024, 20_723_675, 55), ("d5", 1280, 33_653_315, 135), ("d6", 1280, 51_871_934, 226),
]  # fmt: skip


@pytest.mark.parametrize(("variant", "size", "parameters", "gmacs"), SCALED)
def test_efficientdet_scales_as_its_paper_says(variant, size, parameters, gmacs):
    network = build("efficientdet", size, variant=variant)
    assert network.parameters == parameters
    assert network.macs == pytest.approx(gmacs * 1e9, rel=0.02)


def test_an_ssd_with_a_pyramid_does_the_printed_work_and_has_a_norm_for_each_level():
    """89.2 GMACs at 640 x 640 (Vitis-AI prints 178.4 GOP)."""
    options = {"classes": 90, "anchors": 6}
    network, plain = build("retinanet", 640, norms=True, **options), build("retinanet", 640, **options)
    assert network.macs == pytest.approx(89.2e9, rel=0.03)
    assert network.macs == plain.macs
    assert network.parameters - plain.parameters == 2 * 4 * (5 * 2 * 256 - 256)  # norms, in place of biases


def test_what_is_not_trained_lies_before_all_that_is():
    for network in (build("mask-rcnn", 800), build("retinanet", 800)):
        frozen = [layer.frozen for layer in network.layers]
        assert 0 < sum(frozen) < len(frozen)
        assert frozen == sorted(frozen, reverse=True)
    assert not any(layer.frozen for layer in build("retinanet", 640, norms=True).layers)


def test_wav2vec_has_the_published_count_and_an_hourglass_sees_less_between_its_ends():
    whole = build("wav2vec2", 250_000)
    assert whole.parameters == 95_044_608
    short = build("wav2vec2", 250_000, ends=2, shortening=4)
    assert short.parameters == whole.parameters
    up = [layer.macs for layer in short.layers if layer.name == "ffn up"]
    assert up[0] == up[1] == up[-1] == up[-2]
    assert all(inner == pytest.approx(up[0] / 4, rel=0.01) for inner in up[2:-2])


def test_a_three_dimensional_unet_does_the_work_of_the_reference_on_a_window():
    network = build("unet", 128, filters="32-64-128-256-320-320", dimensions=3, classes=3, norm=True, strided=True)
    assert network.macs == pytest.approx(477.3e9, rel=0.001)
    assert network.parameters == pytest.approx(31.2e6, rel=0.005)


def test_an_lstm_has_the_parameters_of_its_four_gates_and_a_chain_as_long_as_the_sentence():
    network = build("lstm-language-model", 35, vocab=33278, width=200, hidden=200)
    cell = 4 * 200 * (200 + 200 + 2)
    assert network.parameters == 33278 * 200 + 2 * cell + 200 * 33278 + 33278
    assert network.steps == 2 * 35
    longer = build("lstm-language-model", 70, vocab=33278, width=200, hidden=200)
    assert longer.parameters == network.parameters
    assert longer.macs == pytest.approx(2 * network.macs)


def test_a_gated_recurrent_unit_has_three_quarters_of_the_weights_of_an_lstm():
    lstm, gru = (build("deepspeech2", 100, cell=cell, layers=1, hidden=64) for cell in ("lstm", "gru"))
    recurrent = {cell: dict(net.parameters_by_kind())["recurrence"] for cell, net in (("lstm", lstm), ("gru", gru))}
    assert recurrent["gru"] * 4 == recurrent["lstm"] * 3


def test_tables_of_a_recommender_can_be_told_from_its_products():
    network = build("dlrm", 1, rows=CRITEO, bottom="512-256-128", top="1024-1024-512-256-1")
    assert len(network.tables) == 26
    tables = sum(table.parameters for table in network.tables)
    assert tables == 187_767_399 * 128
    assert network.parameters - tables == pytest.approx(2.37e6, rel=0.01)
    assert sum(table.lookups for table in network.tables) == 26


def test_wide_and_deep_holds_one_wide_weight_and_one_vector_per_row():
    network = build("wide-and-deep", 1, rows="1000-50", width=16, deep="64-32", dense=3)
    products = (2 * 16 + 3) * 64 + 64 + 64 * 32 + 32 + 32 + 1
    assert network.parameters == 1050 * 17 + products + (3 + 1)


def test_an_autoencoder_mirrors_its_widths():
    network = build("autoencoder", 784, hidden="128-32")
    assert network.parameters == 784 * 128 + 128 + 128 * 32 + 32 + 32 * 128 + 128 + 128 * 784 + 784
    spread = build("autoencoder", 784, hidden="128-32", variational=True)
    assert spread.parameters - network.parameters == 128 * 32 + 32


def test_a_graph_network_gathers_every_sampled_neighbour_and_keeps_its_weights():
    few, many = (build("graphsage", 64, features=100, hidden=256, classes=47, fanouts=f) for f in ("5-5", "10-10"))
    assert few.parameters == many.parameters == 2 * 100 * 256 + 256 + 2 * 256 * 47 + 47
    assert many.macs > few.macs
    gathered = [layer.operator.moved for layer in many.layers if layer.name == "gather"]
    assert gathered == [2.0 * 64 * 11 * 11 * 100]


def test_an_attention_network_on_a_graph_has_matrices_per_relation():
    one, two = (
        build("r-gat", 8, features=64, hidden=32, classes=5, heads=4, relations=n, fanouts="3-3") for n in (1, 2)
    )
    per_relation = 2 * 64 * 32 + 3 * 32 + 2 * 32 * 32 + 3 * 32
    assert two.parameters - one.parameters == per_relation


def test_resnet_50_with_the_stride_in_its_first_convolution_does_the_work_of_the_paper():
    assert build("resnet", 224, depth=50, early_stride=True).macs == pytest.approx(3.86e9, rel=0.001)


def test_work_of_a_convolutional_network_grows_with_the_area_and_its_weights_do_not():
    small, large = build("resnet", 224, depth=50), build("resnet", 448, depth=50)
    assert large.parameters == small.parameters
    assert large.macs == pytest.approx(4 * small.macs, rel=0.002)
    assert large.activations == pytest.approx(4 * small.activations, rel=0.002)


def test_a_sample_keeps_the_input_of_every_product_and_norm_for_its_backward_pass():
    network = build("resnet", 224, depth=50)
    inputs = sum(layer.operator.saved for layer in network.layers if isinstance(layer.operator, Gemm))
    normed = sum(layer.outputs for layer in network.layers if layer.kind == "convolution")
    assert network.stored_bytes == pytest.approx(2 * (inputs + normed))
    assert build("resnet", 448, depth=50).stored_bytes == pytest.approx(4 * network.stored_bytes, rel=0.002)


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


def test_dropout_moves_data_and_masks_and_learns_and_multiplies_nothing():
    shape = {"patch": 16, "width": 768, "depth": 12, "heads": 12}
    plain, dropping = build("vit", 224, **shape), build("vit", 224, dropout=True, **shape)
    assert (dropping.parameters, dropping.macs) == (plain.parameters, plain.macs)
    moved = [sum(layer.operator.moved for layer in network.layers if isinstance(layer.operator, Elementwise))
             for network in (plain, dropping)]  # fmt: skip
    assert moved[1] - moved[0] == 2.5 * 12 * 197 * (768 + 3072 + 768)


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
        ("convnext", 224, {"depths": "3-3-9-3", "widths": "96-192"}, "one width per stage"),
        (
            "nfnet",
            192,
            {"depths": "1-2", "widths": "256", "group_width": 64, "ratio": 0.5, "last": 1.5},
            "one width per",
        ),
        ("poolformer", 224, {"depths": "2", "widths": "64-x"}, "joined by hyphens"),
        ("dpn", 224, {"variant": "98"}, "Known: 68, 92"),
        ("resnest", 224, {"depth": 18}, "Known: 50, 101, 152"),
        ("bit", 224, {"depth": 34}, "Known: 50, 101, 152"),
        ("efficientnet-v2", 384, {"variant": "xl"}, "rw-s, m"),
        ("regnet", 224, {"first": 24, "slope": 36.44, "ratio": 1.0, "depth": 13, "group_width": 8}, "must lie above 1"),
        ("efficientnet", 224, {"variant": "b9"}, "b0, b1"),
        ("mobilenet-v3", 224, {"variant": "huge"}, "large, small"),
        ("vit", 225, {"patch": 16, "width": 64, "depth": 1, "heads": 1}, "patches of 16"),
        ("swin", 256, {"width": 96, "depths": "2-2-6-2"}, "windows of 7"),
        ("unet", 100, {}, "multiple of 16"),
        ("ssd-resnet", 512, {}, "300 pixels, not 512"),
        ("retinanet", 800, {"depth": 18}, "no pyramid"),
        ("mask-rcnn", 800, {"depth": 34}, "no pyramid"),
        ("yolov3", 400, {}, "multiple of 32"),
        ("efficientdet", 512, {"variant": "d9"}, "d0, d1"),
        ("efficientdet", 500, {"variant": "d0"}, "multiple of 128"),
        ("wav2vec2", 16_000, {"ends": 7}, "ends take 2 x 7 layers of 12"),
        ("dcgan", 48, {}, "power of two"),
        ("deepspeech2", 100, {"cell": "sru"}, "Known: lstm, gru, rnn"),
        ("dlrm", 1, {"rows": "10-10", "bottom": "64-32", "top": "8-1"}, "width of the tables"),
        ("dlrm", 1, {"rows": "10-x", "bottom": "64-128", "top": "8-1"}, "joined by hyphens"),
        ("dlrm", 1, {"rows": "10-10", "lookups": "1-2-3", "bottom": "128", "top": "8-1"}, "names 3 tables"),
        ("graphsage", 8, {"features": 4, "hidden": 4, "classes": 2, "fanouts": "many"}, "joined by hyphens"),
        ("swin", 224, {"width": 96, "depths": "2-x"}, "joined by hyphens"),
        ("swin", 224, {"width": 96, "depths": "2-0-1"}, "at least 1"),
        ("resnet", 224, {"depth": "fifty"}, "'fifty'; a whole number is needed"),
        ("resnet", 224, {"depth": True}, "True; a whole number"),
        ("resnet", 224, {"depth": 50, "squeeze": 1}, "true or false is needed"),
        ("vit", 224, {"patch": 16, "width": 64, "depth": 1, "heads": 0}, "between 1 and"),
        ("vit", 224, {"patch": 16, "width": 64, "depth": 10**9, "heads": 1}, "more than 20000 layers"),
        ("mobilenet-v1", 224, {"width": -0.5}, "between 0 and"),
        ("r-gat", 8, {"features": 4, "hidden": 6, "classes": 2, "heads": 4, "relations": 1}, "multiple of heads"),
        ("latent-diffusion", 64, {"levels": "1-2", "depths": "1"}, "one depth per level"),
    ],
)
def test_a_network_that_cannot_be_is_refused_with_what_can(family, size, options, message):
    with pytest.raises(InputError, match=message):
        build(family, size, **options)


VALUES = st.integers(-2, 70) | st.sampled_from(["2-2-1-1", "64-128", "0", "", "a-b", "lstm", "large"]) | st.booleans()


@settings(max_examples=250, derandomize=True, deadline=None)
@given(family=st.sampled_from(sorted(FAMILIES)), size=st.sampled_from([1, 7, 28, 32, 64, 224]), data=st.data())
def test_whatever_the_options_a_network_is_built_whole_or_refused_in_words(family, size, data):
    known = list(inspect.signature(FAMILIES[family]).parameters.values())[1:]
    needed = {option.name: data.draw(VALUES) for option in known if option.default is inspect.Parameter.empty}
    others = {option.name: data.draw(VALUES) for option in known[-1:] if option.name not in needed}
    try:
        network = build(family, size, **needed, **others)
    except InputError as error:
        assert str(error)  # noqa: PT017  (either end is right)
        return
    assert network.parameters > 0
    assert network.macs > 0
    assert all(layer.outputs >= 0 and layer.parameters >= 0 for layer in network.layers)


def test_an_unknown_family_is_refused_with_near_names():
    with pytest.raises(UnknownName, match="resnet"):
        build("resnets", 224, depth=50)
