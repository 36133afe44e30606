"""Spans on their way to a collector. Imported only where they are exported: SDK and exporter take long to import."""

from __future__ import annotations

import threading

from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace.export import BatchSpanProcessor

END = 3.0
"""Seconds for what is left to be exported when the gateway ends. The SDK would take them for each of several batches."""

_EXPORT = 3.0
"""Seconds for one batch, retries included."""


class Batches(BatchSpanProcessor):
    """Spans that go to the OTLP collector at `address` ("http://…" or "https://…", gRPC), in batches, in another thread."""

    def __init__(self, address: str) -> None:
        self._exporter = OTLPSpanExporter(endpoint=address, timeout=_EXPORT)
        super().__init__(self._exporter)

    def shutdown(self) -> None:
        """Exports what is left; what a collector that is down or hangs has not taken by then is given up."""
        ending = threading.Thread(target=super().shutdown, name="spans-end", daemon=True)
        ending.start()
        ending.join(END)
        if ending.is_alive():
            self._exporter.shutdown()
            ending.join()
