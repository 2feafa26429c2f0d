"""What every endpoint of this project answers, tested from outside.

pytest tests/conformance                                        # our server, with a tiny model
pytest tests/conformance --endpoint http://127.0.0.1:8080       # any other
pytest tests/conformance --endpoint URL --lacks tgi,openapi     # one that does less, by declaration
"""

from collections.abc import Iterator

import huggingface_hub.constants
import pytest

from tests.conformance.endpoint import CAPABILITIES, Endpoint


def pytest_addoption(parser: pytest.Parser) -> None:
    known = "; ".join(f"{name}: {meaning}" for name, meaning in CAPABILITIES.items())
    parser.addoption("--endpoint", help="address of the endpoint to test; default: our server with a tiny model")
    parser.addoption("--lacks", default="", help=f"what it does not do, separated by commas. {known}")
    parser.addoption("--endpoint-model", help="the model's name, for servers that insist on it")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(capability): skipped where the endpoint is declared to lack it")


@pytest.fixture(scope="session")
def endpoint(request: pytest.FixtureRequest) -> Iterator[Endpoint]:
    option = request.config.getoption
    lacks = frozenset(filter(None, option("lacks", "").split(",")))
    assert lacks <= CAPABILITIES.keys(), f"--lacks knows {', '.join(CAPABILITIES)}"
    if url := option("endpoint", None):
        yield Endpoint(url.rstrip("/"), lacks, option("endpoint_model", None))
    else:
        yield from _our_own(request.getfixturevalue("tmp_path_factory"), lacks)


def _our_own(folders: pytest.TempPathFactory, lacks: frozenset[str]) -> Iterator[Endpoint]:
    from tests.containers.serving.lively_model import lively_model
    from tests.containers.serving.running_server import Server

    root = folders.mktemp("conformance")
    lively_model(root / "model", window=512)
    server = Server(root, "serve")
    yield Endpoint(server.wait_until_ready(), lacks, model=None)
    assert server.stop() == 0, server.lines


@pytest.fixture(autouse=True)
def _skip_what_is_lacking(request: pytest.FixtureRequest, endpoint: Endpoint) -> None:
    for marker in request.node.iter_markers("needs"):
        if marker.args[0] in endpoint.lacks:
            pytest.skip(f"the endpoint is declared to lack {marker.args[0]}")


@pytest.fixture(autouse=True)
def _hub_online(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub's client refuses every address, the endpoint's too, when the tests run with HF_HUB_OFFLINE."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
