"""What every door to written messages does the same way."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass

from appliance.access.roles import Principal
from appliance.archive.texts import CHANNELS, Texts
from appliance.assist.orders.desk import OrderDesk
from appliance.errors import InvalidRequest
from appliance.messages import SANE_ID, CallConfig
from appliance.store.order_rows import Order

ORDERS_WITHIN_S, LOOK_S = 3.0, 0.05
MOST_NAMES, MOST_NAME = 20, 128


@dataclass(frozen=True, slots=True)
class TextMessage:
    """As a channel sends it."""

    channel: str
    text: str
    author: str = ""
    phone: str = ""
    message_id: str = ""  # the channel's own
    attachments: tuple[str, ...] = ()  # names of files


async def take_text(texts: Texts, who: Principal, message: TextMessage, key: str = "") -> str:
    """Keep it; the id of the call that it is kept as. Raises InvalidRequest."""
    _check(message)
    config = CallConfig(
        caller=message.phone,
        channel=message.channel,
        author=message.author,
        call_id=message.message_id,
    )
    text = "\n".join([message.text, *(f"附件：{name}" for name in message.attachments)])
    return await texts.accept(
        text, who.owned(config), owner=who.credential or who.own_tenant, key=key
    )


def _check(message: TextMessage) -> None:
    wrong = {
        "channel": (message.channel not in CHANNELS, f"one of {', '.join(CHANNELS)}"),
        "author": (len(message.author) > MOST_NAME, f"at most {MOST_NAME} characters"),
        "phone": (len(message.phone) > MOST_NAME, f"at most {MOST_NAME} characters"),
        "message_id": (
            bool(message.message_id) and not SANE_ID.fullmatch(message.message_id),
            "up to 128 letters, digits and ._:-",
        ),
        "attachments": (
            len(message.attachments) > MOST_NAMES
            or any(len(name) > MOST_NAME for name in message.attachments),
            f"at most {MOST_NAMES} names of {MOST_NAME} characters",
        ),
    }
    for name, (is_wrong, wants) in wrong.items():
        if is_wrong:
            raise InvalidRequest("take a text", f"{name} is out of range", wants, param=name)


async def orders_of(
    desk: OrderDesk, call_id: str, within_s: float = ORDERS_WITHIN_S
) -> list[Order]:
    """A message's orders are made at once, by the runner of durable work; none: not yet, or there
    is no matter in it."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            while not await desk.is_made(call_id):
                await asyncio.sleep(LOOK_S)
    return await desk.of_call(call_id)
