"""What callers of lingting.hotline.v1 ask for, checked and put into our own words."""

from __future__ import annotations

from typing import Any

from appliance.api.calls import MOST_LEGS
from appliance.errors import InvalidRequest
from appliance.messages import SANE_ID, Encoding
from appliance.proto import convert
from appliance.proto.lingting.hotline.v1 import hotline_pb2 as pb
from appliance.recordings.arrivals import Claim
from appliance.store.calls import Filter
from inference.tensors import MOST_SPEAKERS

MOST_CALLER = 32  # characters of a telephone number
HINT = "the name of a call is calls/ and its id, of an operation operations/ and its id"
ENCODINGS = {
    pb.AUDIO_ENCODING_UNSPECIFIED: Encoding.AUTO,
    pb.AUDIO_ENCODING_PCM_S16LE: Encoding.PCM_S16LE,
    pb.AUDIO_ENCODING_ALAW: Encoding.ALAW,
    pb.AUDIO_ENCODING_MULAW: Encoding.MULAW,
}
ROLES = {number: role for role, number in convert.ROLES.items()}
STATES = {number: state for state, number in convert.STATES.items()}
LEVELS = {number: level for level, number in convert.LEVELS.items()}


def check(wanted: Any) -> None:
    most, roles = wanted.max_speakers, wanted.leg_roles
    wrong = {
        "encoding": (wanted.encoding not in ENCODINGS, "one of the enumeration"),
        "sample_rate_hertz": (wanted.sample_rate_hertz < 0, "8000 to 192000, or 0"),
        "channels": (not 0 <= wanted.channels <= MOST_LEGS, f"1 to {MOST_LEGS}, or 0"),
        "call_id": (
            bool(wanted.call_id) and not SANE_ID.fullmatch(wanted.call_id),
            "up to 128 letters, digits and ._:-",
        ),
        "caller": (len(wanted.caller) > MOST_CALLER, f"at most {MOST_CALLER} characters"),
        "agent": (len(wanted.agent) > MOST_CALLER, f"at most {MOST_CALLER} characters"),
        "min_speakers": (not 0 <= wanted.min_speakers <= MOST_SPEAKERS, f"0 to {MOST_SPEAKERS}"),
        "max_speakers": (
            not 0 <= most <= MOST_SPEAKERS or 0 < most < wanted.min_speakers,
            f"min_speakers to {MOST_SPEAKERS}, or 0",
        ),
        "hang_up": (wanted.hang_up not in ROLES, "one of the enumeration"),
        "leg_roles": (
            len(roles) > MOST_LEGS or not set(roles) <= set(ROLES),
            f"at most {MOST_LEGS}, of the enumeration",
        ),
    }
    for name, (is_wrong, wants) in wrong.items():
        if is_wrong:
            cause, hint = f"{name} is out of range", f"give {wants}"
            raise InvalidRequest("read the configuration", cause, hint, param=name)


def filter_of(wanted: Any, tenant: str) -> Filter:
    for name, known in (("state", STATES), ("min_level", LEVELS)):
        number = getattr(wanted, name)
        if number and number not in known:
            hint = "take one of the enumeration"
            raise InvalidRequest("list calls", f"{name} {number} is not known", hint, param=name)
    return Filter(
        state=STATES.get(wanted.state),
        name=wanted.call_id or None,
        since=_seconds(wanted.since) if wanted.HasField("since") else None,
        until=_seconds(wanted.until) if wanted.HasField("until") else None,
        least_level=LEVELS.get(wanted.min_level),
        tenant=tenant,
    )


def _seconds(moment: Any) -> float:
    return float(moment.seconds + moment.nanos / 1e9)


def id_of(name: str, collection: str = "calls/") -> str:
    """Of a resource name; a bare id will do."""
    found = name.removeprefix(collection)
    if not SANE_ID.fullmatch(found):
        raise InvalidRequest(
            "read a name", f"{name[:80]!r} is no {collection}ID", HINT, param="name"
        )
    return found


def claim(request_id: str, tenant: str) -> Claim | None:
    if request_id and not SANE_ID.fullmatch(request_id):
        raise InvalidRequest(
            "take a recording",
            "request_id is not one",
            "use a UUID: up to 128 letters, digits and ._:-",
            param="request_id",
        )
    return Claim(tenant, request_id) if request_id else None
