"""`o2o chaos`: campaigns that break the platform on purpose, then audit what is left."""

from __future__ import annotations

import typer

from o2o_cli.chaos.command import order_path
from o2o_cli.chaos.payments_command import payments
from o2o_cli.chaos.printers_command import printers

app = typer.Typer(
    help="Break the platform on purpose, and audit what is left.\n\nExample: o2o chaos order-path --kills 10 --rate 50",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)
app.command("order-path")(order_path)
app.command("payments")(payments)
app.command("printers")(printers)


@app.callback()
def _campaigns() -> None:
    pass  # a group, even of one
