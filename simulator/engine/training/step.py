"""One optimizer step as events: each stage of each class of replicas is a process that works through its schedule.

Replicas that behave alike are played once. They meet where gradients are exchanged: a stage's exchange begins when the
slowest replica has finished that stage's last backward pass.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any, Final

import simpy

from simulator.engine.trace import Record, Trace
from simulator.engine.training.mail import Mail
from simulator.engine.training.script import ReplicaPace, Script
from simulator.mapping.pipeline import Action, comes_from, goes_to, turns

NONE: Final = -1  # in place of a micro-batch or a chunk

Process = Generator[Any, Any, None]


def play(script: Script) -> Trace:
    """Return what happens in one step."""
    env = simpy.Environment()
    records: list[Record] = []
    mails = [Mail(env) for _ in script.replicas]
    for stage in range(script.stages):
        lives = (_passes(env, script, replica, stage, mail, records) for replica, mail in enumerate(mails))
        passes = [env.process(life) for life in lives]
        env.process(_update(env, script, stage, passes, records))
    env.run()
    return Trace(
        records=tuple(sorted(records, key=lambda record: (record.replica, record.stage, record.start, record.end))),
        replicas=tuple((replica.name, replica.count) for replica in script.replicas),
        stages=script.stages,
        end=int(env.now),
    )


def _passes(env: Any, script: Script, replica: int, stage: int, mail: Mail, records: list[Record]) -> Process:
    """Work through the schedule of one stage of one class of replicas."""
    pace, stages, chunks = script.replicas[replica], script.stages, script.chunks
    if script.host:
        yield env.timeout(script.host)
        records.append(Record(replica, stage, "host", NONE, NONE, 0, env.now))
    for together in turns(script.schedule(stage, stages, pace.micro_batches, chunks)):
        for action in together:
            if comes_from(action, stage, stages, chunks) is not None:
                yield from mail.take((stage, action.output))
        yield from _compute(env, replica, stage, together, pace, records)
        for action in together:
            target = goes_to(action, stage, stages, chunks)
            if target is None:
                continue
            own = pace.pace(stage, action)
            delay = max(own.boundary, pace.pace(target.stage, action).boundary)
            mail.post((target.stage, action._replace(chunk=target.chunk).output), delay)
            if own.exposed and len(together) == 1:
                start = env.now
                yield env.timeout(own.exposed)
                records.append(Record(replica, stage, "boundary", *action[1:3], start, env.now))


def _compute(
    env: Any, replica: int, stage: int, together: tuple[Action, ...], pace: ReplicaPace, records: list[Record]
) -> Process:
    """Do one pass, or several beside each other: they end together and are written down one after the other."""
    lengths = [pace.pace(stage, action).ticks(action) for action in together]
    saved = min(pace.pace(stage, action).joined for action in together) if len(together) > 1 else 0
    lengths[-1] -= saved
    start = env.now
    yield env.timeout(sum(lengths))
    for action, length in zip(together, lengths, strict=True):
        kind = "forward" if not action.backward else "weights" if action.half == "weights" else "backward"
        records.append(Record(replica, stage, kind, action.micro_batch, action.chunk, start, start + length))
        start += length


def _update(env: Any, script: Script, stage: int, passes: Sequence[Any], records: list[Record]) -> Process:
    """Exchange the gradients of one stage once all replicas have them, and update its weights."""
    yield env.all_of(passes)
    everyone = range(len(script.replicas))
    if hidden := script.gradients_hidden[stage]:
        start = max(env.now - hidden, script.host)
        records.extend(Record(replica, stage, "gradients-hidden", NONE, NONE, start, env.now) for replica in everyone)
    for kind, ticks in (("gradients", script.gradients[stage]), ("optimizer", script.optimizer[stage]),
                        ("offload", script.offload[stage])):  # fmt: skip
        if ticks:
            start = env.now
            yield env.timeout(ticks)
            records.extend(Record(replica, stage, kind, NONE, NONE, start, env.now) for replica in everyone)
