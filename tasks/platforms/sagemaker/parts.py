"""The parts of an endpoint: a model and a configuration, both named `<endpoint>-<digest, 8 characters>`."""

import logging
import re
from collections.abc import Callable
from typing import Any

from finetune_flows.tasks.aws.errors import code_of, is_missing, words_of
from finetune_flows.tasks.platforms.sagemaker.place import polls
from finetune_flows.tasks.platforms.sagemaker.serving_requests import Plan

log = logging.getLogger("finetune.sagemaker")
_TAKEN = re.compile(r"already exist", re.IGNORECASE)
_UNDER_WAY = ("Creating", "Updating", "SystemUpdating", "RollingBack")
_PATIENCE = 12  # polls, a minute and a half


def make_parts(sagemaker: Any, plan: Plan) -> None:
    """Creates model and configuration, unless they exist: an equal name means equal content."""
    _unless_taken(sagemaker.create_model, plan.model)
    _unless_taken(sagemaker.create_endpoint_config, plan.config)


def make_endpoint(sagemaker: Any, plan: Plan, sleep: Callable[[float], None]) -> None:
    """Creates the endpoint, unless it exists."""
    from botocore.exceptions import ClientError

    # AWS may not know the new configuration for some seconds, so a missing one is not an error at first.
    for attempt in polls(sleep):
        try:
            return _unless_taken(sagemaker.create_endpoint, plan.endpoint)
        except ClientError as error:
            if attempt == _PATIENCE or not is_missing(error):
                raise


def delete_parts(sagemaker: Any, name: str) -> None:
    """Deletes a configuration and the model of the same name. No error if they are gone."""
    _unless_missing(sagemaker.delete_endpoint_config, EndpointConfigName=name)
    _unless_missing(sagemaker.delete_model, ModelName=name)


def parts_of(sagemaker: Any, endpoint: str) -> list[str]:
    """Names of all configurations and models that were made for an endpoint."""
    own = re.compile(re.escape(endpoint) + r"-[0-9a-f]{8}")
    configs = sagemaker.get_paginator("list_endpoint_configs").paginate(NameContains=endpoint)
    models = sagemaker.get_paginator("list_models").paginate(NameContains=endpoint)
    names = {each["EndpointConfigName"] for page in configs for each in page["EndpointConfigs"]}
    names |= {each["ModelName"] for page in models for each in page["Models"]}
    return sorted(name for name in names if own.fullmatch(name))


def delete_until_gone(sagemaker: Any, name: str, sleep: Callable[[float], None]) -> bool:
    """Deletes an endpoint and waits until it is gone. False if there was none.

    AWS refuses while the endpoint is being created or updated. This repeats the request until AWS accepts it, because an
    endpoint left behind costs money. Any other refusal is raised after a minute and a half.
    """
    from botocore.exceptions import ClientError

    existed = False
    for attempt in polls(sleep):
        found = describe(sagemaker, name)
        if found is None:
            return existed
        existed = True
        if found["EndpointStatus"] != "Deleting":
            try:
                sagemaker.delete_endpoint(EndpointName=name)
            except ClientError as error:
                under_way = found["EndpointStatus"] in _UNDER_WAY
                if code_of(error) not in ("ValidationException", "ResourceInUse") or (
                    attempt >= _PATIENCE and not under_way
                ):
                    raise
                if attempt == 0:
                    words = "endpoint %s is %s, and AWS cannot delete it yet; waiting to delete it"
                    log.warning(words, name, found["EndpointStatus"])
    raise AssertionError("polls never end")


def describe(sagemaker: Any, name: str) -> dict[str, Any] | None:
    """The answer of DescribeEndpoint; None if there is no such endpoint."""
    from botocore.exceptions import ClientError

    try:
        found: dict[str, Any] = sagemaker.describe_endpoint(EndpointName=name)
    except ClientError as error:
        if is_missing(error):
            return None
        raise
    return found


def _unless_taken(create: Callable[..., Any], request: dict[str, Any]) -> None:
    """Creates something, unless its name is taken."""
    # What has the name is ours: either a response was lost, or another run made the same thing.
    from botocore.exceptions import ClientError

    try:
        create(**request)
    except ClientError as error:
        if code_of(error) != "ResourceInUse" and not _TAKEN.search(words_of(error)):
            raise


def _unless_missing(delete: Callable[..., Any], **request: str) -> None:
    from botocore.exceptions import ClientError

    try:
        delete(**request)
    except ClientError as error:
        if not is_missing(error):
            raise
