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
    """The parts of `contract.Platform` that all platforms with endpoints on this machine share."""

    def preflight(self, intent: Callable[[], Intent]) -> Report | None:
        """Checks nothing: a failed start costs nothing here."""
        return None

    def training_hours(self, recipe: Recipe) -> float | None:
        """None: this machine costs nothing by the hour."""
        return None

    def connection(self, endpoint: Endpoint) -> Connection:
        """A connection to the endpoint's address."""
        return Http(endpoint.url)

    def window(self, endpoint: Endpoint) -> Window:
        """What the endpoint did since the last look, from the metrics of our own server."""
        return look(endpoint)

    def put_alarms(self, endpoint: Endpoint, limits: MonitoringSection) -> list[str] | None:
        """None: nothing watches the endpoint here between two looks."""
        return None

    def enter_model(self, judged: JudgedModel) -> None:
        """Does nothing: this machine has no registry but our own."""
