"""Fetching a file from an address: resumed where it stopped, checked, and put in place at once."""

import hashlib
import http.client
import json
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from gluestick.storage.atomic import atomic_path

Report = Callable[[int, int | None], None]
"""Is told the bytes that are there and those that there will be, or None where not known."""

ATTEMPTS = 5
"""How often a transfer that breaks off is taken up again before giving up."""

_NETWORK_ERRORS = (
    URLError,
    http.client.HTTPException,
    ConnectionError,
    TimeoutError,
    ssl.SSLError,
)
_CHUNK = 1 << 20
_TIMEOUT = 30.0  # seconds
_SHA256_LENGTH = 64


class _SafeRedirects(HTTPRedirectHandler):
    """Follows redirections, but not from an encrypted address to an open one."""

    def redirect_request(
        self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Request | None:
        if req.full_url.startswith("https:") and not newurl.startswith("https:"):
            raise ValueError(f"{req.full_url} leads to the open address {newurl}: refused")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def no_report(done: int, total: int | None) -> None:
    """Show nothing."""


def download(
    url: str,
    path: Path,
    *,
    sha256: str | None = None,
    report: Report = no_report,
    pause: float = 1.0,
) -> str:
    """Fetch a file, or the rest of it.

    What has arrived lies in ``PATH.part`` until all of it is there and checked. A transfer that
    broke off, also in an earlier run, is taken up where it stopped if the file at the address
    is still the same, and begins anew otherwise.

    Args:
        url: The address.
        path: Where the file is put. Missing folders are created.
        sha256: Its published checksum, or None where there is none.
        report: Is told how far it is.
        pause: Seconds before a second attempt; doubled for each further one.

    Returns:
        The SHA-256 of the file, 64 hexadecimal digits.

    Raises:
        ValueError: If the address cannot be reached, answers with an error, keeps breaking off,
            or the file is not the one with the checksum; the message says what to do.
        OSError: If the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    for attempt in range(ATTEMPTS):
        try:
            complete = _transfer(url, part, report)
        except HTTPError as error:
            if error.code < 500 or attempt + 1 == ATTEMPTS:
                raise ValueError(
                    f"{url} answers {error.code} {error.reason}: it may have moved; fetch the "
                    f"file by other means and put it at {path}"
                ) from error
            complete = False
        except _NETWORK_ERRORS as error:
            if attempt + 1 == ATTEMPTS or not part.exists():
                reason = getattr(error, "reason", None) or error
                raise ValueError(
                    f"{urlsplit(url).netloc} cannot be reached ({reason}): check the network and "
                    f"run the command again, which goes on where it stopped; or fetch {url} by "
                    f"other means and put it at {path}"
                ) from error
            complete = False
        if complete:
            return _put_in_place(url, part, path, sha256)
        time.sleep(pause * 2**attempt)
    raise ValueError(
        f"the transfer of {url} broke off {ATTEMPTS} times: run the command again, which goes on "
        "where it stopped"
    )


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _transfer(url: str, part: Path, report: Report) -> bool:
    """Fetch what is missing; return whether everything is there."""
    start = part.stat().st_size if part.exists() else 0
    earlier = _read_identity(part)
    if start and (earlier is None or earlier["url"] != url):
        start = 0
    request = Request(url, headers={"User-Agent": "gluestick", "Accept-Encoding": "identity"})
    if start and earlier is not None:
        request.add_header("Range", f"bytes={start}-")
        if earlier["validator"]:
            request.add_header("If-Range", earlier["validator"])
    try:
        response = build_opener(_SafeRedirects).open(request, timeout=_TIMEOUT)
    except HTTPError as error:
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE and start:
            if earlier is not None and earlier["total"] == start:
                return True
            _forget(part)
            return False
        raise
    with response:
        resumed = response.status == http.client.PARTIAL_CONTENT
        start, total = _extent(response, start if resumed else 0)
        if resumed and earlier is not None and earlier["total"] not in (None, total):
            _forget(part)
            return False
        _write_identity(part, url=url, total=total, validator=_validator(response))
        done = start
        with part.open("ab" if resumed else "wb") as file:
            report(done, total)
            while chunk := response.read(_CHUNK):
                file.write(chunk)
                done += len(chunk)
                report(done, total)
    return total is None or done == total


def _extent(response: Any, start: int) -> tuple[int, int | None]:
    """Return where the answer begins and the size of the whole file, None where not known."""
    if start:
        span, _, size = response.headers.get("Content-Range", "").partition("/")
        if span.removeprefix("bytes ").split("-")[0] != str(start):
            raise http.client.HTTPException(f"the server sent {span!r}, not from byte {start} on")
        return start, int(size) if size.isdigit() else None
    length = response.headers.get("Content-Length", "")
    return 0, int(length) if length.isdigit() else None


def _validator(response: Any) -> str | None:
    """Return what tells whether the file is still the same: a strong entity tag, or its date."""
    tag = response.headers.get("ETag")
    if tag and not tag.startswith("W/"):
        return str(tag)
    return response.headers.get("Last-Modified")


def _identity_path(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _read_identity(part: Path) -> dict[str, Any] | None:
    try:
        identity = json.loads(_identity_path(part).read_text(encoding="utf-8"))
        return {key: identity[key] for key in ("url", "total", "validator")}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write_identity(part: Path, **identity: Any) -> None:
    with atomic_path(_identity_path(part)) as temporary:
        temporary.write_text(json.dumps(identity), encoding="utf-8")


def _forget(part: Path) -> None:
    part.unlink(missing_ok=True)
    _identity_path(part).unlink(missing_ok=True)


def _put_in_place(url: str, part: Path, path: Path, sha256: str | None) -> str:
    found = file_sha256(part)
    if sha256 is not None and found != sha256.lower():
        _forget(part)
        raise ValueError(
            f"what {url} sent has the SHA-256 {found}, and {sha256} is expected: the file has "
            "changed or was damaged on the way, and was removed; run the command again"
        )
    part.replace(path)
    _identity_path(part).unlink(missing_ok=True)
    return found


def read_checksums(path: Path) -> dict[str, str]:
    """Read recorded checksums, as ``sha256sum`` writes them.

    Args:
        path: The file; it may be missing.

    Returns:
        The SHA-256 of each file, by name.

    Raises:
        ValueError: If the file is damaged.
    """
    if not path.is_file():
        return {}
    checksums = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        digest, _, name = line.partition("  ")
        if len(digest) != _SHA256_LENGTH or not name:
            raise ValueError(f"{path} is damaged: {line!r} is no checksum; remove the file")
        checksums[name] = digest
    return checksums


def record_checksum(path: Path, name: str, sha256: str) -> None:
    """Add a file's SHA-256 to the recorded ones.

    Raises:
        ValueError: If the records are damaged.
        OSError: If they cannot be written.
    """
    checksums = read_checksums(path) | {name: sha256}
    with atomic_path(path) as temporary:
        lines = (f"{digest}  {name}\n" for name, digest in sorted(checksums.items()))
        temporary.write_text("".join(lines), encoding="utf-8")
