"""What the platforms of this machine have in common, whether their endpoints are processes or containers."""

from collections.abc import Callable

from finetune_flows.tasks.endpoints.connect import Connection, Http
from finetune_flows.tasks.monitoring.window import Window
from finetune_flows.tasks.platforms.contract import Endpoint, Intent, JudgedModel
from finetune_flows.tasks.platforms.local.aliases import LocalAliases
from finetune_flows.tasks.platforms.local.looking import look
from finetune_flows.tasks.preflight.report import Report
from finetune_flows.tasks.recipe import Recipe
from finetune_flows.tasks.sections.stages import MonitoringSection


class ThisMachine(LocalAliases):
    """The parts of `contract.Platform` that are alike wherever endpoints have an address on this machine."""

    def preflight(self, intent: Callable[[], Intent]) -> Report | None:
        """Nothing is asked: what is lacking here shows at no cost."""
        return None

    def training_hours(self, recipe: Recipe) -> float | None:
        """Nobody bills this machine."""
        return None

    def connection(self, endpoint: Endpoint) -> Connection:
        """By its address."""
        return Http(endpoint.url)

    def window(self, endpoint: Endpoint) -> Window:
        """Since the last look, from the metrics of our own server."""
        return look(endpoint)

    def put_alarms(self, endpoint: Endpoint, limits: MonitoringSection) -> list[str] | None:
        """Nobody watches here between two looks."""
        return None

    def enter_model(self, judged: JudgedModel) -> None:
        """There is no registry but our own."""
