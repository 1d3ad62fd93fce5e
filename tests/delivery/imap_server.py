"""A real IMAP server for tests: Debian's dovecot, on loopback, with all that is its own in one folder, for one test."""

from __future__ import annotations

import contextlib
import grp
import imaplib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from crm.settings import Mailbox

PASSWORD = "password-of-a-test"
PROGRAM = "/usr/sbin/dovecot"
CONFIG = """
base_dir = {folder}/run
log_path = {folder}/log
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
mail_location = maildir:{folder}/mail
first_valid_uid = 1
default_login_user = {login}
default_internal_user = {internal}
default_internal_group = {group}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}
}}
"""


@dataclass(frozen=True)
class ImapServer:
    """Where it listens, and its one mailbox."""

    mailbox: Mailbox

    def connected(self) -> imaplib.IMAP4:
        connection = imaplib.IMAP4(self.mailbox.host, self.mailbox.port, timeout=10)
        connection.login(self.mailbox.username, self.mailbox.password)
        connection.select("INBOX")
        return connection

    def put(self, raw: bytes) -> None:
        """A message arrives."""
        with self.connected() as connection:
            connection.append("INBOX", None, None, raw)  # type: ignore[arg-type]

    def unseen(self) -> int:
        with self.connected() as connection:
            _, found = connection.uid("SEARCH", "UNSEEN")
            return len((found[0] or b"").split())


@contextlib.contextmanager
def imap_server() -> Iterator[ImapServer]:
    """Run one until the end of the block. Raises FileNotFoundError where dovecot is not installed."""
    if not os.path.exists(PROGRAM):
        raise FileNotFoundError("This test needs an IMAP server. Please run:  sudo apt-get install dovecot-imapd")
    is_root = os.getuid() == 0
    me = pwd.getpwuid(os.getuid()).pw_name
    reader = pwd.getpwnam("nobody") if is_root else pwd.getpwuid(os.getuid())
    folder = Path(tempfile.mkdtemp(prefix="doorstep-imap-"))
    folder.chmod(0o755)
    for name in ("mail/new", "mail/cur", "mail/tmp", "run"):
        (folder / name).mkdir(parents=True)
    for path in (folder / "mail", *(folder / "mail").iterdir()):
        os.chown(path, reader.pw_uid, reader.pw_gid)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "conf").write_text(
        CONFIG.format(
            folder=folder,
            port=port,
            password=PASSWORD,
            login="dovenull" if is_root else me,
            internal="dovecot" if is_root else me,
            group="dovecot" if is_root else grp.getgrgid(os.getgid()).gr_name,
            uid=reader.pw_uid,
            gid=reader.pw_gid,
        )
    )
    process = subprocess.Popen([PROGRAM, "-F", "-c", str(folder / "conf")], stderr=subprocess.DEVNULL)
    server = ImapServer(Mailbox("127.0.0.1", port, "visits", PASSWORD, tls="none", timeout=10))
    try:
        _wait_until_it_answers(server, folder)
        yield server
    finally:
        process.terminate()
        process.wait(timeout=20)
        shutil.rmtree(folder, ignore_errors=True)


def _wait_until_it_answers(server: ImapServer, folder: Path) -> None:
    for _ in range(100):
        with contextlib.suppress(OSError, imaplib.IMAP4.error):
            server.unseen()
            return
        time.sleep(0.1)
    raise RuntimeError((folder / "log").read_text())
