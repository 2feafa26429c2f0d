"""Errors in the words of AWS."""


class ServiceError(Exception):
    """An answer that is an error: its code, its message, its HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        self.code, self.status = code, status
        super().__init__(message)


def invalid(message: str) -> ServiceError:
    """What SageMaker says to a request that it cannot accept, and of a thing that is not there."""
    return ServiceError("ValidationException", message)


def over_quota(quota: str, limit: float, delta: int) -> ServiceError:
    """What SageMaker says when an account may not have so many instances."""
    return ServiceError(
        "ResourceLimitExceeded",
        f"The account-level service limit '{quota}' is {limit:g} Instances, with current utilization of 0 Instances and "
        f"a request delta of {delta} Instances. Please use AWS Service Quotas to request an increase for this quota. "
        "If AWS Service Quotas is not available, contact AWS support to request an increase for this quota.",
    )
