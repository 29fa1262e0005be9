"""Idle streams of the bench: what they cost in memory, and how long a box takes to be ready."""

from __future__ import annotations

import time

from appliance.load.client import Plan
from appliance.load.host import Host
from appliance.load.live import CLIENT_START_S, STAGGER_S, Recording, play, warm_up
from appliance.load.probe import Figures, ProcessWatch, figures_of_use, use_by_group

SPOKEN_S = 0.7  # of the recording's silent head, so that each stream has its decoder and its ear
HOLD_S = 6.0  # all streams are open together for some of it


def trial(host: Host, audio: Recording, streams: int) -> Figures:
    """Open `streams` mono streams that say nothing; keys as in docs/bench.md."""
    box = host.box(lambda fresh: warm_up(fresh, audio))
    alone_mb = use_by_group(box.process.pid)["gateway"].rss_mb
    begin = time.time() + CLIENT_START_S
    plans = [
        Plan(
            call=i,
            audio=str(audio.files[1]),
            legs=1,
            offset=0,
            start_at=begin + i * STAGGER_S / streams,
            seconds=SPOKEN_S,
            hold_s=HOLD_S,
        )
        for i in range(streams)
    ]
    before, _ = host.pages()
    with ProcessWatch(box.process.pid) as watch:
        heard = play(box.address, plans)
    after, _ = host.pages()
    opened = after.total("lingting_calls_total") - before.total("lingting_calls_total")
    return {
        "streams": streams,
        "opened": round(opened),
        "refused": sum(h.refused for h in heard),
        "errors": sum(bool(h.error) for h in heard),
        "ready_s": round(box.ready_s, 2),
        "triton_ready_s": round(host.proven_s, 2) if host.proven else None,
        "gateway_rss_before_mb": round(alone_mb),
        **figures_of_use(watch),
    }
