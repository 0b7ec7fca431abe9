# mypy: ignore-errors
# ruff: noqa: SIM115, UP004, UP008, S112
"""Runs inside a Python kernel of any environment (the standard library alone, Python 3.8 and later); never imported there.

Its text is executed with ``GIVEN`` set: ``{"do": "keep", "folder", "seconds", "size_bytes"}`` writes each variable into a
file of its own, and a line of ``manifest.jsonl`` before and after it, so that whatever cuts it off costs what was not
reached only. ``{"do": "bring", "folder", "names"}`` puts them back and writes ``brought.json``. The pickles are those
of cloudpickle where the kernel has it, of dill for what that cannot store, else of the standard library.
"""

import importlib
import io
import json
import os
import pickle
import sys
import time
import types

MIB = 1024 * 1024
PLAIN = (int, float, complex, bool, str, bytes, type(None))


class NotKept(Exception):
    """Why one is not kept, in words."""


def shell_of():
    return importlib.import_module("IPython").get_ipython()


def wanted(shell):
    """Names and values that a person made, the small ones first."""
    hidden, found = shell.user_ns_hidden, []
    for name, value in list(shell.user_ns.items()):
        ours = name.startswith("_") or name in ("In", "Out", "exit", "quit", "open", "get_ipython")
        if not ours and not (name in hidden and hidden[name] is value):
            found.append((name, value))
    return sorted(found, key=lambda item: guess(item[1]))


def guess(value):
    """About how many bytes it has."""
    try:
        if isinstance(value, types.ModuleType):
            return 0
        if hasattr(value, "memory_usage"):
            used = value.memory_usage()
            return int(used.sum() if hasattr(used, "sum") else used)
        if isinstance(getattr(value, "nbytes", None), int):
            return value.nbytes
        if hasattr(value, "element_size") and hasattr(value, "nelement"):
            return value.element_size() * value.nelement()
        return sys.getsizeof(value)
    except Exception:  # whatever a user's class does
        return 0


def shown(size):
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            return f"{size / factor:.3g} {unit}"
    return f"{size} B"


class Bounded(object):
    """A file that ends where the bound or the time does."""

    def __init__(self, path, room, most, deadline):
        self.file, self.room, self.most, self.deadline = open(path, "wb"), room, most, deadline
        self.written, self.checked, self.left = 0, 0, room()

    def write(self, data):
        size = data.nbytes if isinstance(data, memoryview) else memoryview(data).nbytes
        self.written += size
        if self.written - self.checked > 16 * MIB:  # others write too
            self.checked = self.written
            self.left = self.written + self.room()
        if self.written > self.left:
            raise NotKept(too_large(self.written, self.most, "at least "))
        if time.monotonic() > self.deadline:
            raise NotKept("the time was over")
        self.file.write(data)
        return size


def too_large(size, most, about=""):
    return f"{about}{shown(size)}, more than is left of the {shown(most)} that are kept"


def holds_open_file(value):
    return isinstance(value, io.IOBase) and not isinstance(value, (io.BytesIO, io.StringIO))


class Call(object):
    """Is stored as a call that is made again when it is read."""

    def __init__(self, function, *arguments):
        self.made = (function, arguments)

    def __reduce__(self):
        return self.made


def function_of(value):
    """A notebook's own function: as it is, but for its variables, which it finds in the notebook it comes back to."""
    namespace = Call(vars, Call(importlib.import_module, "__main__"))
    names = ("__kwdefaults__", "__doc__", "__qualname__", "__module__", "__annotations__")
    made = (value.__code__, namespace, value.__name__, value.__defaults__)
    return (types.FunctionType, made, (value.__dict__, {name: getattr(value, name) for name in names}))


def careful(base, namespace):
    """A pickler that refuses open files inside, and leaves a notebook's own functions their namespace."""

    class Careful(base):
        def reducer_override(self, value):
            if holds_open_file(value):
                raise NotKept("it holds an open file")
            above = getattr(super(Careful, self), "reducer_override", None)
            if above is not None:
                own = isinstance(value, types.FunctionType) and value.__globals__ is namespace
                return function_of(value) if own and not value.__closure__ else above(value)
            if getattr(value, "__module__", None) == "__main__" and isinstance(
                value, (type, types.FunctionType)
            ):
                raise NotKept(
                    f"it needs {value.__name__}, made in the notebook; with cloudpickle it would be kept"
                )
            return NotImplemented

    return Careful


def picklers(namespace):
    """(library, pickler) in the order in which they are tried."""
    found = []
    for library in ("cloudpickle", "dill"):
        try:
            module = importlib.import_module(library)
            base = module.CloudPickler if library == "cloudpickle" else module.Pickler
            found.append((library, careful(base, namespace) if library == "cloudpickle" else base))
        except Exception:  # not there, or not for this Python
            continue
    return found or [("pickle", careful(pickle.Pickler, namespace))]


