"""Mail, both ways: SMTP out; IMAP, and LMTP from a mail server of one's own, in."""
