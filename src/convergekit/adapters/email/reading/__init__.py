"""Reads mail: from bytes to text, files and addresses. Pure; no bytes make it raise."""
