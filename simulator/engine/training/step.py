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
from simulator.engine.training.script import Script
from simulator.mapping.pipeline import comes_from, goes_to

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
    pace, stages, chunks = script.replicas[replica].stages[stage], script.stages, script.chunks
    if script.host:
        yield env.timeout(script.host)
        records.append(Record(replica, stage, "host", NONE, NONE, 0, env.now))
    for action in script.schedule(stage, stages, script.micro_batches, chunks):
        backward, number, chunk = action
        if comes_from(action, stage, stages, chunks) is not None:
            yield from mail.take((stage, action))
        start = env.now
        yield env.timeout(pace.backward if backward else pace.forward)
        records.append(Record(replica, stage, "backward" if backward else "forward", number, chunk, start, env.now))
        target = goes_to(action, stage, stages, chunks)
        if target is None:
            continue
        delay = max(pace.boundary, script.replicas[replica].stages[target.stage].boundary)
        mail.post((target.stage, action._replace(chunk=target.chunk)), delay)
        if pace.exposed:
            start = env.now
            yield env.timeout(pace.exposed)
            records.append(Record(replica, stage, "boundary", number, chunk, start, env.now))


def _update(env: Any, script: Script, stage: int, passes: Sequence[Any], records: list[Record]) -> Process:
    """Exchange the gradients of one stage once all replicas have them, and update its weights."""
    yield env.all_of(passes)
    everyone = range(len(script.replicas))
    if hidden := script.gradients_hidden[stage]:
        start = max(env.now - hidden, script.host)
        records.extend(Record(replica, stage, "gradients-hidden", NONE, NONE, start, env.now) for replica in everyone)
    for kind, ticks in (("gradients", script.gradients[stage]), ("optimizer", script.optimizer[stage])):
        if ticks:
            start = env.now
            yield env.timeout(ticks)
            records.extend(Record(replica, stage, kind, NONE, NONE, start, env.now) for replica in everyone)
