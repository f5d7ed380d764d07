"""What docs/cluster.md tells people to run: it is a shell script, its options exist, and it does what is said."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from cluster_example import made_cases
from ray_nodes_example import free_port

from MedUSISLib.batch.manifest import Manifest
from MedUSISLib.batch.states import CaseState
from MedUSISLib.jobs.process_tree import kill_session

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "cluster.md").read_text(encoding="utf-8")
SCRIPTS = re.findall(r"```bash\n(.*?)```", PAGE, re.S)
RAY_JOB = next(script for script in SCRIPTS if "scontrol" in script)
ARRAY_JOB = next(script for script in SCRIPTS if "SLURM_ARRAY_TASK_ID" in script)
JOIN = next(script for script in SCRIPTS if script.startswith("awk"))

SRUN = """#!/bin/bash
while [[ $1 == -* ]]; do [[ $1 == -w ]] && shift; shift; done
[[ $1 == hostname ]] && { echo "$NODE_ADDRESS"; exit; }
exec "$@"
"""


@pytest.mark.parametrize("script", SCRIPTS, ids=range(len(SCRIPTS)))
def test_scripts_are_scripts(script: str) -> None:
    done = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_options_of_the_scripts_exist() -> None:
    from typer.main import get_command

    from MedUSISLib.cli.main import app

    known = {name for option in get_command(app).commands["batch"].params for name in option.opts}  # type: ignore
    for script in SCRIPTS:
        for command in re.findall(r"medusis batch (.*)", script.replace("\\\n", " ")):
            used = set(re.findall(r"(?<=\s)--[a-z-]+", f" {command}"))
            assert used and used <= known


def test_tables_of_parts_are_put_together(tmp_path: Path) -> None:
    for part in (1, 2):
        folder = tmp_path / "mr" / f"part-{part}"
        folder.mkdir(parents=True)
        (folder / "quality.csv").write_text(f"case,verdict\ncase-0001,good{part}\n")
    subprocess.run(["bash", "-c", JOIN.replace("/shared/study", str(tmp_path))], check=True)
    assert (tmp_path / "mr" / "quality.csv").read_text().splitlines() == [
        "part,case,verdict",
        "part-1,case-0001,good1",
        "part-2,case-0001,good2",
    ]


def slurm(folder: Path) -> dict[str, str]:
    """The environment of a job whose nodes are all this machine, with an environment that is this one."""
    tools = folder / "tools"
    (folder / "home" / "medusis" / "bin").mkdir(parents=True)
    tools.mkdir()
    (folder / "home" / "medusis" / "bin" / "activate").write_text(f'PATH="{Path(sys.executable).parent}:$PATH"\n')
    for name, text in (("srun", SRUN), ("scontrol", "#!/bin/bash\necho node1; echo node2\n")):
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    return {
        **os.environ,
        "HOME": str(folder / "home"),
        "PATH": f"{tools}:{os.environ['PATH']}",
        "OMP_NUM_THREADS": "1",
        "SLURM_JOB_NODELIST": "node[1-2]",
        "SLURM_JOB_ID": str(free_port()),
        "SLURM_CPUS_PER_TASK": "1",
        "MEDUSIS_LOGS": str(folder / "logs"),
    }


def states(out: Path) -> list[CaseState]:
    with Manifest.open(out, read_only=True) as manifest:
        return [row.state for row in manifest.rows()]


@pytest.mark.long
def test_the_job_with_ray_does_its_batch_and_leaves_nothing(tmp_path: Path) -> None:
    pytest.importorskip("grpc", reason="the extra 'cluster' is not installed")
    from ray.util import get_node_ip_address

    request = made_cases(tmp_path, 3)
    environment = slurm(tmp_path) | {
        "NODE_ADDRESS": get_node_ip_address(),
        "INPUT": str(request.input),
        "OUT": str(request.out),
        "GENERATOR": request.generator,
        "OPTIONS": "--labels head --passes 1 --device cpu",
    }
    log = tmp_path / "slurm.out"
    with log.open("w") as output:
        job = subprocess.Popen(
            ["bash", "-c", RAY_JOB], env=environment, stdout=output, stderr=output, start_new_session=True
        )
    try:
        assert job.wait(900) == 0, log.read_text()
    finally:
        job.kill()
        job.wait()
        kill_session(job.pid)
    assert "3 case(s): 3 done" in log.read_text()
    assert states(request.out) == [CaseState.DONE] * 3
    assert not Path(f"/tmp/medusis-ray-{environment['SLURM_JOB_ID']}").exists()


@pytest.mark.long
def test_the_jobs_of_the_array_do_every_case_once(tmp_path: Path) -> None:
    request = made_cases(tmp_path, 3)
    script = ARRAY_JOB.replace("/shared/study/patients", str(request.input)).replace("/shared/study", str(tmp_path))
    script = script.replace("--generator head-t1w", f"--generator {request.generator} --labels head --passes 1")
    done = []
    for part in ("1", "2"):
        array = {"SLURM_ARRAY_TASK_ID": part, "SLURM_ARRAY_TASK_COUNT": "2"}
        (tmp_path / part).mkdir()
        environment = slurm(tmp_path / part) | array
        subprocess.run(["bash", "-c", script], env=environment, check=True, timeout=500)
        done += states(tmp_path / "mr" / f"part-{part}")
    assert done == [CaseState.DONE] * 3
