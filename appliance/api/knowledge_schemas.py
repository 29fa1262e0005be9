"""What the knowledge base says and takes."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from appliance.assist.knowledge.edits import Contradiction
from appliance.assist.knowledge.gaps import Gap
from appliance.assist.knowledge.library import FoundEntry
from appliance.store.knowledge import EntryKind, EntryState, EntryVersion, KnowledgeEntry

SAMPLES = 5  # questions told with a gap
Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{0,40}$")]


class EntryFields(BaseModel):
    """What an editor writes."""

    model_config = ConfigDict(extra="forbid")
    questions: list[str] = Field(
        default=[], description="forms of one question; the first is its title"
    )
    answer: str
    kind: EntryKind = EntryKind.GENERAL
    department: str = ""
    scope: str = Field("", description="12-digit code of the division that it holds in; empty: all")
    valid_from: str = Field("", description="the first day, 2026-12-31; empty: ever since")
    valid_to: str = Field("", description="the last day; empty: until it is changed")
    source: str = ""
    tags: list[str] = []

    def entry(self, entry_id: str = "") -> KnowledgeEntry:
        given = self.model_dump(exclude={"id"})
        given |= {"questions": tuple(self.questions), "tags": tuple(self.tags)}
        return KnowledgeEntry(entry_id, **given)


class ImportedEntry(EntryFields):
    """One of many; the same id again is a new version of it."""

    id: Id = ""


class EntrySchema(EntryFields):
    id: str
    state: EntryState
    version: int
    gap: str = Field(description="that it was drafted for")
    replaces: str = Field(description="id of the live entry that it is a proposed change of")
    absorbs: list[str] = Field(description="ids of live entries that retire once it is approved")
    changed_by: str
    approved_by: str
    changed_at: float = Field(description="s since 1970")
    taken: int = Field(description="how often agents have taken it")
    rejected: int


class FoundSchema(BaseModel):
    entry: EntrySchema
    confidence: float = Field(description="that it answers, 0..1")
    begin: int = Field(description="of the passage that fits best, in characters of the answer")
    end: int
    marks: list[tuple[int, int]] = Field(description="what was asked, in characters of the answer")
    also: list[str] = Field(description="ids of those that say it for a larger place")


class SearchSchema(BaseModel):
    found: list[FoundSchema]


class EntryList(BaseModel):
    entries: list[EntrySchema]
    next_page_token: str = ""


class Imported(BaseModel):
    """What became of many entries."""

    ids: list[str]
    contradictions: list[ContradictionSchema]
    undated: int = Field(description="entries without a last day")


class ContradictionSchema(BaseModel):
    entry: str
    other: str
    why: str


class ContradictionList(BaseModel):
    contradictions: list[ContradictionSchema]


class VersionSchema(BaseModel):
    entry: EntrySchema
    action: str
    who: str
    at: float


class VersionList(BaseModel):
    versions: list[VersionSchema]


class SampleSchema(BaseModel):
    call: str
    text: str
    at: float


class GapSchema(BaseModel):
    id: str
    title: str
    questions: int = Field(description="how many asked")
    place: str = Field(description="where all of them are from, by code; empty: several places")
    answer: str = Field(description="what agents said; empty: nothing to go by")
    samples: list[SampleSchema]


class GapList(BaseModel):
    gaps: list[GapSchema]


class DuplicateSchema(BaseModel):
    keep: str = Field(description="id of the entry that is proposed for all of them")
    ids: list[str]
    titles: list[str]


class DuplicateList(BaseModel):
    duplicates: list[DuplicateSchema]


class MergeFields(BaseModel):
    model_config = ConfigDict(extra="forbid")
    keep: Id
    ids: list[Id] = Field(max_length=100)


class VerdictFields(BaseModel):
    model_config = ConfigDict(extra="forbid")
    taken: bool = Field(description="true 采纳, false 不准")


class SendFields(BaseModel):
    model_config = ConfigDict(extra="forbid")
    channel: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,32}$")] = Field(
        description="of the hotline system: sms, wechat, app ..."
    )


Imported.model_rebuild()


def entry(told: KnowledgeEntry) -> EntrySchema:
    names = EntrySchema.model_fields.keys()
    values: dict[str, Any] = {name: getattr(told, name) for name in names}
    values |= {name: list(values[name]) for name in ("questions", "tags", "absorbs")}
    return EntrySchema(**values)


def found(each: FoundEntry, marks: list[tuple[int, int]]) -> FoundSchema:
    begin = each.passage.begin
    return FoundSchema(
        entry=entry(each.entry),
        confidence=round(each.confidence, 3),
        begin=begin,
        end=each.passage.end,
        marks=[(begin + at, begin + end) for at, end in marks],
        also=list(each.also),
    )


def version(told: EntryVersion) -> VersionSchema:
    return VersionSchema(entry=entry(told.entry), action=told.action, who=told.who, at=told.at)


def contradiction(told: Contradiction) -> ContradictionSchema:
    return ContradictionSchema(entry=told.entry, other=told.other, why=told.why)


def gap(told: Gap) -> GapSchema:
    samples = [
        SampleSchema(call=each.call_id, text=each.text, at=each.at)
        for each in told.questions[:SAMPLES]
    ]
    return GapSchema(
        id=told.id,
        title=told.title,
        questions=len(told.questions),
        place=told.place,
        answer=told.answer,
        samples=samples,
    )
