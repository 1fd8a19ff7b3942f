"""A token bucket: at most so many requests a second on average, with bursts. Pure; time comes in."""


class TokenBucket:
    """*qps* tokens a second, at most *burst* saved up. Each request takes one, in advance if need be."""

    def __init__(self, qps: float, burst: int, now: float) -> None:
        if qps <= 0 or burst < 1:
            raise ValueError(f"a token bucket needs qps > 0 and burst ≥ 1, found {qps} and {burst}")
        self._qps = qps
        self._burst = float(burst)
        self._tokens = float(burst)
        self._counted_at = now

    def take(self, now: float) -> float:
        """Take a token. Returns how many seconds to wait before using it, 0 for none."""
        self._tokens = min(self._burst, self._tokens + (now - self._counted_at) * self._qps)
        self._counted_at = now
        self._tokens -= 1
        return max(0.0, -self._tokens / self._qps)
