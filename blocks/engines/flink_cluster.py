"""What a remote Flink says of itself by its REST interface: that it is there, its version, and whether it has a job.

The job server calls a job `RUNNING` before it has handed it over, so only the cluster can say whether it took it.
Source: Flink 1.19, REST API (`/config`, `/jobs/overview`).
"""

import json
import time
import urllib.error
import urllib.request
from typing import Any

from apache_beam.runners.runner import PipelineResult, PipelineState

from blocks.engines.errors import EngineError
from blocks.engines.flink import FLINK_VERSION

_ANSWER_SECONDS = 10.0
ACCEPT_SECONDS = 180.0


class FlinkCluster:
    """A cluster at a REST address.

    Args:
      master: `host:port`.
      seconds: after which an answer is given up.
      accept_seconds: after which a job that the cluster has not shown is given up; archives are sent in this time.
    """

    def __init__(self, master: str, seconds: float = _ANSWER_SECONDS, accept_seconds: float = ACCEPT_SECONDS) -> None:
        self.master, self._seconds, self._accept_seconds = master, seconds, accept_seconds

    def check(self) -> None:
        """Asks for the version.

        Raises:
          EngineError: no answer, another answer, or a version that the job server cannot talk to.
        """
        told = self._ask("config")
        version = str(told.get("flink-version", "")) if isinstance(told, dict) else ""
        if not version.startswith(FLINK_VERSION + "."):
            what = f"expected Flink {FLINK_VERSION}, got {version or 'an answer that is not of Flink'}"
            fix = f"give a cluster of Flink {FLINK_VERSION}, or a job server of its version with --job-endpoint"
            raise EngineError(what, where=self.where, fix=fix)

    def wait_for(self, job: str, result: PipelineResult) -> bool:
        """Waits until the cluster shows a job, or the job is over; gives whether it was shown.

        Args:
          job: its name.
          result: is cancelled if the cluster does not take it.

        Raises:
          EngineError: the time is over.
        """
        deadline = time.monotonic() + self._accept_seconds
        while True:
            # Asked before the cluster is: a job that is over by then is in the list, if the cluster ever had it.
            over = PipelineState.is_terminal(result.state)
            if any(one.get("name") == job for one in self._ask("jobs/overview").get("jobs", ())):
                return True
            if over:
                return False
            if time.monotonic() > deadline:
                result.cancel()
                what = f"the cluster has not taken the job within {self._accept_seconds:,.0f} s"
                raise EngineError(what, where=self.where, fix="see the cluster's log, and whether it has free slots")
            time.sleep(0.5)

    @property
    def where(self) -> str:
        """For errors."""
        return f"--flink-master {self.master}"

    def _ask(self, path: str) -> Any:
        try:
            with urllib.request.urlopen(f"http://{self.master}/{path}", timeout=self._seconds) as answer:
                return json.load(answer)
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or type(error).__name__
            what = f"the cluster does not answer: {reason}"
            fix = "give host:port of its REST interface (rest.port, 8081 unless configured)"
            raise EngineError(what, where=self.where, fix=fix) from None
