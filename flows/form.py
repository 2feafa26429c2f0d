"""Parameters of flows as the form in Prefect's UI shows them."""

from typing import Annotated

from pydantic import WithJsonSchema

TextOrEmpty = Annotated[str | None, WithJsonSchema({"type": "string"})]
"""A text that may be left empty. The form would show `str | None` as two tabs, one of them `Property is type "None"`."""
