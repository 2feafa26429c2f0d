"""A stop that is asked for at a certain step."""

from finetune_flows.training.stopping import StopRequest


class StopAtStep(StopRequest):
    """As if SIGTERM came during that step of this process."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self.left = step

    def came_to_any(self) -> bool:
        self.left -= 1
        return self.left <= 0
