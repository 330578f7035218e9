"""Who sits at the terminal, for the record of what they do."""

import os
import pwd
import socket


def at_the_terminal() -> str:
    """The person's account on this machine, as `anna on backup-1`; behind sudo the one who called it."""
    try:
        account = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        account = f"uid {os.getuid()}"
    caller = os.environ.get("SUDO_USER", "")
    name = caller if account == "root" and caller else account
    return f"{name} on {socket.gethostname()}"
