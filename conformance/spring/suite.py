"""Spring Cloud Alibaba: one application, started twice under two names, against a running server.

The contract (environment, steps, output) is in ../README.md.
"""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import apps
from apps import START_S, App, await_count, http, publish, until, want

SHOP, DESK = f"shop-{apps.RUN}", f"desk-{apps.RUN}"
# The name under which they are known: its process.
started: dict[str, App] = {}
# The name: where it serves, as the registry says.
doors: dict[str, str] = {}


def ask(name: str, path: str) -> str:
    return http(f"{doors[name]}/{path}")


def greeting(name: str, text: str) -> None:
    publish(f"{name}.yaml", "DEFAULT_GROUP", f"greeting: {text}\n")


def starts() -> None:
    for name in (SHOP, DESK):
        greeting(name, f"hello from {name[:4]}")
        started[name] = App(name, "dev.trine.shop.Shop", SHOP_NAME=name)
    for app in started.values():
        app.await_line("Started Shop in", START_S)


def registered() -> None:
    for name in (SHOP, DESK):
        (instance,) = await_count(name, 1)
        want(instance["metadata"].get("preserved.register.source"), "SPRING_CLOUD")
        doors[name] = f"http://{instance['ip']}:{instance['port']}"


def config_loaded() -> None:
    want(ask(SHOP, "greeting"), "hello from shop")


def config_refreshed() -> None:
    greeting(SHOP, "good evening")
    until(lambda: want(ask(SHOP, "greeting"), "good evening"))
    want(ask(DESK, "greeting"), "hello from desk")


def discovered() -> None:
    port = int(doors[SHOP].rsplit(":", 1)[1])
    until(lambda: want(json.loads(ask(DESK, f"instances/{SHOP}")), [port]))


def called() -> None:
    until(lambda: want(ask(DESK, f"call/{SHOP}"), "good evening"))


def deregistered_on_stop() -> None:
    started[SHOP].stop()
    await_count(SHOP, 0, 5)
    until(lambda: want(json.loads(ask(DESK, f"instances/{SHOP}")), []))


STEPS = [starts, registered, config_loaded, config_refreshed, discovered, called, deregistered_on_stop]
sys.exit(apps.run(STEPS, started.values()))
