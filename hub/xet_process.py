"""The process that speaks Xet: one order as JSON on standard input, the file's bytes in their order on standard
output, exit status 0 where all came. Run by path, outside the package (``xet.py``)."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

# What hf_xet may hold: by default it plans for gigabytes ahead. A piece is fetched whole before its first byte is
# handed on, so pieces are small; several are under way at once.
SETTINGS = {
    "chunk_cache.size_bytes": 0,
    "client.connect_timeout": "10s",
    "client.read_timeout": "30s",
    "client.retry_base_delay": "500ms",
    "client.retry_max_attempts": 2,  # plain HTTPS stands by
    "client.retry_max_duration": "30s",
    "reconstruction.download_buffer_limit": "24mb",
    "reconstruction.download_buffer_perfile_size": "12mb",
    "reconstruction.download_buffer_size": "12mb",
    "reconstruction.max_reconstruction_fetch_size": "6mb",
    "reconstruction.min_prefetch_buffer": "12mb",
    "reconstruction.min_reconstruction_fetch_size": "6mb",
    "telemetry.enabled": False,
}
WRITE_BYTES = 1 << 20


def main() -> None:
    """Raises what hf_xet raises, and ``OSError`` where nobody reads any more."""
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # whatever else would write to standard output must not end up in the file
    order = json.loads(sys.stdin.buffer.read())
    sys.path.append(order["packages"])
    for piece in _stream(order):
        rest = memoryview(piece)
        while rest:
            rest = rest[out.write(rest[:WRITE_BYTES]) :]


def _stream(order: dict[str, Any]) -> Any:
    import hf_xet

    session = hf_xet.XetSession(hf_xet.XetConfig().with_config(SETTINGS))
    group = session.new_download_stream_group(
        endpoint=order["endpoint"],
        token=order["token"],
        token_expiry_unix_secs=order["expires"],
        custom_headers={"User-Agent": order["agent"]},
    )
    return group.download_stream(hf_xet.XetFileInfo(order["hash"], order["size"]), order["start"], order["size"])


if __name__ == "__main__":
    main()
