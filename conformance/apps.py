"""What the suites of applications share: processes, steps, and the server seen by an operator.

The contract (environment, steps, output) is in README.md.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

# Longest time for one poll of something that the server should show at once.
SETTLE_S = 40
# An application starts in a few seconds; several at a time on a busy machine take longer.
START_S = 120

RUN = f"{int(time.time() * 1000):x}-{os.getpid()}"
ADDRESS = os.environ.get("TRINE_ADDR", "")
# The operator is at another node than the applications, if there is one.
CHECK_ADDRESS = os.environ.get("TRINE_CHECK_ADDR") or ADDRESS
USER = os.environ.get("TRINE_USER", "")
PASSWORD = os.environ.get("TRINE_PASSWORD", "")
SCRATCH = pathlib.Path(os.environ.get("TRINE_SCRATCH") or tempfile.mkdtemp(prefix="trine-conformance-"))


class Unmet(Exception):
    """What a step expected and did not find."""


def until(check, limit_s: float = SETTLE_S):
    """Polls until check succeeds and gives what it returns; its last exception tells what was still missing."""
    end = time.monotonic() + limit_s
    while True:
        try:
            return check()
        except (Unmet, OSError) as missing:
            if time.monotonic() >= end:
                raise Unmet(f"after {limit_s} s: {missing}") from missing
        time.sleep(0.1)


def want(found, wanted) -> None:
    if found != wanted:
        raise Unmet(f"found {found!r}, wanted {wanted!r}")


def http(url: str, form: dict | None = None) -> str:
    """The body of a GET, or of a POST of this form."""
    data = None if form is None else urllib.parse.urlencode(form).encode()
    try:
        with urllib.request.urlopen(url, data, timeout=10) as answer:
            return answer.read().decode()
    except urllib.error.HTTPError as refused:
        raise Unmet(f"{refused.code} {refused.read().decode()[:200]}") from refused


# The server, past the applications


def _token() -> dict:
    if not USER:
        return {}
    answer = http(f"http://{CHECK_ADDRESS}/nacos/v1/auth/login", {"username": USER, "password": PASSWORD})
    return {"accessToken": json.loads(answer)["accessToken"]}


def publish(data_id: str, group: str, content: str) -> None:
    form = {"dataId": data_id, "group": group, "content": content, **_token()}
    want(http(f"http://{CHECK_ADDRESS}/nacos/v1/cs/configs", form), "true")


def instances(service: str) -> list[dict]:
    query = urllib.parse.urlencode({"serviceName": service, **_token()})
    return json.loads(http(f"http://{CHECK_ADDRESS}/nacos/v1/ns/instance/list?{query}"))["hosts"]


def await_count(service: str, count: int, limit_s: float = SETTLE_S) -> list[dict]:
    """The instances of the service as soon as there are this many, all healthy."""

    def check():
        found = instances(service)
        if len(found) != count or not all(instance["healthy"] for instance in found):
            raise Unmet(f"{service}: {len(found)} instances, wanted {count}, all healthy")
        return found

    return until(check, limit_s)


# Applications


class App:
    """A JVM of the suite's directory; what it prints is in the scratch directory."""

    def __init__(self, name: str, main: str, *properties: str, **variables: str):
        self.name, self.log = name, SCRATCH / f"{name}.log"
        command = ["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", f"-Duser.home={SCRATCH}"]
        command += [*properties, "-cp", "target/classes:target/lib/*", main]
        with open(self.log, "wb") as out:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, env={**os.environ, **variables}
            )

    def lines(self) -> list[str]:
        return self.log.read_text(errors="replace").splitlines()

    def await_line(self, text: str, limit_s: float = SETTLE_S, after: int = 0) -> int:
        """Waits for a line with this text behind the first `after` lines; the number of lines up to it."""

        def check():
            for number, line in enumerate(self.lines()[after:], after + 1):
                if text in line:
                    return number
            ended = self.process.poll()
            raise Unmet(f"{self.name}: no line with {text!r}" + ("" if ended is None else f"; it ended with {ended}"))

        return until(check, limit_s)

    def stop(self) -> None:
        """As its users do: SIGTERM, and the time to deregister."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired as late:
            raise Unmet(f"{self.name} did not end within 20 s after SIGTERM") from late

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def run(steps, started) -> int:
    """Runs the steps in order. Each builds on the one before it: after one that failed, the rest fail, too."""
    broken = ""
    try:
        for body in steps:
            name = body.__name__
            if not broken:
                try:
                    body()
                    print(f"step {name} ok", flush=True)
                    continue
                except Exception as error:  # Whatever it is, it is the outcome of this step.
                    broken = f"because of {name}"
                    reason = " ".join(str(error).split()) or repr(error)
            else:
                reason = broken
            print(f"step {name} fail {reason}", flush=True)
    finally:
        for app in started:
            app.kill()
    return 1 if broken else 0


if not ADDRESS:
    sys.exit("TRINE_ADDR must be host:port")
