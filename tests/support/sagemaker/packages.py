"""The Model Registry: groups, and versions of a model in them with their approval."""

from collections.abc import Mapping
from dataclasses import dataclass

from tests.support.sagemaker.account import Account
from tests.support.sagemaker.api_model import Payload
from tests.support.sagemaker.errors import ServiceError, invalid
from tests.support.sagemaker.tables import Resource, Table, arn, now, page
from tests.support.sagemaker.wire import Operation


@dataclass
class Package(Resource):
    """One version."""

    group: str = ""
    version: int = 0


class ModelPackages:
    """All groups and versions of the account."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.groups: Table[Resource] = Table(
            account.tags,
            lambda name: f"ModelPackageGroup {name} does not exist.",
            lambda there: invalid(f"Model Package Group already exists: {there}"),
        )
        self.packages: Table[Package] = Table(
            account.tags,
            lambda name: f"ModelPackage {name} does not exist.",
            lambda there: ServiceError("ConflictException", f"{there} is being created"),
        )
        self.newest: dict[str, int] = {}

    def operations(self) -> Mapping[str, Operation]:
        """By the API's names."""
        return {
            "CreateModelPackageGroup": self.create_group,
            "DescribeModelPackageGroup": self.describe_group,
            "ListModelPackageGroups": self.list_groups,
            "DeleteModelPackageGroup": self.delete_group,
            "CreateModelPackage": self.create,
            "DescribeModelPackage": lambda request: _described(self._find(request["ModelPackageName"])),
            "UpdateModelPackage": self.update,
            "ListModelPackages": self.list,
            "DeleteModelPackage": self.delete,
        }

    def create_group(self, request: Payload) -> Payload:
        """CreateModelPackageGroup."""
        name = request["ModelPackageGroupName"]
        return {"ModelPackageGroupArn": self.groups.add(Resource(name, arn("model-package-group", name), request)).arn}

    def describe_group(self, request: Payload) -> Payload:
        """DescribeModelPackageGroup."""
        group = self.groups.get(_last(request["ModelPackageGroupName"]))
        kept = {name: group.request[name] for name in ("ModelPackageGroupDescription",) if name in group.request}
        return {
            "ModelPackageGroupName": group.name,
            "ModelPackageGroupArn": group.arn,
            "CreationTime": group.created,
            "CreatedBy": {},
            "ModelPackageGroupStatus": "Completed",
            **kept,
        }

    def list_groups(self, request: Payload) -> Payload:
        """ListModelPackageGroups."""
        names = ("ModelPackageGroupName", "ModelPackageGroupArn", "CreationTime", "ModelPackageGroupStatus")
        found = [self.describe_group({"ModelPackageGroupName": row.name}) for row in self.groups.find(request)]
        summaries = [{name: each[name] for name in names} for each in found]
        return page(summaries, request, "ModelPackageGroupSummaryList")

    def delete_group(self, request: Payload) -> None:
        """DeleteModelPackageGroup: only an empty one."""
        name = _last(request["ModelPackageGroupName"])
        if any(package.group == name for package in self.packages.rows.values()):
            raise ServiceError("ConflictException", f"Model Package Group {name} still has model packages.")
        self.groups.remove(name)

    def create(self, request: Payload) -> Payload:
        """CreateModelPackage: the next version of its group."""
        group = self.groups.get(_last(request.get("ModelPackageGroupName", "")))
        for container in request.get("InferenceSpecification", {}).get("Containers", []):
            self.account.image(container["Image"])
        version = self.newest[group.name] = self.newest.get(group.name, 0) + 1
        name = f"{group.name}/{version}"
        status = request.get("ModelApprovalStatus", "PendingManualApproval")
        package = Package(
            name, arn("model-package", name), request, status="Completed", group=group.name, version=version
        )
        package.request = {**request, "ModelApprovalStatus": status}
        return {"ModelPackageArn": self.packages.add(package).arn}

    def update(self, request: Payload) -> Payload:
        """UpdateModelPackage: the approval, its reason, customer metadata."""
        package = self._find(request["ModelPackageArn"])
        changed = {
            name: value for name, value in request.items() if name in ("ModelApprovalStatus", "ApprovalDescription")
        }
        metadata = package.request.get("CustomerMetadataProperties", {}) | request.get("CustomerMetadataProperties", {})
        package.request = package.request | changed | ({"CustomerMetadataProperties": metadata} if metadata else {})
        package.modified = now()
        return {"ModelPackageArn": package.arn}

    def list(self, request: Payload) -> Payload:
        """ListModelPackages of one group."""
        wanted = _last(request.get("ModelPackageGroupName", ""))
        found = [each for each in self.packages.find(request) if each.group == wanted]
        if "ModelApprovalStatus" in request:
            found = [each for each in found if each.request["ModelApprovalStatus"] == request["ModelApprovalStatus"]]
        return page([_summary(each) for each in found], request, "ModelPackageSummaryList")

    def delete(self, request: Payload) -> None:
        """DeleteModelPackage."""
        self.packages.remove(self._find(request["ModelPackageName"]).name)

    def _find(self, name_or_arn: str) -> Package:
        return self.packages.get(name_or_arn.partition(":model-package/")[2] or name_or_arn)


def _summary(package: Package) -> Payload:
    described = {name: value for name, value in package.request.items() if name == "ModelPackageDescription"}
    return {
        **described,
        "ModelPackageGroupName": package.group,
        "ModelPackageVersion": package.version,
        "ModelPackageArn": package.arn,
        "CreationTime": package.created,
        "ModelPackageStatus": package.status,
        "ModelApprovalStatus": package.request["ModelApprovalStatus"],
    }


def _described(package: Package) -> Payload:
    left_out = ("Tags", "ClientToken", "ModelPackageName")
    request = {name: value for name, value in package.request.items() if name not in left_out}
    return {
        **request,
        **_summary(package),
        "ModelPackageName": package.group,
        "ModelPackageStatusDetails": {"ValidationStatuses": []},
        "LastModifiedTime": package.modified,
    }


def _last(name_or_arn: str) -> str:
    return name_or_arn.rpartition("/")[2]
