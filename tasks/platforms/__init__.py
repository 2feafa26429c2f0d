"""Where jobs and endpoints run."""

from tasks.artifacts.store import home
from tasks.platforms.contract import Platform
from tasks.platforms.process import ProcessRunner
from tasks.recipe import DockerPlatform, SageMakerPlatform
from tasks.recipe import Platform as PlatformSection


def platform_of(section: PlatformSection) -> Platform:
    """The platform that a recipe's section names."""
    if isinstance(section, DockerPlatform):
        from tasks.platforms.docker import DockerRunner  # docker-py is not needed by those who do without

        return DockerRunner(section)
    if isinstance(section, SageMakerPlatform):
        from tasks.platforms.sagemaker import SageMakerRunner

        return SageMakerRunner(section)
    return ProcessRunner(python=section.python, serving_python=section.serving_python)


def platforms_in_use() -> list[Platform]:
    """Those that may hold something of ours: what is listed, found by name and swept is looked for in all of them."""
    used: list[Platform] = [ProcessRunner()]
    if (home() / "docker").exists():
        from tasks.platforms.docker import DockerRunner

        used.append(DockerRunner())
    if (home() / "sagemaker" / "places").exists():
        from tasks.platforms.sagemaker import SageMakerRunner, remembered

        used += [SageMakerRunner(section) for section in remembered()]
    return used
