"""Endpoints: made of a model, a configuration and the endpoint itself, and deleted as all three."""

import logging
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from finetune_flows.tasks.aws.errors import aws_errors
from finetune_flows.tasks.base.errors import EndpointFailed
from finetune_flows.tasks.base.files import locked
from finetune_flows.tasks.endpoints.connect import Connection
from finetune_flows.tasks.monitoring.window import Window
from finetune_flows.tasks.platforms.contract import Endpoint, EndpointSpec, Labels
from finetune_flows.tasks.platforms.sagemaker import cloudwatch, data, images, scaling, serving_requests
from finetune_flows.tasks.platforms.sagemaker.invoking import SageMakerConnection, url_of
from finetune_flows.tasks.platforms.sagemaker.logs import ENDPOINTS, LogFollower, tail
from finetune_flows.tasks.platforms.sagemaker.parts import (
    delete_parts,
    delete_until_gone,
    describe,
    make_endpoint,
    make_parts,
    parts_of,
)
from finetune_flows.tasks.platforms.sagemaker.place import Place, polls
from finetune_flows.tasks.platforms.sagemaker.serving_requests import VARIANT, Plan
from finetune_flows.tasks.sections.stages import MonitoringSection

log = logging.getLogger("finetune.sagemaker")
_STEADY = ("InService", "Failed", "OutOfService", "UpdateRollbackFailed")
_MINUTES_FOR_AWS = 40  # besides the time-outs: AWS looks for an instance for half an hour before it gives up


