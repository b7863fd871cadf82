"""The same hub behind blocking code: scripts, Django views, Celery tasks. `python examples/blocking.py`."""

from concurrent.futures import ThreadPoolExecutor

from convergekit import MemoryStore, Status
from convergekit.sync import Hub

# [blocking]
hub = Hub(store=MemoryStore())
hub.add_channel("chat", "loopback://")  # known now, opened when the hub is entered


def notify(order: int) -> Status:
    """As a view or a task would call it, in whatever thread it runs."""
    return hub.send("Your parcel is on its way.", to="loopback:ann", key=f"order-{order}:shipped").status


def main() -> None:
    with hub, ThreadPoolExecutor() as threads:
        print({str(status) for status in threads.map(notify, range(20))})


# [blocking end]

if __name__ == "__main__":
    main()
