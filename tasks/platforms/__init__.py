"""Where jobs and endpoints run: a folder for each kind of platform, with the same file names in each."""

from finetune_flows.tasks.base.files import home
from finetune_flows.tasks.platforms.contract import Platform
from finetune_flows.tasks.platforms.process import ProcessRunner
from finetune_flows.tasks.recipe import DockerPlatform, SageMakerPlatform
from finetune_flows.tasks.recipe import Platform as PlatformSection


def platform_of(section: PlatformSection) -> Platform:
    """The platform that a recipe's section names. The packages of the others need not be installed."""
    match section:
        case DockerPlatform():
            from finetune_flows.tasks.platforms.docker import DockerRunner

            return DockerRunner(section)
        case SageMakerPlatform():
            from finetune_flows.tasks.platforms.sagemaker import SageMakerRunner

            return SageMakerRunner(section)
        case _:
            return ProcessRunner(section)


def platforms_in_use() -> list[Platform]:
    """All platforms that this home ever used: listing, looking up by name and sweeping go through all of them."""
    used: list[Platform] = [ProcessRunner()]
    if (home() / "docker").exists():
        from finetune_flows.tasks.platforms.docker import DockerRunner

        used.append(DockerRunner())
    if (home() / "sagemaker" / "places").exists():
        from finetune_flows.tasks.platforms.sagemaker import SageMakerRunner, remembered

        used += [SageMakerRunner(section) for section in remembered()]
    return used
