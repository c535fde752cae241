"""Codecs: how the arguments and results of tasks are written.

Arguments and results are converted by the annotations of the task first, see docs/typed.md. Then the codec of the task
registry writes them as text: plain JSON, or signed, or encrypted.
"""

from honker.codec.codec import Codec, JSONCodec
from honker.codec.encrypted import EncryptedCodec
from honker.codec.signed import SignedCodec

__all__ = ["Codec", "EncryptedCodec", "JSONCodec", "SignedCodec"]
