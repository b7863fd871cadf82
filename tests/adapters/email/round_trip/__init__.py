"""Torture, by mail: messages go out through Postfix and come in again, while the worker is killed.

They come out of Dovecot by IMAP, or from Postfix by LMTP.

- A *worker* (`worker.py`) is a hub over SQLite with two channels: one submits mail, one takes in what arrives. It
  writes what it does into a file, the *record*, which survives it.
- The *driver* (`driver.py`) starts workers, kills them with signal 9 at moments that follow from a seed, and waits
  until everything is settled. It holds nothing that counts: that is in the ledger, in the mailbox and in the record.
- The *sums* (`sums.py`) compare these three. `test_sums.py` proves that they can fail.
"""
