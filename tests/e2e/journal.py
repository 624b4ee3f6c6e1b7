# SPDX-License-Identifier: MIT
"""Journals for tests: records as provisionerd writes them and journald keeps them, in files of their own.

A test host need not run journald; systemd-journal-remote turns the export format into journal files.
"""

import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
JOURNAL_REMOTE = pathlib.Path("/lib/systemd/systemd-journal-remote")
UNIT = "provisionerd.service"

IDS = dict(re.findall(r'#define AUDIT_ID_(\w+) "(\w{32})"',
                      (ROOT / "src/audit.h").read_text(encoding="utf-8")))


def record(when_s, kind, message, environment=None, unit=UNIT, **fields):
    """One record, of that moment; kind is a name in audit.h: "SLEEP"."""
    lines = {
        "__REALTIME_TIMESTAMP": int(when_s * 1_000_000),
        "__MONOTONIC_TIMESTAMP": int(when_s * 1_000_000) % 10**12,
        "_BOOT_ID": "0123456789abcdef0123456789abcdef",
        "_SYSTEMD_UNIT": unit,
        "MESSAGE_ID": IDS[kind],
        "MESSAGE": message,
        **({"PROVISIONERD_ENVIRONMENT": environment} if environment else {}),
        **{f"PROVISIONERD_{name.upper()}": value for name, value in fields.items()},
    }
    text = b""
    for name, value in lines.items():
        data = str(value).encode()
        if b"\n" in data:  # systemd.io/JOURNAL_EXPORT_FORMATS: binary fields have their length
            text += name.encode() + b"\n" + len(data).to_bytes(8, "little") + data + b"\n"
        else:
            text += name.encode() + b"=" + data + b"\n"
    return text + b"\n"


def write_journal(path, *records):
    subprocess.run([JOURNAL_REMOTE, "-o", path, "-"], input=b"".join(records), check=True,
                   capture_output=True)
