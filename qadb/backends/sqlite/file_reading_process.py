"""Reads a SQLite file's bytes for another process, which holds its moment by a lock.

It runs by itself: closing the file in the process that has it open through SQLite would drop that
one's locks. It is waited for, so it loads little of the standard library. It takes its orders from
standard input, a letter each, and ends with it:

``?``
    Answers ``y`` where the file can't change as long as the other process reads on, else ``n``.
``m``
    Answers ``y`` where the file lies in memory, as far as some of its bytes tell, else ``n``.
``r`` and eight bytes, a number
    Answers with so many bytes of the file.

In WAL mode a file changes only where a checkpoint moves the log's pages into it, and none does
while anybody holds the first read lock (https://www.sqlite.org/walformat.html#wal_locks). A reader
gets that one who needs nothing of the log; and one who may not write the index of the log, whose
own is then in no file, and who may need all of it.
"""

import os
import signal
import struct
import sys

if sys.platform == "linux":
    import fcntl

ASK, ASK_MEMORY, READ = b"?", b"m", b"r"
YES, NO = b"y", b"n"
NUMBER = struct.Struct("<Q")

_FLOCK = struct.Struct("hhqqi0q")  # type, whence, start, length, process: as Linux has it
_READ_LOCKS = range(123, 128)  # bytes of the -shm file
_PIPE_BYTES = 1 << 20
_SAMPLES = 256


def main() -> None:
    """Answer until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever asked is told, too, and ends this
    try:  # noqa: SIM105 - contextlib takes a third of the time that Python takes to start
        fcntl.fcntl(1, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    except OSError:
        pass  # this user may have much in pipes already
    path, reader = sys.argv[1], int(sys.argv[2])
    file = os.open(path, os.O_RDONLY)
    while order := os.read(0, 1):
        if order == ASK:
            os.write(1, YES if _is_frozen_by(reader, path, file) else NO)
        elif order == ASK_MEMORY:
            os.write(1, YES if _is_in_memory(file) else NO)
        else:
            (size,) = NUMBER.unpack(os.read(0, NUMBER.size))
            _give(file, size)


def _is_frozen_by(reader: int, path: str, file: int) -> bool:
    """Tell whether all that the process reads is in the file, and nobody may add to that.

    A reader has one of the locks: where the others are free, all of this process have the first.
    Where we may write the log's index, the reader, who has our rights, has no other one.
    """
    try:
        index = os.open(f"{path}-shm", os.O_RDWR)
        try:
            (kind, holder), *others = [_find_lock(index, each) for each in _READ_LOCKS]
        finally:
            os.close(index)
        is_same = os.path.samestat(os.stat(path), os.fstat(file))  # noqa: PTH116 - as long to load as all else
    except OSError:
        return False
    is_alone = all(other == fcntl.F_UNLCK for other, _ in others)
    return is_same and is_alone and (kind, holder) == (fcntl.F_RDLCK, reader)


def _find_lock(file: int, byte: int) -> tuple[int, int]:
    """What kind of lock would be in the way of a writer, and of which process it is."""
    question = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, byte, 1, 0)
    kind, _, _, _, process = _FLOCK.unpack(fcntl.fcntl(file, fcntl.F_GETLK, question))
    return kind, process


def _is_in_memory(file: int) -> bool:
    """Tell whether reading would wait for no disk; where the system can't tell, it may."""
    size = os.fstat(file).st_size
    try:
        for number in range(_SAMPLES):
            os.preadv(file, [bytearray(1)], size * number // _SAMPLES, os.RWF_NOWAIT)
    except (OSError, AttributeError):  # older C libraries do not know the last of these
        return False
    return True


def _give(file: int, size: int) -> None:
    """Write so many bytes of the file; ends the process where the file ends too early."""
    done = 0
    while done < size:
        given = _give_some(file, done, min(_PIPE_BYTES, size - done))
        if not given:
            sys.exit(1)
        done += given


def _give_some(file: int, start: int, size: int) -> int:
    """Hand pages on as they lie in memory, where the file system lets us."""
    try:
        return os.splice(file, 1, size, offset_src=start)
    except BrokenPipeError:
        raise
    except OSError:  # a disk that fails does so once more
        return os.write(1, os.pread(file, size, start))


if __name__ == "__main__":
    main()
