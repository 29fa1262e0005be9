"""lingting.hotline.v1.Quality: the same as /api/v1/quality, by gRPC."""

from __future__ import annotations

from typing import Any

from appliance.access.roles import INSPECTS, READS, AccessRole
from appliance.api import quality_schemas as schemas
from appliance.api.fields import checked
from appliance.api.grpc.auth import Doorman
from appliance.api.grpc.hotline_requests import id_of
from appliance.api.grpc.mirror import bounded, chosen, message, resource, seconds
from appliance.api.quality import MOST_SAMPLED, Between, QualityService
from appliance.assist.quality.sampling import SampleBy
from appliance.proto.lingting.hotline.v1 import hotline_pb2 as pb

DOOR = "quality"
SAMPLED = 20


class QualityServicer:
    """Each method is translation around the service."""

    service = pb.DESCRIPTOR.services_by_name["Quality"]

    def __init__(self, service: QualityService, doorman: Doorman) -> None:
        self._service, self._doorman = service, doorman

    async def GetInspection(self, request: Any, context: Any) -> Any:
        async with self.answering(context, "GetInspection", READS) as asked:
            return _inspection(await self._service.get(id_of(request.name), asked.who))

    async def DecideFinding(self, request: Any, context: Any) -> Any:
        async with self.answering(context, "DecideFinding", READS) as asked:
            given = {name: getattr(request, name) for name in ("action", "reason")}
            given["finding"] = request.finding or None
            wanted = checked(schemas.InspectionWanted, given)
            call = id_of(request.call)
            return _inspection(await self._service.act(call, request.rule, wanted, asked.who))

    async def SampleCalls(self, request: Any, context: Any) -> Any:
        async with self.answering(context, "SampleCalls", INSPECTS) as asked:
            by = chosen(SampleBy, request.by, "by") if request.by else SampleBy.RANDOM
            n = bounded(request.n, "n", SAMPLED, MOST_SAMPLED)
            found = await self._service.sample(asked.who, by, n, _between(request), request.agent)
            calls = [
                {**each.model_dump(), "call": resource("calls", each.call)} for each in found.calls
            ]
            return message(pb.SampleCallsResponse, {"calls": calls})

    async def GetStatistics(self, request: Any, context: Any) -> Any:
        async with self.answering(context, "GetStatistics", INSPECTS) as asked:
            told = await self._service.statistics(asked.who, _between(request))
            return message(pb.QualityStatistics, told)

    def answering(self, context: Any, method: str, roles: frozenset[AccessRole]) -> Any:
        return self._doorman.answering(context, method, DOOR, roles)


def _between(request: Any) -> Between:
    return seconds(request, "since"), seconds(request, "until")


def _inspection(told: schemas.InspectionSchema) -> Any:
    return message(pb.Inspection, told.model_dump() | {"call": resource("calls", told.call)})
