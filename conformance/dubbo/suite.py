"""Dubbo: a provider, and two consumers that find it in Dubbo's two ways, against a running server.

Registry, config center and metadata report are all the server. The contract (environment, steps, output) is in ../README.md.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import apps
from apps import START_S, App, await_count, publish

PROVIDER = f"greeter-{apps.RUN}"
GREETER = "dev.trine.greeter.Greeter"
# By the name of the interface (Dubbo 2 and 3) and by that of the application (Dubbo 3).
WAYS = {"by-interface": "FORCE_INTERFACE", "by-application": "FORCE_APPLICATION"}

started: dict[str, App] = {}


def start(role: str, main: str, application: str, *properties: str) -> App:
    app = App(role, f"dev.trine.greeter.{main}", f"-Ddubbo.application.name={application}", *properties)
    started[role] = app
    return app


def starts() -> None:
    start("provider", "Provider", PROVIDER).await_line("started", START_S)
    for way, migration in WAYS.items():
        start(way, "Consumer", f"{way}-{apps.RUN}", f"-Ddubbo.application.service-discovery.migration={migration}")
    for way in WAYS:
        started[way].await_line("started", START_S)


def registered() -> None:
    await_count(f"providers:{GREETER}::", 1)
    await_count(PROVIDER, 1)


def called_by_interface() -> None:
    started["by-interface"].await_line("answer hello trine")


def called_by_application() -> None:
    started["by-application"].await_line("answer hello trine")


def overridden() -> None:
    """A rule in the config center, read by running consumers, that answers in place of the provider; and its end."""
    rule = "configVersion: v3.0\nscope: service\nkey: {}\nenabled: {}\nconfigs:\n- side: consumer\n  parameters:\n    mock: 'force:return from-the-rule'\n"
    for enabled, answer in (("true", "answer from-the-rule"), ("false", "answer hello trine")):
        seen = {way: len(started[way].lines()) for way in WAYS}
        publish(f"{GREETER}::.configurators", "dubbo", rule.format(GREETER, enabled))
        for way, lines in seen.items():
            started[way].await_line(answer, after=lines)


def provider_gone_seen() -> None:
    seen = {way: len(started[way].lines()) for way in WAYS}
    started["provider"].stop()
    await_count(f"providers:{GREETER}::", 0)
    await_count(PROVIDER, 0)
    for way, lines in seen.items():
        started[way].await_line("no provider", after=lines)


STEPS = [starts, registered, called_by_interface, called_by_application, overridden, provider_gone_seen]
sys.exit(apps.run(STEPS, started.values()))
