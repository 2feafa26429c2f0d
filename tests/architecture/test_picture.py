"""The picture of the architecture shows the imports as they are."""

from scripts.draw_architecture import arrows, drawn, shown


def test_the_picture_was_drawn_from_these_imports() -> None:
    now = sorted([here, there] for here, there in shown(arrows()))
    assert drawn() == now, "run: python -m scripts.draw_architecture"


def test_an_arrow_that_a_longer_way_says_already_is_left_out() -> None:
    flows, stages, base = "flows", "tasks/*.py", "tasks/base"
    assert shown({(flows, stages), (stages, base), (flows, base)}) == {(flows, stages), (stages, base)}


def test_an_arrow_upwards_is_always_shown() -> None:
    assert ("tasks/base", "flows") in shown({("flows", "tasks/base"), ("tasks/base", "flows")})
