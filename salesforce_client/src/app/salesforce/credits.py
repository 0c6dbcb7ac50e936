"""Counts the credit of a stream: how many events Salesforce may still send on it.

Source: Salesforce "Pub/Sub API" guide, pages "Subscribe RPC Method" and "Pub/Sub API Allocations".
"""

from __future__ import annotations

MAX_CREDITS = 100  # outstanding events of a stream; Salesforce treats a higher number as 100
# Request more events when only this many are outstanding. A request after each small response would
# exceed Salesforce's limit of requests for a stream.
TOP_UP_AT = 50


class Credits:
    """The credit of one stream. It follows the server's own count.

    A response says how many events were pending when the server sent it. That number does not
    include requests that had not arrived yet, so these are counted separately. In this way at most
    ``MAX_CREDITS`` events are outstanding, and a stream never runs out of credit unnoticed.
    """

    def __init__(self) -> None:
        self._acknowledged = 0  # credit that the server has confirmed
        self._under_way: list[int] = []  # credit of requests that it has not confirmed yet

    @property
    def outstanding(self) -> int:
        """Credit that is granted and not used up."""
        return self._acknowledged + sum(self._under_way)

    def grant(self) -> int:
        """Grant credit up to the maximum. Returns the number of events to request now.

        This number is 0 if there is enough credit left.
        """
        if self.outstanding > TOP_UP_AT:
            return 0
        more = MAX_CREDITS - self.outstanding
        self._under_way.append(more)
        return more

    def settle(self, received: int, pending: int) -> None:
        """Count a response. It has ``received`` events and says that ``pending`` more are due."""
        expected = self._acknowledged - received
        for count in range(len(self._under_way) + 1):
            if expected + sum(self._under_way[:count]) == pending:
                self._acknowledged, self._under_way = pending, self._under_way[count:]
                return
        # The two counts differ. The server's count is used, because the server sends only what its
        # own count allows.
        self._acknowledged, self._under_way = max(pending, 0), []
