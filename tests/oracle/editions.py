"""Python's protobuf as an oracle for the codec: a process that translates on request.

Standard input and output carry frames: a little-endian u32 length, then that many bytes.
A request is one byte of operation, the length of a message name (u32) and the name, the payload:

    S  the payload is a FileDescriptorSet, used by all that follows; the name is ignored
    J  the payload is wire bytes of the named message; the answer is JSON
    W  the payload is JSON of the named message; the answer is wire bytes, deterministic
    N  the payload is wire bytes; the answer is wire bytes, deterministic (a normal form)

An answer is one byte, 0 or 1, then the result or the text of the error.
"""

import struct
import sys

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory


def read_frame(stream):
    head = stream.read(4)
    if len(head) < 4:
        return None
    (length,) = struct.unpack("<I", head)
    return stream.read(length)


def new_pool(payload):
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(payload).file:
        pool.Add(file)
    return pool


def answer(pool, operation, name, payload):
    message = message_factory.GetMessageClass(pool.FindMessageTypeByName(name))()
    if operation == b"W":
        json_format.Parse(payload.decode("utf-8"), message, descriptor_pool=pool)
    else:
        message.ParseFromString(payload)
    if operation == b"J":
        text = json_format.MessageToJson(message, indent=None, descriptor_pool=pool)
        return text.encode("utf-8")
    return message.SerializePartialToString(deterministic=True)


def main():
    stdin, stdout = sys.stdin.buffer, sys.stdout.buffer
    pool = None
    while True:
        frame = read_frame(stdin)
        if frame is None:
            return
        operation = frame[:1]
        (length,) = struct.unpack("<I", frame[1:5])
        name, payload = frame[5 : 5 + length].decode("utf-8"), frame[5 + length :]
        try:
            if operation == b"S":
                pool, result = new_pool(payload), b""
            else:
                result = answer(pool, operation, name, payload)
            response = b"\0" + result
        except Exception as error:  # every refusal is an answer
            response = b"\1" + f"{type(error).__name__}: {error}".encode("utf-8")
        stdout.write(struct.pack("<I", len(response)) + response)
        stdout.flush()


main()
