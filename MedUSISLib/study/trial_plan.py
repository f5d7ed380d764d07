"""Every reader's trials from cases, images and the secret; and readers who join later."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from MedUSISLib.imaging.writing import atomic_path
from MedUSISLib.study.key import KEY_NAME, Key, KeyCase, KeyImage, KeyStage, KeyTrial, load_study
from MedUSISLib.study.ordering import Item, Planned, generator, reader_order
from MedUSISLib.study.protocol import PROTOCOL_NAME, Protocol, check_change
from MedUSISLib.study.versioned import to_json

_PANEL_OF = {"real": "mr", "synthetic": "mr", "second": "mr", "ct": "ct", "uncertainty": "map"}


def planned_trials(
    protocol: Protocol,
    cases: Sequence[KeyCase],
    images: Iterable[KeyImage],
    secret: str,
    readers: Sequence[str] | None = None,
) -> list[KeyTrial]:
    """The trials of some readers (all, when not given), each in order.

    A reader's order depends on his place in the protocol, not on who else there is: readers can be added later.
    """
    image_of: dict[tuple[str, str], str] = {(image.case, image.role): image.name for image in images}
    items = [
        Item(
            case.id,
            tuple(n for n, arm in enumerate(protocol.arms) if all((case.id, role) in image_of for role in arm.panels)),
            case.stratum,
            case.status,
            case.training,
        )
        for case in cases
    ]
    trials: list[KeyTrial] = []
    for number, reader in enumerate(protocol.readers):
        if readers is not None and reader not in readers:
            continue
        order = reader_order(items, protocol, number, secret)
        names = _trial_names(protocol, secret, reader, len(order))
        for position, (planned, name) in enumerate(zip(order, names, strict=True), start=1):
            stages, right = _shown(planned, protocol, image_of)
            trials.append(
                KeyTrial(
                    id=name,
                    reader=reader,
                    session=planned.session,
                    position=position,
                    case=planned.case,
                    stages=stages,
                    right_answer=right,
                    repeat_of=names[planned.repeats] if planned.repeats is not None else "",
                    training=planned.training,
                )
            )
    return trials


def amend_study(study: str | Path, protocol: Protocol) -> Key:
    """Put a protocol in the place of a study's, as far as answers that exist already allow it.

    Title, introduction and breaks may change, readers may be added at the end; they get their orders. Packages and
    answers that are out remain valid.

    Raises
    ------
    MedUSISError
        BAD_SETTING naming what cannot be changed any more.
    """
    study = Path(study)
    before, key = load_study(study)
    check_change(before, protocol, started=True)
    added = planned_trials(protocol, key.cases, key.images, key.secret, protocol.readers[len(before.readers) :])
    amended = key.model_copy(update={"trials": (*key.trials, *added)})
    # The key first: a key with readers that the protocol does not have yet is no harm, the other way round would be.
    for name, content in ((KEY_NAME, to_json(amended)), (PROTOCOL_NAME, to_json(protocol))):
        with atomic_path(study / name) as half:
            half.touch(mode=0o600)
            half.write_text(content, encoding="utf-8", newline="\n")
    os.chmod(study / PROTOCOL_NAME, 0o644)
    return Key.model_validate(amended.model_dump())


def _trial_names(protocol: Protocol, secret: str, reader: str, count: int) -> list[str]:
    random = generator(protocol.randomisation.seed, secret, "names", f"trials {reader}")
    names: dict[str, None] = {}
    while len(names) < count:
        names[random.bytes(8).hex()] = None
    return list(names)


def _shown(
    planned: Planned, protocol: Protocol, image_of: Mapping[tuple[str, str], str]
) -> tuple[tuple[KeyStage, ...], str]:
    """What a trial shows, and the right answer where there is one."""
    arms = [protocol.arms[n] for n in planned.arms]
    if protocol.design == "forced-choice":
        roles = ["real", "synthetic"] if planned.flipped else ["synthetic", "real"]
        shown = tuple(image_of[planned.case, role] for role in roles)
        return (KeyStage(arm="pair", images=shown, places=("left", "right")),), "left" if planned.flipped else "right"
    stages = tuple(
        KeyStage(
            arm=arm.id,
            images=tuple(image_of[planned.case, role] for role in arm.panels),
            places=tuple(_PANEL_OF[role] for role in arm.panels),
        )
        for arm in arms
    )
    return stages, arms[0].panels[0] if protocol.kind == "visual-turing" else ""
