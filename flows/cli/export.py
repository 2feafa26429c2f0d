"""`finetune export` and `push`: a trained model for other programs, and on the Hugging Face hub."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from finetune_flows.flows.cli.common import Debug, Json, out, print_json, set_up_logging
from finetune_flows.tasks.base.terminal import Table

if TYPE_CHECKING:
    from finetune_flows.tasks.exporting.export import Exported

Model = Annotated[
    str,
    typer.Argument(help="A recipe's name (its champion), the first letters of a model's digest, or a model's folder."),
]


def export(
    model: Model,
    to: Annotated[
        Literal["gguf", "onnx", "safetensors"],
        typer.Option(help="gguf: llama.cpp and Ollama. onnx: ONNX Runtime. safetensors: vLLM and transformers."),
    ],
    quantise: Annotated[
        str | None,
        typer.Option(
            help="Number type of the weights. gguf: q8_0, bf16, f16, f32, q6_k, q5_k_m or q4_k_m; onnx: int8, f32 or int4; "
            "safetensors: bf16, f16, f32 or fp8. Default: the first."
        ),
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("--out", help="New folder for the files. Default: <name>-<number type>.")
    ] = None,
    rows: Annotated[int, typer.Option(min=0, help="Test rows to compare with the original. 0: do not compare.")] = 40,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Write a trained model in another format. Compare its answers with the original's on the test rows.

    Example: finetune export demo --to gguf --quantise q8_0
    """
    set_up_logging(debug)
    from finetune_flows.tasks.exporting.export import export as export_model
    from finetune_flows.tasks.exporting.subject import find_subject
    from finetune_flows.tasks.progress import progress

    subject = find_subject(model)
    with progress("ask the exported model", "export-progress") as update:
        exported = export_model(subject, to, quantise, folder, rows, lambda done, total: update(done, total))
    if as_json:
        print_json(exported.model_dump(mode="json"))
    else:
        _show(exported)


def _show(exported: "Exported") -> None:
    """Prints the files, the difference and the notes."""
    for name, size in exported.sizes.items():
        out.print(f"{exported.folder}/{name}  {size / 1e6:,.1f} MB")
    difference = exported.difference
    if difference is not None:
        table = Table("metric", "original", exported.number_type, "lost", "won")
        for metric, comparison in difference.comparisons.items():
            before, after = difference.original[metric], difference.exported[metric]
            shares = (f"{each.successes} of {each.n}, {each.value * 100:.1f} %" for each in (before, after))
            table.add_row(metric, *shares, str(comparison.only_first), str(comparison.only_second))
        out.print(table)
        if difference.same_prompts is not None:
            out.print(f"{difference.same_prompts} of {difference.rows} prompts have the same token ids.")
        out.print(f"{difference.same_answers} of {difference.rows} answers have the same text.")
    for note in exported.notes:
        out.print(note)


def push(
    model: Model,
    repository: Annotated[str, typer.Argument(metavar="ORG/NAME", help="Repository on the Hugging Face hub.")],
    public: Annotated[
        bool, typer.Option("--public", help="Let everybody read it. Default: a private repository.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be pushed.")] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Push a trained model and its card to the Hugging Face hub. The token comes from the environment variable HF_TOKEN.

    Example: finetune push demo my-org/ships-sql --dry-run
    """
    set_up_logging(debug)
    from finetune_flows.tasks.exporting.hub import plan_push
    from finetune_flows.tasks.exporting.hub import push as push_model
    from finetune_flows.tasks.exporting.subject import find_subject

    planned = plan_push(find_subject(model), repository, public)
    url = None if dry_run else push_model(planned)
    if as_json:
        print_json({**planned.model_dump(mode="json"), "sizes": planned.sizes, "url": url})
        return
    for name, size in planned.sizes.items():
        out.print(f"{name}  {size / 1e6:,.1f} MB")
    kind = "public" if public else "private"
    out.print(f"Pushed to {url}" if url else f"Nothing was pushed. Without --dry-run: to {repository}, {kind}")
