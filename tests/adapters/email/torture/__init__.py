"""Torture, by mail: messages go out through Postfix into Dovecot and come in again by IMAP, while the worker is killed.

- A *worker* (`worker.py`) is a hub over SQLite with two channels: one submits mail, one reads the mailbox that it goes
  to. It writes what it does into a file, the *record*, which survives it.
- The *driver* (`driver.py`) starts workers, kills them with signal 9 at moments that follow from a seed, and waits
  until everything is settled. It holds nothing that counts: that is in the ledger, in the mailbox and in the record.
- The *sums* (`sums.py`) compare these three. `test_sums.py` proves that they can fail.
"""
