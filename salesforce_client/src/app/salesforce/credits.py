"""How much a subscription may still be sent: the credit of a stream, kept in step with the server's own count. Pure.

Source: Salesforce "Pub/Sub API" guide, pages "Subscribe RPC Method" and "Pub/Sub API Allocations".
"""

from __future__ import annotations

MAX_CREDITS = 100  # outstanding events for each stream; Salesforce treats more as 100
TOP_UP_AT = 50  # a request for each small response would trip Salesforce's limit of requests for each stream


class Credits:
    """How many events Salesforce may still send on a stream, by its own word and by ours.

    A response tells what was pending when it was sent; requests that were still under way then are not in that number.
    They are told apart so that never more than ``MAX_CREDITS`` are outstanding and a stream never runs dry unnoticed.
    """

    def __init__(self) -> None:
        self._acknowledged = 0
        self._under_way: list[int] = []

    @property
    def outstanding(self) -> int:
        """Credit granted and not used up."""
        return self._acknowledged + sum(self._under_way)

    def grant(self) -> int:
        """How much to ask for now to be at the maximum again; counted as asked for. 0: there is enough left."""
        if self.outstanding > TOP_UP_AT:
            return 0
        more = MAX_CREDITS - self.outstanding
        self._under_way.append(more)
        return more

    def settle(self, received: int, pending: int) -> None:
        """Account for a response with ``received`` events that says ``pending`` are left."""
        expected = self._acknowledged - received
        for count in range(len(self._under_way) + 1):
            if expected + sum(self._under_way[:count]) == pending:
                self._acknowledged, self._under_way = pending, self._under_way[count:]
                return
        # The two accounts differ: the server's counts, as it is the server that stops sending.
        self._acknowledged, self._under_way = max(pending, 0), []
