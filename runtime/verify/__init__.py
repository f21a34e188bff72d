"""The verifier of images: every digest, size and diff ID of an image derived again from its bytes.

It shares no code with what writes or reads images elsewhere, so that a mistake there is no mistake here
(`tests/guards/test_verify.py` holds that). Its input is untrusted: it reads in chunks, follows no name out of the
archive, and stops at `Limits`.
"""
