"""How much the GPUs of a notebook are used: the signal ``gpu``.

Read from the driver's own library (NVML), which costs well under a millisecond, else from ``nvidia-smi``. Where
there is neither, nothing is known: that is not the same as a GPU that rests.
"""

from __future__ import annotations

import ctypes
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..contract import LocalSignal

#: A GPU that is used for less than this part of the time rests: a display or a monitor alone shows 0 to 2 %.
BUSY_PERCENT = 5
#: One look every few seconds misses short work; what was seen counts for so long.
HELD_SECONDS = 30.0
TOOL_SECONDS = 5.0
NO_TOOL = "There is no GPU tool in this notebook"


@dataclass(frozen=True)
class Gpu:
    """One GPU now. percent: part of the time in which it computed, None where the driver does not say."""

    name: str
    percent: int | None
    used_bytes: int
    total_bytes: int


class _Utilization(ctypes.Structure):
    _fields_ = (("gpu", ctypes.c_uint), ("memory", ctypes.c_uint))


class _Memory(ctypes.Structure):
    _fields_ = (
        ("total", ctypes.c_ulonglong),
        ("free", ctypes.c_ulonglong),
        ("used", ctypes.c_ulonglong),
    )


class Nvml:
    """The driver's library. Raises OSError where it is not there or does not begin."""

    def __init__(self, name: str = "libnvidia-ml.so.1") -> None:
        self._library = ctypes.CDLL(name)
        self._call("nvmlInit_v2")

    def _call(self, name: str, *arguments: object) -> None:
        try:
            status = getattr(self._library, name)(*arguments)
        except AttributeError as error:
            raise OSError(str(error)) from None
        if status != 0:
            raise OSError(f"{name} answered {status}")

    def read(self) -> list[Gpu]:
        """Every GPU that this process may see."""
        count = ctypes.c_uint()
        self._call("nvmlDeviceGetCount_v2", ctypes.byref(count))
        return [self._one(index) for index in range(count.value)]

    def _one(self, index: int) -> Gpu:
        device = ctypes.c_void_p()
        self._call("nvmlDeviceGetHandleByIndex_v2", ctypes.c_uint(index), ctypes.byref(device))
        name = ctypes.create_string_buffer(96)
        self._call("nvmlDeviceGetName", device, name, ctypes.c_uint(len(name)))
        memory, utilization = _Memory(), _Utilization()
        self._call("nvmlDeviceGetMemoryInfo", device, ctypes.byref(memory))
        percent: int | None = None
        try:
            self._call("nvmlDeviceGetUtilizationRates", device, ctypes.byref(utilization))
            percent = int(utilization.gpu)
        except OSError:
            percent = None  # a slice of a GPU says nothing of its use
        return Gpu(name.value.decode("utf-8", "replace"), percent, int(memory.used), int(memory.total))


def by_tool() -> list[Gpu]:
    """The same from nvidia-smi. Raises OSError where it is not there or does not answer in time."""
    query = "--query-gpu=name,utilization.gpu,memory.used,memory.total"
    try:
        said = subprocess.run(
            ["nvidia-smi", query, "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            timeout=TOOL_SECONDS,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired as error:
        raise OSError(str(error)) from None
    if said.returncode != 0:
        raise OSError(said.stderr.strip() or f"nvidia-smi ended with {said.returncode}")
    return parsed(said.stdout)


def parsed(text: str) -> list[Gpu]:
    """What nvidia-smi prints. Raises OSError for something else."""
    found = []
    for line in text.splitlines():
        parts = [part.strip() for part in line.rsplit(",", 3)]
        if len(parts) != 4:
            raise OSError(f"nvidia-smi printed {line!r}")
        name, percent, used, total = parts
        try:
            found.append(
                Gpu(name, int(percent) if percent.isdigit() else None, int(used) << 20, int(total) << 20)
            )
        except ValueError:
            raise OSError(f"nvidia-smi printed {line!r}") from None
    return found


def find_reader() -> tuple[Callable[[], Sequence[Gpu]] | None, float]:
    """(how GPUs are read here, how many seconds between two looks); None where they cannot be."""
    try:
        nvml = Nvml()
        nvml.read()
        return nvml.read, 0.0
    except OSError:
        pass  # no driver's library: its tool may still be there
    try:
        by_tool()
        return by_tool, 30.0
    except OSError:
        return None, 0.0


class Gpus:
    """``look`` takes a reading, ``signal`` says what the last ones mean."""

    def __init__(
        self,
        reader: Callable[[], Sequence[Gpu]] | None,
        least_seconds: float = 0.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reader, self._least, self._monotonic = reader, least_seconds, monotonic
        self._began = self._since = monotonic()
        self._looked: float | None = None
        self._last: Sequence[Gpu] = ()
        self._trouble = "" if reader else NO_TOOL
        self._used_at: float | None = None
        self._state = "unknown"

    def look(self, at_once: bool = False) -> None:
        """One reading, unless the last was just now and readings are dear here."""
        now = self._monotonic()
        recent = self._looked is not None and now - self._looked < self._least
        if self._reader is None or (recent and not at_once):
            return
        self._looked = now
        try:
            self._last, self._trouble = self._reader(), ""
        except OSError as error:
            self._trouble = f"The GPU does not answer: {error}"
        self._judge(now)

    def _judge(self, now: float) -> None:
        silent = not self._last or any(one.percent is None for one in self._last)
        if any((one.percent or 0) >= BUSY_PERCENT for one in self._last) and not self._trouble:
            self._used_at = now
        if self._used_at is not None and now - self._used_at < HELD_SECONDS:
            state = "busy"
        elif self._trouble or silent:
            state = "unknown"
        else:
            state = "idle"
        if state != self._state:
            if state == "idle" and self._used_at is not None:
                self._since = self._used_at
            elif state == "idle" and self._state == "unknown":
                self._since = self._began
            else:
                self._since = now
            self._state = state

    def last(self) -> Sequence[Gpu]:
        """The last reading; none where none can be had."""
        return () if self._trouble else self._last

    def signal(self) -> LocalSignal:
        """What goes up."""
        if self._state == "unknown":
            return LocalSignal("gpu", "unknown", None, self._trouble or "The GPU does not say how it is used")
        since = self._monotonic() - self._since
        return LocalSignal("gpu", self._state, since, in_words(self._last))


def in_words(gpus: Sequence[Gpu]) -> str:
    """Such as ``GPU 0 is used to 87 % and holds 31.2 of 80.0 GiB``."""
    return "; ".join(
        f"GPU {number} is used to {one.percent or 0} % and holds"
        f" {one.used_bytes / 2**30:.1f} of {one.total_bytes / 2**30:.1f} GiB"
        for number, one in enumerate(gpus)
    )
