"""lingting.hotline.v1.Warnings: the same as /api/v1/warnings, by gRPC."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf.empty_pb2 import Empty

from appliance.access.roles import SEES_WARNINGS, WARNS, AccessRole
from appliance.api.fields import DOING, checked
from appliance.api.grpc.auth import Doorman
from appliance.api.grpc.hotline_requests import id_of
from appliance.api.grpc.mirror import bounded, chosen, message, resource
from appliance.api.warning_schemas import WarningWanted
from appliance.api.warnings import MOST_DAYS, MOST_HOURS, MOST_WARNINGS, PERIODS, WarningService
from appliance.assist.warnings.life import WarningKind, WarningState
from appliance.assist.warnings.report import FORMS
from appliance.errors import InvalidRequest
from appliance.proto.lingting.hotline.v1 import hotline_pb2 as pb

DOOR = "warnings"
LISTED, HOURS, HEAT_DAYS, MATTER_DAYS = 50, 6, 1.0, 7.0


class WarningServicer:
    """Each method is translation around the service."""

    service = pb.DESCRIPTOR.services_by_name["Warnings"]

    def __init__(self, service: WarningService, doorman: Doorman) -> None:
        self._service, self._doorman = service, doorman

    async def ListWarnings(self, request: Any, context: Any) -> Any:
        async with self.answering(context, "ListWarnings", SEES_WARNINGS) as asked:
            state = chosen(WarningState, request.state, "state") if request.state else None
            kind = chosen(WarningKind, request.kind, "kind") if request.kind else None
            limit = bounded(request.limit, "limit", LISTED, MOST_WARNINGS)
            told = await self._service.newest(asked.who, state, kind, limit)
            return message(
                pb.ListWarningsResponse, {"warnings": [_warning(each) for each in told["warnings"]]}
            )

    async def GetWarning(self, request: Any, context: Any) -> Any:
        async with self.answering(context, "GetWarning", SEES_WARNINGS) as asked:
            told = await self._service.get(id_of(request.name, "warnings/"), asked.who)
            orders = [_named("orders", each) for each in told["orders"]]
            return message(pb.Warning, _warning(told) | {"orders": orders})

    async def MarkWarning(self, request: Any, context: Any) -> Any:
        async with self.answering(context, "MarkWarning", WARNS) as asked:
            names = ("action", "reason", "suppress_days")
            wanted = checked(WarningWanted, {name: getattr(request, name) for name in names})
            found = id_of(request.name, "warnings/")
            return message(pb.Warning, _warning(await self._service.act(found, wanted, asked.who)))

    async def GetHeat(self, request: Any, context: Any) -> Any:
        async with self.answering(context, "GetHeat", SEES_WARNINGS) as asked:
            days = bounded(request.days, "days", HEAT_DAYS, MOST_DAYS)
            told = await self._service.heat(asked.who, days)
            usual = told["expected"] or [[] for _ in told["places"]]
            table = zip(told["places"], told["counts"], usual, strict=True)
            rows = [
                {"place": place, "counts": counts, "expected": expected}
                for place, counts, expected in table
            ]
            return message(pb.Heat, {"categories": told["categories"], "rows": rows})

    async def GetForecast(self, request: Any, context: Any) -> Any:
        async with self.answering(context, "GetForecast", SEES_WARNINGS) as asked:
            hours = bounded(request.hours, "hours", HOURS, MOST_HOURS)
            return message(pb.Forecast, await self._service.forecast(asked.who, hours))

    async def ListMatters(self, request: Any, context: Any) -> Any:
        async with self.answering(context, "ListMatters", SEES_WARNINGS) as asked:
            days = bounded(request.days, "days", MATTER_DAYS, MOST_DAYS)
            told = await self._service.matters(asked.who, days)
            for each in told["matters"]:
                each["orders"] = [resource("orders", order) for order in each["orders"]]
            return message(pb.ListMattersResponse, told)

    async def ListSuppressions(self, request: Any, context: Any) -> Any:
        async with self.answering(context, "ListSuppressions", SEES_WARNINGS) as asked:
            told = await self._service.suppressions(asked.who)
            found = [_named("suppressions", each) for each in told["suppressions"]]
            return message(pb.ListSuppressionsResponse, {"suppressions": found})

    async def DeleteSuppression(self, request: Any, context: Any) -> Any:
        async with self.answering(context, "DeleteSuppression", WARNS) as asked:
            number = request.name.removeprefix("suppressions/")
            if not (number.isascii() and number.isdecimal() and len(number) < 10):
                cause = f"{request.name[:40]!r} is no suppressions/NUMBER"
                raise InvalidRequest(DOING, cause, param="name")
            await self._service.unmute(int(number), asked.who)
            return Empty()

    async def GetReport(self, request: Any, context: Any) -> Any:
        async with self.answering(context, "GetReport", SEES_WARNINGS) as asked:
            period, form = request.period or "day", request.format or "json"
            for name, given, known in (("period", period, PERIODS), ("format", form, FORMS)):
                if given not in known:
                    cause = f"{name} is {given[:20]!r}"
                    raise InvalidRequest(DOING, cause, ", ".join(known), param=name)
            media, write = FORMS[form]
            made = await self._service.report(asked.who, period)
            return pb.Report(media_type=media, text=write(made))

    def answering(self, context: Any, method: str, roles: frozenset[AccessRole]) -> Any:
        return self._doorman.answering(context, method, DOOR, roles)


def _named(collection: str, told: Mapping[str, Any]) -> dict[str, Any]:
    """By its resource name in the place of its id."""
    left = {name: value for name, value in told.items() if name != "id"}
    return {**left, "name": resource(collection, str(told["id"]))}


def _warning(told: Mapping[str, Any]) -> dict[str, Any]:
    more = {"danger": told["name"], "call": resource("calls", told["call"])}
    return _named("warnings", told) | more
