"""What /api/v1/orders takes and gives."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from appliance.assist.orders.life import Action, Actor, OrderState

AT = "s since 1970"


class UnitPartSchema(BaseModel):
    unit: str
    main: bool = Field(description="主办; else 协办")
    state: OrderState
    given_at: float = Field(description=AT)
    sign_by: float = Field(description=AT)
    due_at: float = Field(description=AT)
    signed_at: float | None
    ended_at: float | None
    asked_days: float = Field(description="of an extension that nobody has decided on")


class OrderSchema(BaseModel):
    """A work order. Each field has its text, confidence, evidence and alternatives."""

    id: str
    number: str
    tenant: str
    call: str
    matter: int
    channel: str
    state: OrderState
    version: int = Field(description="its ETag")
    pack: str = Field(description="the city pack it was made with")
    category: str
    division: str
    tier: str
    created_at: float = Field(description=AT)
    changed_at: float = Field(description=AT)
    due_at: float | None
    ended_at: float | None
    merged_into: str
    solved: bool | None
    satisfaction: int | None
    returns: int
    units: list[UnitPartSchema]
    fields: dict[str, dict[str, Any]]
    missing: list[str]
    question: str
    notes: list[str]
    danger: dict[str, Any] | None
    refusal: dict[str, Any] | None
    similar: list[str] = Field(description="numbers of orders that may be of the same matter")
    answers: dict[str, str] = Field(description="by unit")
    receipt: str = Field(description="its number in the city's own order system")
    masked: bool = Field(description="names and numbers are hidden")


class OrderList(BaseModel):
    orders: list[OrderSchema]
    next_page_token: str


class Correction(BaseModel):
    label: str
    text: str
    tier: str
    main: str = Field(description="code of the unit that leads")
    helpers: str = Field(description="codes of the others, joined by ;")


class Corrections(BaseModel):
    rows: list[Correction]


class OrderEventSchema(BaseModel):
    sequence: int
    at: float = Field(description=AT)
    action: str
    who: str
    actor: Actor
    state: OrderState
    unit: str
    category: str
    body: dict[str, Any]


class OrderHistory(BaseModel):
    events: list[OrderEventSchema]


class Drafts(BaseModel):
    """A running call's drafts, and the orders of one that is over."""

    call: str
    drafts: list[dict[str, Any]]
    orders: list[OrderSchema]
    marks: list[dict[str, Any]] = Field(description="characters that tell who somebody is")


class OrderPatch(BaseModel, extra="forbid"):
    fields: dict[str, str] = Field(
        min_length=1, max_length=20, description="new texts, by field; of category and tier codes"
    )


class StepWanted(BaseModel, extra="forbid"):
    action: Action
    unit: str = Field("", max_length=64, description="whose part is moved")
    reason: str = Field("", max_length=4000)
    text: str = Field("", max_length=4000, description="an answer")
    days: float | None = Field(None, gt=0, le=3650, description="of an extension")
    units: list[str] | None = Field(None, max_length=50, description="whom it goes to; main first")
    into: str = Field("", max_length=64, description="the order that it is merged into")
    solved: bool | None = None
    satisfaction: int | None = Field(None, ge=1, le=5)


class StatusWanted(BaseModel, extra="forbid"):
    """As the city's own system tells of an order; its words are in order_system.toml."""

    status: str = Field(min_length=1, max_length=64)
    unit: str = Field("", max_length=64)
    reason: str = Field("", max_length=4000)
    text: str = Field("", max_length=4000)


class UnitSchema(BaseModel):
    code: str
    name: str
    main: bool
    why: str


class Proposal(BaseModel):
    """Units for an order as it stands."""

    units: list[UnitSchema]
    tier: str
    tier_why: str
    confidence: float
    fallback: bool
    returned: int = Field(description="times the main unit sent such matters back")


class Statistics(BaseModel):
    by: str
    rows: list[dict[str, Any]]


class TextWanted(BaseModel, extra="forbid"):
    channel: str = Field(pattern="^(app|web|wechat|weibo|mail|other)$")
    text: str = Field(min_length=1, max_length=20_000)
    author: str = Field("", max_length=128, description="as the channel names them")
    phone: str = Field("", max_length=32)
    message_id: str = Field("", pattern=r"^[A-Za-z0-9._:-]{0,128}$", description="your own id")
    attachments: list[str] = Field([], max_length=20, description="names of files")


class TextTaken(BaseModel):
    id: str = Field(description="of the call that it is kept as")
    orders: list[OrderSchema] = Field(description="made of it; empty while they are made")
