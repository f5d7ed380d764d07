"""How many images at once, and images side by side on cores of their own."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from tiny_generator import tiny_bundle

from MedUSISLib.synthesis.batches import default_batch_size
from MedUSISLib.synthesis.image_workers import ImageWorkers
from MedUSISLib.synthesis.passes import PassSampler, PassSettings

CPU, SLICE = torch.device("cpu"), 256 * 256


@pytest.fixture
def four_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("four_threads")
def test_each_core_gets_an_image_while_memory_lasts() -> None:
    assert default_batch_size(CPU, SLICE, free_bytes=16 << 30) == 4
    assert default_batch_size(CPU, SLICE, free_bytes=600 << 20) == 3
    assert default_batch_size(CPU, SLICE, free_bytes=0) == 2
    assert default_batch_size(CPU, 96**3, free_bytes=16 << 30) == 1
    assert default_batch_size(torch.device("cuda"), SLICE, free_bytes=16 << 30) == 16
    assert default_batch_size(torch.device("cuda"), SLICE, free_bytes=1 << 30) == 5
    assert default_batch_size(CPU, SLICE) >= 2


@pytest.mark.usefixtures("four_threads")
def test_workers_share_the_threads_and_leave_the_caller_its_own() -> None:
    workers = ImageWorkers()
    found = workers.map(lambda _: (threading.get_ident(), torch.get_num_threads()), [0, 1])
    assert {share for _, share in found} == {2}
    assert threading.get_ident() not in {name for name, _ in found}
    assert torch.get_num_threads() == 4
    assert {share for _, share in workers.map(lambda _: (0, torch.get_num_threads()), range(8))} == {1}
    assert torch.get_num_threads() == 4
    assert workers.map(lambda _: threading.get_ident(), [0]) == [threading.get_ident()]


@pytest.mark.usefixtures("four_threads")
def test_a_failure_of_one_image_reaches_the_caller_after_all_have_ended() -> None:
    ended = []

    def work(number: int) -> int:
        if number == 1:
            raise MemoryError("out of memory")
        threading.Event().wait(0.05)
        ended.append(number)
        return number

    with pytest.raises(MemoryError):
        ImageWorkers().map(work, [0, 1, 2])
    assert sorted(ended) == [0, 2]


@pytest.mark.parametrize("passes", [1, 3])
def test_images_side_by_side_are_those_of_one_after_the_other(
    tmp_path_factory: pytest.TempPathFactory, passes: int
) -> None:
    bundle = tiny_bundle(tmp_path_factory.mktemp("bundle") / "tiny")
    labels = np.random.default_rng(0).integers(0, 16, (5, 64, 64)).astype(np.uint8)
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            sampler = PassSampler(bundle.load_network(), bundle.manifest, PassSettings(passes=passes, noise_samples=2))
            found.append(sampler.maps(labels, keys=range(5)))
    finally:
        torch.set_num_threads(before)
    for name in ("mean", "variance", "spread"):
        np.testing.assert_allclose(getattr(found[0], name), getattr(found[1], name), atol=1e-5)