class Keeper(object):
    def __init__(self, given):
        self.folder, self.most = given["folder"], given["size_bytes"]
        self.deadline = time.monotonic() + given["seconds"]
        self.shell = shell_of()
        self.tools = picklers(self.shell.user_ns)
        self.log = open(os.path.join(self.folder, "manifest.jsonl"), "a", encoding="utf-8")
        self.seen = {}

    def say(self, **line):
        self.log.write(json.dumps(line) + "\n")
        self.log.flush()

    def room(self):
        """What is left of the bound, for all kernels together, and of the disk: half of it stays free."""
        used = 0
        for place, _, names in os.walk(os.path.dirname(self.folder)):
            for name in names:
                try:
                    used += os.path.getsize(os.path.join(place, name))
                except OSError:
                    pass
        disk = os.statvfs(self.folder)
        return min(self.most - used, disk.f_bavail * disk.f_frsize // 2)

    def run(self):
        items = wanted(self.shell)
        self.say(names=[name for name, _ in items])
        for number, (name, value) in enumerate(items):
            if time.monotonic() > self.deadline:
                break
            self.say(begin=name)
            kind = type(value).__name__
            try:
                self.say(kept=name, kind=kind, **self.keep(number, name, value))
            except NotKept as why:
                self.say(lost=name, kind=kind, why=str(why))
            except BaseException as error:
                self.say(lost=name, kind=kind, why=in_words(kind, error))
                if isinstance(error, KeyboardInterrupt):
                    break
        self.say(done=True)

    def keep(self, number, name, value):
        if isinstance(value, types.ModuleType):
            return {"module": value.__name__, "size": 0}
        if holds_open_file(value):
            raise NotKept("an open file; open it again")
        first = self.seen.get(id(value))
        if first is not None and not isinstance(value, PLAIN):
            return {"same": first, "size": 0}
        size = guess(value)
        if size > self.room():
            raise NotKept(too_large(size, self.most))
        path = os.path.join(self.folder, f"{number:05d}.bin")
        trouble = None
        for library, pickler in self.tools:
            bounded = Bounded(path, self.room, self.most, self.deadline)
            try:
                with bounded.file:
                    pickler(bounded, 5 if sys.version_info >= (3, 8) else 4).dump(value)
            except NotKept:
                os.unlink(path)
                raise
            except Exception as error:
                os.unlink(path)
                trouble = trouble or error
                continue
            except BaseException:
                os.unlink(path)
                raise
            self.seen[id(value)] = name
            return {"file": os.path.basename(path), "size": bounded.written, "with": library}
        raise trouble


def in_words(kind, error):
    known = {
        "generator": "a generator",
        "Thread": "a thread",
        "lock": "a lock",
        "socket": "an open connection",
    }
    known.update(
        {"Connection": "an open connection", "Cursor": "an open connection", "coroutine": "a coroutine"}
    )
    if kind in known:
        return known[kind] + "; it cannot be stored"
    return f"it cannot be stored: {type(error).__name__}: {error}"[:200]


def bring(given):
    """Names that a person set in the new kernel already stay, unless they are named."""
    shell, folder, names = shell_of(), given["folder"], given.get("names") or []
    with open(os.path.join(folder, "manifest.jsonl"), encoding="utf-8") as lines:
        entries = [json.loads(line) for line in lines if line.strip()]
    entries = [one for one in entries if "kept" in one and (not names or one["kept"] in names)]
    there = {name for name, _ in wanted(shell)}
    back, lost, values = [], [], {}
    for one in sorted(entries, key=lambda one: ("same" in one, "module" not in one)):
        name = one["kept"]
        if name in there and not names:
            lost.append([name, "it is set here already and was left as it is"])
            continue
        try:
            if "module" in one:
                values[name] = importlib.import_module(one["module"])
            elif "same" in one:
                values[name] = values[one["same"]] if one["same"] in values else shell.user_ns[one["same"]]
            else:
                if one["with"] != "pickle":
                    importlib.import_module(one["with"])
                with open(os.path.join(folder, one["file"]), "rb") as file:
                    values[name] = pickle.load(file)
        except ModuleNotFoundError as error:
            lost.append([name, f"{error.name} is not installed here"])
        except Exception as error:
            lost.append([name, f"it cannot be read: {type(error).__name__}: {error}"[:200]])
        else:
            shell.user_ns[name] = values[name]
            back.append(name)
    if given.get("say"):
        print("Back: " + (", ".join(sorted(back)) or "nothing") + ".")
        for name, why in lost:
            print(f"Not back: {name}: {why}.")
        return
    with open(os.path.join(folder, "brought.json"), "w", encoding="utf-8") as out:
        json.dump({"back": back, "lost": lost}, out)


if GIVEN["do"] == "keep":  # noqa: F821  set by whoever runs this text
    Keeper(GIVEN).run()  # noqa: F821
else:
    bring(GIVEN)  # noqa: F821