class SageMakerEndpoints(Place):
    """The part of `contract.Platform` that serves."""

    def start_endpoint(self, spec: EndpointSpec) -> Endpoint:
        """Creates it; or updates it beside the one that serves, when anything but its labels has changed."""
        with aws_errors(f"starting endpoint {spec.name}"):
            self.remember()
            plan = self._plan(spec)
            found = self._settled(spec)
            if found is None:
                self._create(plan, spec)
            elif found["EndpointConfigName"] != plan.name:
                self._update(plan, spec, found["EndpointConfigName"])
            labels = self._renew(spec)
            scaling.scale(self.clients, spec.name)
        return Endpoint(name=spec.name, url=self._url(spec.name), model_digest=spec.model_digest, labels=labels)

    def _plan(self, spec: EndpointSpec) -> Plan:
        uri = data.place(self.clients, "models", spec.model)
        return serving_requests.plan(self.clients, spec, uri, images.serving_image(self.clients))

    def _settled(self, spec: EndpointSpec) -> dict[str, Any] | None:
        """The endpoint as it serves, waited for where somebody else is just starting it; a dead one is deleted first."""
        found = describe(self.sagemaker, spec.name)
        if found is not None and found["EndpointStatus"] not in _STEADY:
            found = self._wait(spec)
        if found is not None and found["EndpointStatus"] != "InService":
            self.delete_endpoint(spec.name)
            return None
        return found

    def _create(self, plan: Plan, spec: EndpointSpec) -> None:
        try:
            make_parts(self.sagemaker, plan)
            make_endpoint(self.sagemaker, plan, self.sleep)
            found = self._wait(spec)
            if found is None or found["EndpointStatus"] != "InService":
                raise EndpointFailed(self._why(spec.name, found))
        except BaseException:
            self.delete_endpoint(spec.name)
            raise

    def _update(self, plan: Plan, spec: EndpointSpec, before: str) -> None:
        """Blue/green: the old configuration serves until the new one is healthy, and again if it is not."""
        log.info("endpoint %s is updated; it serves on meanwhile", spec.name)
        after = before
        try:
            make_parts(self.sagemaker, plan)
            alarm = cloudwatch.put_rollback_alarm(self.clients, spec.name)
            self.sagemaker.update_endpoint(**serving_requests.update(spec.name, plan.name, [alarm]))
            found = self._wait(spec) or {}
            after = found.get("EndpointConfigName", before)
            if found.get("EndpointStatus") != "InService" or after != plan.name:
                raise EndpointFailed(f"{self._why(spec.name, found)}\n  It was turned back: {before} serves on")
        finally:
            delete_parts(self.sagemaker, before if after == plan.name else plan.name)

    def _wait(self, spec: EndpointSpec) -> dict[str, Any] | None:
        """Until AWS says that it serves, or that it does not."""
        shown, give_up = "", self.clock() + 2 * serving_requests.startup_seconds(spec) + _MINUTES_FOR_AWS * 60
        for _ in polls(self.sleep):
            found = describe(self.sagemaker, spec.name)
            if found is None or found["EndpointStatus"] in _STEADY:
                return found
            if found["EndpointStatus"] != shown:
                shown = found["EndpointStatus"]
                log.info("endpoint %s: %s", spec.name, shown)
            if self.clock() > give_up:
                raise EndpointFailed(f"endpoint {spec.name} is {shown} for too long. Next: run it again later")
        raise AssertionError("polls never end")

    def _why(self, name: str, found: dict[str, Any] | None) -> str:
        """AWS's reason, and what the container said last: the cause is only there."""
        reason = (found or {}).get("FailureReason", "it is gone")
        lines = tail(self.clients.client("logs"), f"{ENDPOINTS}/{name}", 20)
        return "\n    ".join([f"endpoint {name} did not come up: {reason}", *lines])

    def _renew(self, spec: EndpointSpec) -> Labels:
        """Tags as this spec wants them, but never an earlier expiry than it has; after an update, the new model's digest."""
        found = describe(self.sagemaker, spec.name)
        if found is None:
            raise EndpointFailed(f"endpoint {spec.name} was deleted while it was starting")
        known, held = self.labels_of(found["EndpointArn"]) or (spec.labels, {})
        labels = known if known.expires_at > spec.labels.expires_at else spec.labels
        if held.get("finetune:model_digest") != spec.model_digest or labels != known:
            wanted = serving_requests.endpoint_tags(self.clients, labels, spec.model_digest)
            self.sagemaker.add_tags(ResourceArn=found["EndpointArn"], Tags=wanted)
        return labels

    def connection(self, endpoint: Endpoint) -> Connection:
        """By InvokeEndpoint, signed with the caller's credentials."""
        return SageMakerConnection(endpoint.url)

    def window(self, endpoint: Endpoint) -> Window:
        """The last whole quarter of an hour, as CloudWatch has it."""
        return cloudwatch.window(self.clients, endpoint.name, datetime.now(UTC))

    def put_alarms(self, endpoint: Endpoint, limits: MonitoringSection) -> list[str] | None:
        """Alarms of CloudWatch; they go with the endpoint."""
        with aws_errors(f"putting alarms on {endpoint.name}"):
            return cloudwatch.put_limit_alarms(self.clients, endpoint.name, limits)

    def endpoint_log(self, name: str) -> Path:
        """All streams of all its instances; what was read before is not read again."""
        file = self._log_folder(name) / "log.txt"
        with aws_errors(f"reading the log of endpoint {name}"), locked(file.with_suffix(".lock")):
            LogFollower(self.clients.client("logs"), f"{ENDPOINTS}/{name}", VARIANT, file).read(lambda _: None)
        return file

    def endpoints(self) -> list[Endpoint]:
        """Those of this bucket and prefix that serve."""
        with aws_errors("listing endpoints"):
            return [endpoint for endpoint, status in self._ours() if status in ("InService", "Updating")]

    def _ours(self) -> Iterator[tuple[Endpoint, str]]:
        for page in self.sagemaker.get_paginator("list_endpoints").paginate():
            for each in page["Endpoints"]:
                labelled = self.labels_of(each["EndpointArn"])
                if labelled is not None:
                    labels, all_tags = labelled
                    name, digest = each["EndpointName"], all_tags["finetune:model_digest"]
                    endpoint = Endpoint(name=name, url=self._url(name), model_digest=digest, labels=labels)
                    yield endpoint, each["EndpointStatus"]

    def delete_endpoint(self, name: str) -> bool:
        """Deletes the endpoint, then every configuration and model that was made for it, and its scaling and alarms."""
        with aws_errors(f"deleting endpoint {name}"):
            scaling.unscale(self.clients, name)
            cloudwatch.delete_alarms(self.clients, name)
            existed = delete_until_gone(self.sagemaker, name, self.sleep)
            for part in parts_of(self.sagemaker, name):
                delete_parts(self.sagemaker, part)
        shutil.rmtree(self._log_folder(name), ignore_errors=True)  # it may hold what users asked
        return existed

    def _log_folder(self, name: str) -> Path:
        return self.root / "endpoints" / name

    def _url(self, name: str) -> str:
        return url_of(self.clients.region, self.section.profile, name)
