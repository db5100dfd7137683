"""The obvious twin of the fleet kernel: one event per iteration, one object per request, no closed forms."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

NEVER = 2**62


@dataclass(eq=False)
class Request:
    k: int
    arrival: int
    prompt: int
    output: int
    chain: list[int] = field(default_factory=list)
    priority: int = 0
    deadline: int = NEVER
    generated: int = 0
    context: int = 0  # tokens in the cache while running
    computed: int = 0
    scheduled: int = -1
    first: int = -1
    finish: int = -1
    outcome: int = 0
    preemptions: int = 0
    swapped: bool = False
    reused: int = 0


class Replica:
    def __init__(self, settings, name, pool):
        self.s, self.name = settings, name
        self.pool = pool  # OrderedDict of blocks that replicas share, or None
        self.spare = 0  # guessed tokens that are due, in 1024ths
        self.waiting: list[Request] = []
        self.running: list[Request] = []  # in order of admission
        self.partial: Request | None = None
        self.joining: list[Request] = []
        self.references: dict[int, int] = {}
        self.released: OrderedDict[int, None] = OrderedDict()
        self.lower: list[OrderedDict[int, None]] = [OrderedDict() for _ in settings.tiers]
        self.found = [0, 0, 0, 0]
        self.private: dict[Request, int] = {}
        self.busy_until = NEVER
        self.decoding = False
        self.wake = NEVER

    # memory
    @property
    def used(self):
        return sum(self.private.values()) + len(self.references) * self.s.group

    @property
    def free(self):
        return self.s.blocks - self.used

    def private_of(self, q, context):
        if not self.s.paged:
            context = q.prompt + q.output
        return -(-context // self.s.block_size) - len(q.chain) * self.s.group

    def fits(self, q, context, reserved):
        new = sum(1 for block in q.chain if block not in self.references)
        return self.private_of(q, context) + new * self.s.group + reserved <= self.free

    def make_room(self, blocks):
        while self.released and self.free - len(self.released) * self.s.group < blocks:
            block, _ = self.released.popitem(last=False)
            for tier, (room, _) in zip(self.lower, self.s.tiers, strict=True):
                tier[block] = None
                if len(tier) <= room:
                    break
                block, _ = tier.popitem(last=False)

    def tier_of(self, block):
        """0 in device memory, 1 and 2 below, None nowhere."""
        if block in self.references or block in self.released:
            return 0
        below = next((i for i, tier in enumerate(self.lower, 1) if block in tier), None)
        return 3 if below is None and self.pool is not None and block in self.pool else below

    def store(self, q):
        for block in reversed(q.chain if self.pool is not None else []):
            self.pool.pop(block, None)
            if len(self.pool) == self.s.pool_blocks:
                self.pool.popitem(last=False)
            self.pool[block] = None

    def take(self, q, context):
        known = [block for block in q.chain if self.tier_of(block) not in (None, 3)]
        below = [block for block in known if self.tier_of(block) > 0]
        for block in known:
            for held in (self.released, *self.lower):
                held.pop(block, None)
            if block not in below:
                self.references[block] = self.references.get(block, 0) + 1
        self.make_room(len(below) * self.s.group)
        for block in below:
            self.references[block] = 1
        for block in q.chain:
            if block not in known:
                self.make_room(self.s.group)
                self.references[block] = 1
        self.make_room(self.private_of(q, context))
        self.private[q] = self.private_of(q, context)

    def give(self, q):
        del self.private[q]
        for block in reversed(q.chain):
            self.references[block] -= 1
            if not self.references[block]:
                del self.references[block]
                self.released[block] = None

    def opens_block(self, q):
        return self.s.paged and q.context % self.s.block_size == 0

    # scheduling
    def enqueue(self, q, front):
        same = [i for i, other in enumerate(self.waiting) if other.priority == q.priority]
        if same:
            place = same[0] if front else same[-1] + 1
        else:
            place = sum(1 for other in self.waiting if other.priority < q.priority)
        self.waiting.insert(place, q)

    def preempt_until_fits(self):
        ticks, count = 0, 0
        while sum(map(self.opens_block, self.running)) > self.free:
            everyone = self.running + ([self.partial] if self.partial else [])
            q = max(everyone, key=lambda q: q.stamp)
            self.give(q)
            q.preemptions += 1
            count += 1
            if q is self.partial:
                self.partial = None
            else:
                self.running.remove(q)
                q.swapped = self.s.swap > 0
                ticks += q.context * self.s.swap
            self.enqueue(q, front=True)
        return count, ticks

    def plan(self, t):
        s = self.s
        self.joining, swapping, evicted, loading = [], 0, 0, 0
        budget = s.budget
        if s.mixed:
            evicted, swapping = self.preempt_until_fits()
            budget -= len(self.running) * (s.guesses + 1)
        tokens = pairs = joined = 0
        if not evicted:
            if self.partial and budget > 0:
                q = self.partial
                left = q.prompt + q.generated - q.computed
                tokens = min(left, budget)
                pairs += tokens * (2 * q.computed + tokens)
                q.computed += tokens
                joined = 1
                if tokens == left:
                    self.joining.append(q)
                    self.partial = None
            while not self.partial and len(self.running) + joined < s.max_seqs:
                while self.waiting and self.waiting[0].deadline < t and self.waiting[0].scheduled < 0:
                    q = self.waiting.pop(0)
                    q.finish, q.outcome = q.deadline, 3
                if not self.waiting:
                    break
                q = self.waiting[0]
                reserved = sum(map(self.opens_block, self.running)) if s.mixed else 0
                if q.swapped:
                    if not self.fits(q, q.context, reserved + 1):
                        break
                    self.admit(q, t, q.context)
                    swapping += q.context * s.swap
                    q.swapped = False
                    self.running.append(q)
                    budget -= s.mixed * (s.guesses + 1)
                    continue
                context = q.prompt + q.generated
                if budget - tokens <= 0 or not self.fits(q, context, reserved):
                    break
                hits = 0
                for block in q.chain:
                    if self.tier_of(block) is None:
                        break
                    hits += 1
                done = min(hits * s.group * s.block_size, context - 1)
                left = context - done
                if not s.chunked and left > budget - tokens and joined:
                    break
                for block in q.chain[:hits]:
                    tier = self.tier_of(block)
                    self.found[tier] += s.group * s.block_size
                    loading += s.tiers[tier - 1][1] if 0 < tier < 3 else 0
                loading += s.read(sum(self.tier_of(block) == 3 for block in q.chain[:hits]), t)
                self.admit(q, t, context)
                q.reused = done
                taken = min(left, budget - tokens) if s.chunked else left
                pairs += taken * (2 * done + taken)
                tokens += taken
                joined += 1
                q.computed = done + taken
                if taken == left:
                    self.joining.append(q)
                else:
                    self.partial = q
        if not tokens and s.paged and not s.mixed:
            swapping += self.preempt_until_fits()[1]
        decoders = self.running if s.mixed or not tokens else []
        self.decoding = bool(decoders)
        self.prompts = tokens > 0
        if not tokens and not decoders:
            self.busy_until = NEVER
            return
        device = s.dense(len(decoders) * (s.guesses + 1) + tokens) if tokens else s.decode(len(decoders))
        if tokens and s.draft_table:
            device += s.draft(len(decoders) + tokens)
            for _ in range(s.guesses - 1 if decoders else 0):
                device += s.draft(len(decoders))
        if decoders:
            device += (s.per_context_prompt if tokens else s.per_context) * sum(q.context + 1 for q in decoders)
        if tokens:
            device += s.prefill_fixed + pairs * s.per_pair
            swapping += loading - min(loading, device) * (s.pieces - 1) // s.pieces
        self.steps = 1
        if tokens and decoders and s.yields != 1024:
            self.spare += s.yields
            self.steps, self.spare = self.spare // 1024, self.spare % 1024
            if s.paged:
                while self.steps > 1 and self.opened_in(self.steps) > self.free:
                    self.steps -= 1
        host = s.host + s.host_seq * (len(decoders) + (1 if tokens else 0)) + (s.host_prompt if tokens else 0)
        self.busy_until = t + swapping + max(host, device)

    def admit(self, q, t, context):
        self.waiting.pop(0)
        self.take(q, context)
        if q.scheduled < 0:
            q.scheduled = t
        q.stamp = self.s.next_stamp()

    def opened_in(self, steps):
        """Blocks that the running requests open in so many iterations, all of them going on."""
        return sum((q.context + i) % self.s.block_size == 0 for q in self.running for i in range(steps))

    def end_step(self, t):
        for _ in range(self.steps if self.decoding else 0):
            for q in self.running:
                self.private[q] += self.opens_block(q)
                q.context += 1
                q.generated += 1
            self.make_room(0)
            for q in sorted(self.running, key=lambda q: q.k):
                if q.generated == q.output:
                    q.finish, q.outcome = t, 1
                    self.give(q)
                    self.running.remove(q)
        for q in self.joining:
            self.store(q)
            q.context = q.prompt + q.generated
            if q.generated == 0:
                q.first = t
            q.generated += 1
            if q.generated == q.output:
                q.finish, q.outcome = t, 1
                self.give(q)
            else:
                self.running.append(q)
        self.joining = []


@dataclass
class Settings:
    table: list[int]
    slope: int
    decode_table: list[int]
    decode_slope: int
    per_context: int
    per_context_prompt: int
    per_pair: int
    prefill_fixed: int
    host: int
    host_seq: int
    host_prompt: int
    blocks: int
    block_size: int
    max_seqs: int
    budget: int
    chunked: bool
    mixed: bool
    paged: bool
    swap: int
    group: int
    tiers: list[tuple[int, int]] = field(default_factory=list)  # blocks held, ticks to bring one back
    pool_blocks: int = 0
    pool_ticks: int = 0  # to bring a block from the pool
    pool_own: int = 0  # that the pool itself takes for it
    pool_read: int = 0  # when it has read what it was asked for (one pool for all)
    pieces: int = 1
    guesses: int = 0
    yields: int = 1024
    draft_table: list[int] = field(default_factory=list)
    stamps: int = 0

    def read(self, blocks, t):
        if not blocks:
            return 0
        own = blocks * self.pool_ticks
        if self.pool_own:
            self.pool_read = max(self.pool_read, t) + blocks * self.pool_own
            own = max(own, self.pool_read - t)
        return own

    def draft(self, m):
        last = len(self.draft_table) - 1
        if m <= last:
            return self.draft_table[m]
        return self.draft_table[last] + (m - last) * (self.draft_table[-1] - self.draft_table[-2])

    def dense(self, m):
        last = len(self.table) - 1
        return self.table[m] if m <= last else self.table[last] + (m - last) * self.slope

    def decode(self, m):
        last = len(self.decode_table) - 1
        if m <= last:
            return self.decode_table[m]
        return self.decode_table[last] + (m - last) * self.decode_slope

    def next_stamp(self):
        self.stamps += 1
        return self.stamps


def serve(requests: list[Request], settings: Settings, replicas: int = 1) -> list[Replica]:
    """Serve by round robin; the requests carry the answers, the replicas what they found in their caches."""
    pool = OrderedDict() if settings.pool_blocks else None
    fleet = [Replica(settings, r, pool) for r in range(replicas)]
    turn, i = 0, 0
    while True:
        arrival = requests[i].arrival if i < len(requests) else NEVER
        step = min(min(r.busy_until, r.wake) for r in fleet)
        t = min(arrival, step)
        if t == NEVER:
            return fleet
        if arrival == t:
            q, r = requests[i], fleet[turn % replicas]
            i, turn = i + 1, turn + 1
            if -(-(q.prompt + q.output) // settings.block_size) > settings.blocks:
                q.finish, q.outcome = t, 4
                continue
            r.enqueue(q, front=False)
            if r.busy_until == NEVER:
                r.wake = t
            continue
        for r in fleet:
            if r.wake == t:
                r.wake = NEVER
                r.plan(t)
            elif r.busy_until == t:
                r.end_step(t)
                r.plan(t)
