"""A call from its first byte to its hang-up."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace

from appliance.audio.decoder import AudioDecoder
from appliance.audio.offset import Offset
from appliance.call.backlog import Backlog
from appliance.call.crosstalk import Crosstalk
from appliance.call.ear import Ear
from appliance.call.emotion import EmotionTracker
from appliance.call.keeping import Ending, Keeper
from appliance.call.leg import LegPipeline
from appliance.call.log import EventLog
from appliance.call.speakers import Count, Speakers
from appliance.call.timeline import Timeline
from appliance.call.track import Excerpt
from appliance.errors import EngineUnavailable, LingtingError
from appliance.messages import (
    BOX_LANGUAGE,
    Attribution,
    CallConfig,
    Event,
    Final,
    NumberedEvent,
    SpeakerTurn,
    Transcript,
)
from inference.tensors import EMOTION_MODEL, SAMPLE_RATE_HZ, Audio

BITE_S = 2.0  # audio is taken in bites of this length, so that other calls get their turn


class Call:
    """Bytes in by `accept`, events out by `events`. Opened by `Box.open_call` only.

    `accept` waits while recognition is behind: whoever feeds a call is slowed, never buffered.
    The first error fails the call: `accept`, `finish` and `events` raise it.

    Args:
        admit: called once with the number of legs when the first audio arrives; may raise
            Overloaded.
    """

    def __init__(
        self,
        config: CallConfig,
        ear: Ear,
        decoder: AudioDecoder,
        *,
        admit: Callable[[int], None],
        keeper: Keeper | None = None,
    ) -> None:
        if config.language == BOX_LANGUAGE:
            config = replace(config, language=ear.language)
        self.config = config
        self._ear = ear
        self._admit = admit
        self._decoder = decoder
        self.keeper = keeper
        self.log = keeper.log if keeper else EventLog()
        self._legs: list[LegPipeline] = []
        self._offsets: list[Offset] = []  # of the legs' zero
        self._crosstalk: Crosstalk | None = None  # where two legs may hear each other
        self._speakers: Speakers | None = None  # where one leg carries the whole call
        self._moods: EmotionTracker | None = None
        self._backlog: Backlog | None = None  # of moods, until a recording's speakers are known
        self._attributing: set[asyncio.Task[None]] = set()  # provisional speakers under way
        self._attributions: list[Attribution] = []  # settled
        self._turn = asyncio.Lock()  # audio, forced endpoints and the end come one at a time
        self._samples = 0  # per leg
        self._finished = False  # no more audio is taken
        self._finishing: asyncio.Task[None] | None = None
        self._complete = False  # every final is published
        self._broke_off = False  # its caller went away in the middle
        self._handing_over: asyncio.Task[None] | None = None
        self._failed: Exception | None = None  # by the door or the box, not by the audio

    @property
    def duration_ms(self) -> int:
        return self._samples * 1000 // SAMPLE_RATE_HZ

    @property
    def tells_speakers(self) -> bool:
        """Whether each final is followed by who spoke it; known from the first audio on."""
        return self._speakers is not None

    @property
    def leg_count(self) -> int:
        return len(self._legs)

    async def accept(self, data: bytes) -> None:
        """Take bytes as the caller sent them."""
        async with self._failing(), self._turn:
            if self.keeper and not self._finished:
                await self.keeper.hear(data)
            if not self._finished:
                await self._take(await self._decoder.feed(data))
            if self._failed:
                raise self._failed

    async def _take(self, audio: list[Audio]) -> None:
        """One array per channel, all of one length."""
        if not audio or not len(audio[0]):
            return
        if not self._legs:
            self._open_legs(len(audio))
        bite = int(BITE_S * SAMPLE_RATE_HZ)
        for at in range(0, len(audio[0]), bite):
            pieces = [
                offset.off(channel[at : at + bite])
                for offset, channel in zip(self._offsets, audio, strict=False)
            ]
            self._samples += len(pieces[0])
            await self._hear(self._crosstalk.clean(pieces) if self._crosstalk else pieces)
        door, kind = self.config.door, "live" if self.config.live else "recording"
        seconds = len(audio[0]) * len(self._legs) / SAMPLE_RATE_HZ
        self._ear.metrics.audio_seconds_total.labels(door, kind).inc(seconds)
        self.log.heard(self.duration_ms)

    async def _hear(self, pieces: list[Audio]) -> None:
        """As many samples of each leg."""
        if self._speakers:  # first: a final of this bite asks who spoke it
            await self._speakers.hear(pieces[0])
        await asyncio.gather(
            *(leg.accept(piece) for leg, piece in zip(self._legs, pieces, strict=True))
        )

    def _open_legs(self, channels: int) -> None:
        count = channels if self.config.separate_legs else 1
        self._admit(count)
        self._legs = [
            LegPipeline(i, self.config, self._ear, self.log, self._spoken) for i in range(count)
        ]
        self._offsets = [Offset() for _ in range(count)]
        if count == 2:
            self._crosstalk = Crosstalk()
        if self.config.moods and self._ear.emotions.enabled:
            self._moods = self._tell_moods()
        if count == 1 and (self.config.diarize or self._ear.speakers.always):
            self._speakers = self._tell_apart()
            if self._speakers and self._moods and not self.config.live:
                self._backlog = Backlog.opened()
                self._moods = self._moods if self._backlog else None

    def _tell_moods(self) -> EmotionTracker | None:
        """None if no engine can."""
        ear = self._ear
        with contextlib.suppress(LingtingError):
            ear.engine.card(EMOTION_MODEL)
            return EmotionTracker(ear.engine, ear.emotions, ear.lexicon, self.config, self.log.put)
        return None

    def _tell_apart(self) -> Speakers | None:
        """None if no engine can: the call goes on without speakers."""
        most = max(self.config.most_speakers or self._ear.speakers.most, self.config.least_speakers)
        count = Count(self.config.least_speakers, most)
        with contextlib.suppress(LingtingError):
            return Speakers(self._ear.engine, self._ear.speakers, count, live=self.config.live)
        return None

    async def _spoken(self, final: Final, clip: Excerpt) -> None:
        """A leg has published a final: tell who spoke and in what mood, a moment later.

        Whose mood it is comes first; a recording knows that at its end.
        """
        if self._speakers and self.config.live:
            task = asyncio.create_task(self._attribute(self._speakers, final, clip))
            self._attributing.add(task)
            task.add_done_callback(self._attributing.discard)
        elif self._backlog:
            await self._backlog.add(final, clip)
        elif self._moods:
            shared = len(self._legs) == 1 and not self.config.leg_roles
            await self._moods.feel(final, clip, Timeline(()) if shared else None)

    async def _attribute(self, speakers: Speakers, final: Final, clip: Excerpt) -> None:
        """Each final gets its answer, even if that is nobody: a door may wait for it."""
        turns = tuple(await speakers.now(final.end_ms))
        told = (final.end_ms, False, speakers.model, speakers.demo)
        await self.log.put(Attribution(final.leg, turns, *told))
        if self._moods:
            await self._moods.feel(final, clip, Timeline(turns))

    async def _settle(self) -> None:
        """The last word on who spoke and on moods."""
        if self._attributing:
            await asyncio.wait(self._attributing)
        turns: tuple[SpeakerTurn, ...] = ()
        if self._speakers:
            turns = await self._settle_speakers(self._speakers)
        if self._moods and self._backlog:
            async for final, clip in self._backlog.read():
                await self._moods.feel(final, clip, Timeline(turns))
        if self._moods:
            await self._moods.catch_up()

    async def _settle_speakers(self, speakers: Speakers) -> tuple[SpeakerTurn, ...]:
        turns = tuple(await speakers.settle())
        if not speakers.failed:
            told = (self.duration_ms, True, speakers.model, speakers.demo)
            settled = Attribution(0, turns, *told)
            self._attributions.append(settled)
            await self.log.put(settled)
        return turns

    async def force_endpoint(self) -> None:
        """End the running utterance of every leg now."""
        async with self._failing(), self._turn:
            await asyncio.gather(*(leg.force_endpoint() for leg in self._legs))

    async def catch_up(self) -> None:
        """Wait until all that was said so far is published, speakers included."""
        for leg in self._legs:
            await leg.catch_up()
        while self._attributing:
            await asyncio.wait(self._attributing)
        if self._moods:
            await self._moods.catch_up()

    async def finish(self) -> None:
        """No more audio: publish every final, then `events` ends. Safe to call twice.

        Whoever gives up waiting for it stops nothing: `wind_up` waits on.
        """
        if self._finishing is None:
            if self._finished:  # closed
                return
            self._finishing = asyncio.create_task(self._finish())
        await asyncio.shield(self._finishing)

    async def _finish(self) -> None:
        async with self._failing(), self._turn:
            self._finished = True
            async for audio in self._decoder.drain():
                await self._take(audio)
            if self._crosstalk:
                await self._hear(self._crosstalk.rest())
            await asyncio.gather(*(leg.finish() for leg in self._legs))
            if self._failed:
                raise self._failed
            self._complete = True
            await self._settle()
            if self.keeper:
                await self.keeper.settle()
            if self._failed:
                raise self._failed
        self.log.close()

    async def close(self) -> None:
        """Free everything; what was not finished is given up."""
        self._finished = True
        if self._finishing:
            self._finishing.cancel()
            await asyncio.gather(self._finishing, return_exceptions=True)
        for leg in self._legs:
            leg.abort()
        for task in self._attributing:
            task.cancel()
        if self._speakers:
            self._speakers.close()
        if self._moods:
            self._moods.close()
        if self._backlog:
            self._backlog.close()
        await self._decoder.close()
        self.log.close(EngineUnavailable("follow the call", "the call was given up"))

    async def hand_over(self) -> None:
        """Tell the keeper that it is over, once, though whoever waits for that may be cancelled."""
        if self.keeper and self._handing_over is None:
            self._handing_over = asyncio.create_task(self.keeper.end(self.ending()))
        if self._handing_over:
            await asyncio.shield(self._handing_over)

    async def wind_up(self, timeout_s: float) -> None:
        """The caller went away: what was heard until then still becomes final, if it is kept."""
        if not self.keeper or not self._legs or self._failed:
            return
        self._broke_off = self._broke_off or not self._finished
        with contextlib.suppress(LingtingError, TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self.finish()

    async def fail(self, error: Exception) -> None:
        """End the call with an error that is not its audio's; `accept` raises it too."""
        self._failed = self._failed or error
        self.log.close(error)

    async def told(self) -> AsyncIterator[NumberedEvent]:
        """What is told of it as it comes, then the error that ended it, if one did."""
        async for told in self.log.follow(progress=True):
            yield told
        if self.log.error:
            raise self.log.error

    async def events(self) -> AsyncIterator[Event]:
        """The same without their numbers."""
        async for told in self.told():
            yield told.event

    def break_off(self) -> None:
        """There is more audio than will be taken: the record says so."""
        self._broke_off = self._broke_off or not self._finished

    def transcript(self) -> Transcript:
        """Everything said so far, in the order it was begun."""
        finals = tuple(sorted(self._finals(), key=lambda f: (f.start_ms, f.leg)))
        model, demo = self._model(finals)
        return Transcript(
            notice=self._notice(),
            finals=finals,
            duration_ms=self.duration_ms,
            legs=len(self._legs),
            language=finals[0].language if finals else (self.config.language or ""),
            model=model,
            demo=demo,
            cut_short=self._decoder.cut_short,
            attributions=tuple(self._attributions),
        )

    def ending(self) -> Ending:
        """What its keeper is told when it is over."""
        last = [f for leg in self._legs if (f := leg.last_final)]
        model, demo = self._model(tuple(last))
        notes = []
        if self._speakers and not self._attributions:
            why = self._speakers.failed or "the call was over before the engine had answered"
            notes.append(f"speakers were not told apart: {why}")
        if self._crosstalk and self._crosstalk.copied:
            notes.append("both legs are one recording twice: send it as one channel")
        return Ending(
            duration_ms=self.duration_ms,
            legs=len(self._legs),
            language=last[0].language if last else (self.config.language or ""),
            model=model,
            demo=demo,
            cut_short=self._decoder.cut_short or self._broke_off,
            error=str(self.log.error or "") if not self._complete else "",
            notes=tuple(notes),
        )

    def _model(self, finals: tuple[Final, ...]) -> tuple[str, bool]:
        """Name of the model that spoke, or would have, and whether its weights are demo weights."""
        if finals:
            return finals[0].model, finals[0].demo
        with contextlib.suppress(LingtingError):
            card = self._ear.engine.card()
            return f"{card.name} {card.version}", card.demo
        return "", False

    def _notice(self) -> str:
        """What readers of its text should know of the model, as its card says."""
        with contextlib.suppress(LingtingError):
            return self._ear.engine.card().notice
        return ""

    def _finals(self) -> Iterator[Final]:
        return (final for leg in self._legs for final in leg.finals if final.text)

    @contextlib.asynccontextmanager
    async def _failing(self) -> AsyncIterator[None]:
        """An error here is the call's end, for its reader too."""
        try:
            yield
        except Exception as error:
            self.log.close(error)
            raise
