"""Clients of the lasting address, all the while: `python client.py URL FILE`. Each request becomes a line of FILE.

A line holds when the request began and ended (seconds since 1970), the client's number, the status (0: no answer), and the
model that answered or what went wrong.
"""

import http.client
import json
import sys
import threading
import time
from urllib.parse import urlsplit

CLIENTS, PAUSE, LONGEST_SECONDS = 2, 0.05, 60
BODY = json.dumps({"model": "x", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4})


def ask(host: str) -> tuple[int, str]:
    """Status, and the model that answered."""
    connection = http.client.HTTPConnection(host, timeout=LONGEST_SECONDS)
    try:
        connection.request("POST", "/v1/chat/completions", BODY, {"Content-Type": "application/json"})
        reply = connection.getresponse()
        text = reply.read().decode()
        return reply.status, json.loads(text)["model"] if reply.status == 200 else text[:200]
    except (OSError, http.client.HTTPException, ValueError) as error:
        return 0, f"{type(error).__name__}: {error}"
    finally:
        connection.close()


def go_on_asking(number: int, host: str, path: str) -> None:
    """One client: its next request begins after the answer to its last."""
    with open(path, "a", buffering=1, encoding="utf-8") as file:
        while True:
            begun = time.time()
            status, told = ask(host)
            record = {"begun": begun, "ended": time.time(), "client": number, "status": status, "told": told}
            file.write(json.dumps(record) + "\n")
            time.sleep(PAUSE)


if __name__ == "__main__":
    address = urlsplit(sys.argv[1]).netloc
    for each in range(CLIENTS):
        threading.Thread(target=go_on_asking, args=(each, address, sys.argv[2])).start()
