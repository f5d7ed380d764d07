"""One of two processes of a test: BatchNorm and sums over both, against one process that sees everything."""

from __future__ import annotations

import copy
import sys

import torch
from torch import nn

from MedUSISLib.networks.all_reduce import sum_over_processes
from MedUSISLib.networks.synchronised_batch_norm import go_alone, synchronise_batch_norm
from MedUSISLib.training.losses.periodic_pattern import periodic_pattern_loss

SIZES = {2: (5, 3, 6, 4), 3: (5, 3, 4, 6, 2)}


def batch_norm_equals_that_of_the_whole_batch(rank: int, dims: int, dtype: torch.dtype, momentum: float | None) -> None:
    torch.manual_seed(dims)
    kind = nn.BatchNorm2d if dims == 2 else nn.BatchNorm3d
    # far from zero, so that a variance that is taken as a difference of squares would suffer
    whole = (torch.randn(SIZES[dims]) * 0.3 + 40).requires_grad_()
    weight = torch.randn(SIZES[dims])
    alone = nn.Sequential(kind(3, affine=False, momentum=momentum))
    together = synchronise_batch_norm(copy.deepcopy(alone))
    assert together.state_dict().keys() == alone.state_dict().keys()
    mine = slice(0, 3) if rank == 0 else slice(3, 5)  # not the same number of images in both
    part = whole.detach()[mine].clone().requires_grad_()
    for _ in range(2):
        expected = alone(whole)
        found = together(part.to(dtype)).float()
    tolerance = {"rtol": 1e-4, "atol": 5e-5} if dtype == torch.float32 else {"rtol": 0.0, "atol": 0.5}
    torch.testing.assert_close(found, expected[mine], **tolerance)
    if dtype == torch.float32:
        for name, value in alone.state_dict().items():
            torch.testing.assert_close(together.state_dict()[name], value, rtol=1e-5, atol=1e-6)
        (expected * weight).square().sum().backward()
        (found * weight[mine]).square().sum().backward()
        torch.testing.assert_close(part.grad, whole.grad[mine], rtol=2e-3, atol=1e-3 * float(whole.grad.abs().max()))
    own = copy.deepcopy(together)
    torch.testing.assert_close(go_alone(own)(part), kind(3, affine=False)(part))
    together.eval()
    alone.eval()
    torch.testing.assert_close(together(part), alone(part), rtol=1e-3, atol=1e-3)


def gradients_pass_through_a_sum(rank: int) -> None:
    own = torch.tensor([1.0 + rank, 2.0], requires_grad=True)
    total = sum_over_processes(own)
    assert total.tolist() == [3.0, 4.0]
    # The whole loss is the sum of what both compute: 1 * total0^2 + 2 * total0^2.
    ((1 + rank) * total[0] ** 2).backward()
    assert own.grad.tolist() == [3 * 2 * 3.0, 0.0]


def pattern_is_that_of_the_whole_batch(rank: int) -> None:
    torch.manual_seed(0)
    whole = torch.randn(4, 1, 16, 16, requires_grad=True)
    labels = torch.randint(0, 3, (4, 16, 16))
    mine = slice(0, 1) if rank == 0 else slice(1, 4)
    part = whole.detach()[mine].clone().requires_grad_()
    # Each process's share of the loss of all, as in a step.
    share = len(part) / len(whole)
    found = periodic_pattern_loss(part, labels[mine], 3, minimum_pixels=150)
    (share * found).backward()
    torch.distributed.barrier()
    group = torch.distributed.group.WORLD
    torch.distributed.destroy_process_group(group)  # what follows is one process alone
    expected = periodic_pattern_loss(whole, labels, 3, minimum_pixels=150)
    expected.backward()
    assert float(expected) > 0.01
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(part.grad, whole.grad[mine])


def main() -> None:
    rank, place = int(sys.argv[1]), sys.argv[2]
    torch.distributed.init_process_group("gloo", init_method=f"file://{place}", rank=rank, world_size=2)
    for dims in (2, 3):
        for dtype, momentum in ((torch.float32, 0.1), (torch.float32, None), (torch.bfloat16, 0.1)):
            batch_norm_equals_that_of_the_whole_batch(rank, dims, dtype, momentum)
    gradients_pass_through_a_sum(rank)
    pattern_is_that_of_the_whole_batch(rank)


if __name__ == "__main__":
    main()
