"""Cards for the Prefect UI, as Markdown: training, deployment, cost."""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

from finetune_flows.tasks.artifacts.references import Reference
from finetune_flows.tasks.base.markdown import table
from finetune_flows.tasks.platforms.contract import Endpoint
from finetune_flows.tasks.recipe import Recipe
from finetune_flows.tasks.reporting.charts import loss_curve


def training_card(training: Mapping[str, Any], model: Reference, unit: str) -> str:
    """The loss curve and the main figures of training.json. `unit`: what the loss is a mean of."""
    facts = {name: value for name, value in training.items() if isinstance(value, str | int | float)}
    rows = [(name.replace("_", " "), _plain(value)) for name, value in facts.items()]
    rows += [(f"{name}: {choice['value']}", choice["because"]) for name, choice in training["choices"].items()]
    loss = _losses(training.get("losses", []), training.get("validation_losses", []), unit)
    return "\n".join(["# Training", "", *loss, *table(["", ""], rows), "", f"Model: `{model.uri}`"])


def _losses(losses: Sequence[Mapping[str, float]], validation: Sequence[Mapping[str, float]], unit: str) -> list[str]:
    if not losses:
        return []
    svg = loss_curve(losses, validation, unit).encode()
    # A picture by address would need a server of its own; this one travels inside the card.
    lines = [f"![Loss by step](data:image/svg+xml;base64,{base64.b64encode(svg).decode()})", ""]
    lines += [
        f"Loss {losses[0]['loss']:.3f} at step {losses[0]['step']:,}, {losses[-1]['loss']:.3f} at step {losses[-1]['step']:,}; {unit}.",
        "",
    ]
    if validation:
        points = ", ".join(f"{entry['loss']:.3f} at step {entry['step']:,}" for entry in validation[-10:])
        lines += [f"Validation: {points}.", ""]
    return lines


def deployment_card(recipe: Recipe, endpoint: Endpoint, model: Reference) -> str:
    """Address of the candidate, its expiry, and how to call it."""
    rows = [
        ("address", f"`{endpoint.url}`"),
        ("engine", recipe.serving.engine),
        ("model", f"`{model.uri}`, sha256 `{model.digest[:16]}`"),
        ("expires", f"{endpoint.labels.expires_at:%Y-%m-%d %H:%M} UTC"),
    ]
    form, call = recipe.problem.form, f"finetune endpoint call {endpoint.name} {recipe.problem.example}"
    facts = "\n".join(table(["", ""], rows))
    return f"""# Endpoint {endpoint.name}

{facts}

Call it with the prompt that the model was trained on:

```bash
{call}
```

Or send a request in {form.protocol}:

```bash
curl {endpoint.url}{form.route} -H 'Content-Type: application/json' -d '{json.dumps(form.sample(endpoint.name))}'
```

If the gate refuses the model, this endpoint is deleted.
"""


def cost_card(cost: Sequence[tuple[str, str, float]], page: str | None) -> str:
    """Hours of each step, and where the report is."""
    rows = [(what, on, f"{hours:.3f}") for what, on, hours in cost]
    note = "The cost is the hours times the price of the machine. Reused results took their hours in an earlier run."
    report = [f"Report: `{page}`, on the machine that ran the flow."] if page else []
    return "\n".join(["# Cost", "", *table(["what", "on", "hours"], rows), "", note, "", *report])


def _plain(value: object) -> str:
    return f"{value:,.4g}" if isinstance(value, float) else str(value)
