"""What bfloat16 changes in the image, in all pixels, and what a pass costs in either precision.

    OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE .venv/bin/python Testing/Benchmarks/speed/exactness.py [--slices 6]

Prepared networks against the plain one in float32: the standard generator (random weights) on made torsos, and head-t1w
on the sample head, with another noise vector for each slice. Processor milliseconds are the lowest of some rounds.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import numpy as np  # noqa: E402
import torch  # noqa: E402
from standard_generator import brightened, onehot_slices, standard_network  # noqa: E402
from torch import Tensor, nn  # noqa: E402

SAMPLES = Path(__file__).parents[3] / "Resources" / "SampleData"


def main() -> int:
    """Print the table; ends with 1 when a pixel differs by more than 1e-5, or 1e-2 in bfloat16."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slices", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    reached = True
    print("| network | arithmetic | largest difference | in 99.9 % | one pass (ms) | each further pass (ms) |")
    print("|---|---|---|---|---|---|")
    for name, (network, onehot) in cases(arguments.slices).items():
        for dtype, bound in ((torch.float32, 1e-5), (torch.bfloat16, 1e-2)):
            differences, one, further = measured(network, onehot, dtype, arguments.rounds)
            largest, most = float(differences.max()), float(np.quantile(differences, 0.999))
            reached = reached and largest <= bound
            print(f"| {name} | {str(dtype)[6:]} | {largest:.1e} | {most:.1e} | {one:.0f} | {further:.1f} |", flush=True)
    return int(not reached)


def cases(slices: int) -> dict[str, tuple[nn.Module, Tensor]]:
    """Networks and one-hot labels ``[slices, C, 256, 256]``."""
    head, labels = _head(slices)
    return {
        "standard, 54 M": (brightened(standard_network()), onehot_slices(range(slices))),
        "head-t1w": (head, labels),
    }


def _head(slices: int) -> tuple[nn.Module, Tensor]:
    """head-t1w, and slices spread over the labels of the sample head as the network gets them."""
    from MedUSISLib.synthesis.bookkeeping import RecordingProgress
    from MedUSISLib.synthesis.inputs import read_case
    from MedUSISLib.synthesis.label_grid import labels_on_grid
    from MedUSISLib.synthesis.loaded_generators import LoadedGenerators
    from MedUSISLib.synthesis.plan import plan_synthesis
    from MedUSISLib.synthesis.request import SynthesisRequest

    bundle, schema = LoadedGenerators().verified("head-t1w")
    request = SynthesisRequest(
        ct=SAMPLES / "head_ct.nii.gz", segmentation=SAMPLES / "head_seg.nii.gz", labels="head", out=Path("unused")
    )
    progress = RecordingProgress()
    case = read_case(request, schema, progress)
    plan = plan_synthesis(bundle.manifest, "slice", case.body, progress)
    volume = labels_on_grid(case, schema, plan)[0].array_kji
    numbers = np.linspace(0, len(volume) - 1, slices + 2).round().astype(int)[1:-1]
    indices = torch.from_numpy(np.ascontiguousarray(volume[numbers])).long()[:, None]
    onehot = torch.zeros(slices, schema.number_of_classes, *volume.shape[1:]).scatter_(1, indices, 1.0)
    return bundle.load_network(), onehot.contiguous(memory_format=torch.channels_last)


def measured(network: nn.Module, onehot: Tensor, dtype: torch.dtype, rounds: int) -> tuple[np.ndarray, float, float]:
    """Differences of all pixels, and processor milliseconds of one pass and of a further one."""
    from MedUSISLib.networks.keep_masks import MaskSource
    from MedUSISLib.networks.prepared_wavelet import PreparedWavelet

    prepared = PreparedWavelet(network, dtype)  # type: ignore[arg-type]
    found = []
    with torch.inference_mode():
        for number in range(len(onehot)):
            labels = onehot[number : number + 1]
            z = torch.randn(1, 64, generator=torch.Generator().manual_seed(number)).clamp(-2, 2)
            noise = prepared.with_noise(z)
            found.append((prepared(labels, noise) - network(labels, z)).abs().numpy())
        state = prepared.trunk(labels, noise)
        one = _lowest(lambda: prepared(labels, noise), rounds)
        further = _lowest(lambda: prepared.tail(state, [MaskSource(1, torch.device("cpu"))]), 5 * rounds)
    return np.stack(found), one, further


def _lowest(work, rounds: int) -> float:  # type: ignore[no-untyped-def]
    spent = []
    for _ in range(rounds):
        began = time.process_time()
        work()
        spent.append(1000 * (time.process_time() - began))
    return min(spent)


if __name__ == "__main__":
    sys.exit(main())
