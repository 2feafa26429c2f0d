"""Endpoints: a model, a configuration and the endpoint itself, made and deleted together."""

import logging
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from finetune_flows.tasks.aws.errors import aws_errors
from finetune_flows.tasks.base.errors import EndpointFailed
from finetune_flows.tasks.base.files import locked
from finetune_flows.tasks.base.paths import directly_in
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
_MINUTES_FOR_AWS = 40  # in addition to the time-outs: AWS looks for an instance for half an hour before it gives up


class SageMakerEndpoints(Place):
    """The serving part of `contract.Platform`."""

    def start_endpoint(self, spec: EndpointSpec) -> Endpoint:
        """Creates the endpoint, or updates a running one if anything but its labels has changed."""
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
        """The endpoint in service, or None. Waits if another run is starting it, and deletes a dead one."""
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
        """Updates blue/green: the old configuration serves until the new one is healthy, and stays if it never is."""
        log.info("updating endpoint %s; the old model serves until the new one is healthy", spec.name)
        after = before
        try:
            make_parts(self.sagemaker, plan)
            alarm = cloudwatch.put_rollback_alarm(self.clients, spec.name)
            self.sagemaker.update_endpoint(**serving_requests.update(spec.name, plan.name, [alarm]))
            found = self._wait(spec) or {}
            after = found.get("EndpointConfigName", before)
            if found.get("EndpointStatus") != "InService" or after != plan.name:
                raise EndpointFailed(
                    f"{self._why(spec.name, found)}\n  AWS rolled the update back: {before} still serves"
                )
        finally:
            delete_parts(self.sagemaker, before if after == plan.name else plan.name)

    def _wait(self, spec: EndpointSpec) -> dict[str, Any] | None:
        """Waits until AWS says that the endpoint serves or has failed; None if it was deleted."""
        shown, give_up = "", self.clock() + 2 * serving_requests.startup_seconds(spec) + _MINUTES_FOR_AWS * 60
        for _ in polls(self.sleep):
            found = describe(self.sagemaker, spec.name)
            if found is None or found["EndpointStatus"] in _STEADY:
                return found
            if found["EndpointStatus"] != shown:
                shown = found["EndpointStatus"]
                log.info("endpoint %s: %s", spec.name, shown)
            if self.clock() > give_up:
                raise EndpointFailed(f"endpoint {spec.name} has been {shown} for too long. Next: run again later")
        raise AssertionError("polls never end")

    def _why(self, name: str, found: dict[str, Any] | None) -> str:
        """AWS's reason and the container's last lines, because often only those name the cause."""
        reason = (found or {}).get("FailureReason", "it no longer exists")
        lines = tail(self.clients.client("logs"), f"{ENDPOINTS}/{name}", 20)
        return "\n    ".join([f"endpoint {name} did not come up: {reason}", *lines])

    def _renew(self, spec: EndpointSpec) -> Labels:
        """Sets the tags from this spec, with the served model's digest, but never to an earlier expiry; returns them."""
        found = describe(self.sagemaker, spec.name)
        if found is None:
            raise EndpointFailed(f"endpoint {spec.name} was deleted while it was starting. Next: run again")
        known, held = self.labels_of(found["EndpointArn"]) or (spec.labels, {})
        labels = known if known.expires_at > spec.labels.expires_at else spec.labels
        if held.get("finetune:model_digest") != spec.model_digest or labels != known:
            wanted = serving_requests.endpoint_tags(self.clients, labels, spec.model_digest)
            self.sagemaker.add_tags(ResourceArn=found["EndpointArn"], Tags=wanted)
        return labels

    def connection(self, endpoint: Endpoint) -> Connection:
        """A connection through InvokeEndpoint, signed with the caller's credentials."""
        return SageMakerConnection(endpoint.url)

    def window(self, endpoint: Endpoint) -> Window:
        """What CloudWatch measured in the last complete quarter of an hour."""
        return cloudwatch.window(self.clients, endpoint.name, datetime.now(UTC))

    def put_alarms(self, endpoint: Endpoint, limits: MonitoringSection) -> list[str] | None:
        """Puts alarms in CloudWatch, which are deleted with the endpoint."""
        with aws_errors(f"putting alarms on {endpoint.name}"):
            return cloudwatch.put_limit_alarms(self.clients, endpoint.name, limits)

    def endpoint_log(self, name: str) -> Path:
        """A file with the logs of all its instances; lines already in it are not read again."""
        file = self._log_folder(name) / "log.txt"
        with aws_errors(f"reading the log of endpoint {name}"), locked(file.with_suffix(".lock")):
            LogFollower(self.clients.client("logs"), f"{ENDPOINTS}/{name}", VARIANT, file).read(lambda _: None)
        return file

    def endpoints(self) -> list[Endpoint]:
        """The endpoints of this bucket and prefix that serve."""
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
        """Deletes scaling and alarms, the endpoint, and every configuration and model that was made for it."""
        with aws_errors(f"deleting endpoint {name}"):
            scaling.unscale(self.clients, name)
            cloudwatch.delete_alarms(self.clients, name)
            existed = delete_until_gone(self.sagemaker, name, self.sleep)
            for part in parts_of(self.sagemaker, name):
                delete_parts(self.sagemaker, part)
        shutil.rmtree(self._log_folder(name), ignore_errors=True)  # the log may contain questions of users
        return existed

    def _log_folder(self, name: str) -> Path:
        return directly_in(self.root / "endpoints", name)

    def _url(self, name: str) -> str:
        return url_of(self.clients.region, self.section.profile, name)
