"""Torture: messages go out and come in while the workers are killed, and afterwards the sums must be right.

Who is who:

- The *driver* (`driver.py`) plays the world. It holds what a worker cannot take with it when it dies: the media and
  the feeds (`recorder.py`), which note each hand-over and each run of a handler. It orders submits, offers events,
  kills, stops and starts workers, and waits until everything is settled.
- A *worker* (`worker.py`) is a hub over the store that is tortured, in a process of its own, or in the driver's own
  loop where nothing is killed. It knows the driver over one socket (`link.py`), and nothing else.
- `launch.py` starts workers, and can do so within milliseconds.
- The *plan* (`plan.py`) says what is submitted and offered, and what each medium does with each attempt; all of it
  follows from one seed.
- The *sums* (`sums.py`) compare plan, record and ledger. `test_detects.py` proves that they can fail.
"""
