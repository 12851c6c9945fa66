#!/usr/bin/env python3
"""Runs PyTorch (cuBLAS, cuDNN, its own kernels) on the problems of wattmark, as a yardstick on the same GPU.

    scripts/peers.py --out peers.json [--record RUN/run.json] [--seconds 6] [--limit 150] [--smoke]
    scripts/peers.py --self-test

Shapes come from the record, so that both did the same work, with matrix products of 4096 and 8192 added; without a record
built-in shapes are used. Float32 products run in full float32 (TF32 off). Time is the device's own, from events around a
stream of launches that never runs dry. Energy is the difference of NVML's total energy counter between two of its ticks
inside the busy period; without the counter, the mean of its power readings; without NVML, those of nvidia-smi; and where
none answers, null with a reason. Nothing of the GPU's settings is changed. Without PyTorch the program says so, writes a
file that says so, and ends with 0: a missing yardstick is not a failed run.
"""

import argparse
import ctypes
import json
import subprocess
import sys
import threading
import time

# Size of one element in bytes.
BYTES = {"f32": 4, "f16": 2, "f16-f32": 2, "i8": 1}
# Size of one element of a matrix product's result.
RESULT_BYTES = {"f32": 4, "f16": 2, "f16-f32": 4, "i8": 4}


def work(problem, s, element):
    """FLOP and compulsory bytes of one execution, by the formulas of wattmark's problems."""
    e = BYTES[element]
    if problem == "gemm":
        m, n, k = s["m"], s["n"], s["k"]
        return 2 * m * n * k, e * (m * k + k * n) + RESULT_BYTES[element] * m * n
    if problem == "gemv":
        return 2 * s["m"] * s["k"], e * s["m"] * s["k"] + 4 * s["k"] + 4 * s["m"]
    if problem == "memory-copy":
        return 0, 2 * e * s["n"]
    if problem == "memory-triad":
        return 2 * s["n"], 3 * e * s["n"]
    if problem == "softmax":
        return 5 * s["rows"] * s["cols"], 2 * e * s["rows"] * s["cols"]
    if problem == "rmsnorm":
        return 4 * s["rows"] * s["cols"], e * (2 * s["rows"] * s["cols"] + s["cols"])
    if problem == "attention-prefill":
        flop = 2 * s["batch"] * s["heads"] * s["seq"] * (s["seq"] + 1) * s["dim"]
        return flop, 2 * e * s["batch"] * s["seq"] * s["dim"] * (s["heads"] + s["kv_heads"])
    if problem == "attention-decode":
        flop = 4 * s["batch"] * s["heads"] * s["context"] * s["dim"]
        return flop, 2 * e * s["batch"] * s["dim"] * (s["context"] * s["kv_heads"] + s["heads"])
    if problem == "swiglu":
        t, d, f = s["tokens"], s["d"], s["f"]
        return 4 * t * d * f + 5 * t * f, e * (t * d + 2 * d * f + t * f)
    raise KeyError(problem)


# Problems of wattmark that have no counterpart: probes of one unit each.
PROBES = ("fma", "matrix-fma", "memory-read", "memory-write", "memory-dot")


def cube(extent):
    return {"m": extent, "n": extent, "k": extent}


# Problem, shape, element type: what runs without a record.
BUILT_IN = [
    ("gemm", cube(4096), "f32"),
    ("gemm", cube(8192), "f32"),
    ("gemm", cube(8192), "f16-f32"),
    ("attention-prefill", {"batch": 2, "heads": 32, "kv_heads": 8, "seq": 8192, "dim": 128}, "f16"),
    ("memory-copy", {"n": 1 << 28}, "f32"),
    ("memory-triad", {"n": 1 << 28}, "f32"),
    ("gemv", {"m": 16384, "k": 16384}, "f32"),
    ("gemv", {"m": 16384, "k": 16384}, "f16"),
    ("softmax", {"rows": 32768, "cols": 4096}, "f32"),
    ("rmsnorm", {"rows": 32768, "cols": 4096}, "f32"),
    ("attention-prefill", {"batch": 1, "heads": 32, "kv_heads": 8, "seq": 4096, "dim": 128}, "f32"),
    ("attention-prefill", {"batch": 1, "heads": 32, "kv_heads": 8, "seq": 4096, "dim": 128}, "f16"),
]

SMOKE = [
    ("gemm", cube(256), "f32"),
    ("memory-copy", {"n": 1 << 20}, "f32"),
    ("softmax", {"rows": 64, "cols": 512}, "f32"),
]


def key(problem, shape, element):
    return problem, tuple(sorted(shape.items())), element


def cases_of(record, smoke):
    """Cases to run, with their FLOP and bytes: built-in ones, then those of the record; each once.

    The record states the work of its own cases; what PyTorch cannot do is refused when it is built.
    """
    chosen = {}
    for case in SMOKE if smoke else BUILT_IN[:4] if record else BUILT_IN:
        chosen[key(*case)] = (*case, work(*case))
    for measurement in [] if smoke or not record else record["measurements"]:
        case = measurement["case"]
        named = (case["problem"], case["shape"], case["element"])
        amount = case["work"]
        if named[0] not in PROBES and case.get("pattern", "normal") == "normal":
            chosen.setdefault(key(*named), (*named, (amount["flop"], amount["bytes"])))
    return list(chosen.values())


def rates_of(record):
    """Best verified rate of the record by problem, shape and element type: executions per second of its windows."""
    best = {}
    for measurement in record["measurements"] if record else []:
        if measurement["verification"]["status"] != "passed":
            continue
        windows = [w for w in measurement["windows"] if w["kind"] == "measure"]
        seconds = sum(w["end_ns"] - w["start_ns"] for w in windows) / 1e9
        if seconds > 0:
            case = measurement["case"]
            rate = sum(w["dispatches"] for w in windows) / seconds
            name = key(case["problem"], case["shape"], case["element"])
            if rate > best.get(name, (0, ""))[0]:
                best[name] = (rate, case["variant"])
    return best


# ---- energy --------------------------------------------------------------------------------------------------------


def mean_power(kind, samples, start, end):
    """Mean watts in [start, end] from (time, joules) ticks or (time, watts) readings; None when there are too few."""
    inside = [(t, v) for t, v in samples if start <= t <= end]
    if kind == "counter":
        if len(inside) < 3:
            return None
        (t0, first), (t1, last) = inside[0], inside[-1]
        return (last - first) / (t1 - t0) if last > first else None
    return sum(v for _, v in inside) / len(inside) if len(inside) >= 3 else None


class Nvml:
    """Energy counter, or else power, of one GPU, straight from the driver's library."""

    def __init__(self, index, uuid):
        reasons = []
        for name in ("libnvidia-ml.so.1", "/usr/local/nvidia/lib64/libnvidia-ml.so.1", "nvml.dll"):
            try:
                self.nvml = ctypes.CDLL(name)
                break
            except OSError as error:
                reasons.append(str(error))
        else:
            raise OSError(f"NVML is not here ({reasons[0]})")
        self.handle = ctypes.c_void_p()
        self.ask("nvmlInit_v2")
        if uuid and getattr(self.nvml, "nvmlDeviceGetHandleByUUID")(uuid.encode(), ctypes.byref(self.handle)) == 0:
            pass
        else:
            self.ask("nvmlDeviceGetHandleByIndex_v2", ctypes.c_uint(index), ctypes.byref(self.handle))
        try:
            self.energy()
            self.kind, self.read = "counter", self.energy
            self.note = "NVML total energy counter, between two of its ticks inside the busy period"
        except OSError:
            self.power()
            self.kind, self.read = "power", self.power
            self.note = "mean of NVML power readings (a 1 s average on most boards); the board has no energy counter"

    def ask(self, function, *arguments):
        code = getattr(self.nvml, function)(*arguments)
        if code != 0:
            raise OSError(f"{function} failed with NVML code {code}")

    def energy(self):
        value = ctypes.c_ulonglong()
        self.ask("nvmlDeviceGetTotalEnergyConsumption", self.handle, ctypes.byref(value))
        return value.value / 1e3

    def power(self):
        value = ctypes.c_uint()
        self.ask("nvmlDeviceGetPowerUsage", self.handle, ctypes.byref(value))
        return value.value / 1e3


class Smi:
    """Power of one GPU from nvidia-smi, one process per reading: slow, but it needs no library."""

    kind = "power"
    note = "mean of nvidia-smi power readings"

    def __init__(self, index, _uuid):
        self.command = ["nvidia-smi", f"--id={index}", "--query-gpu=power.draw", "--format=csv,noheader,nounits"]
        self.read()

    def read(self):
        try:
            return float(subprocess.run(self.command, capture_output=True, text=True, timeout=5, check=True).stdout)
        except (ValueError, subprocess.SubprocessError) as error:
            raise OSError(f"nvidia-smi gave no power: {error}") from error


class Meter:
    """A thread that notes each change of the counter, or each power reading, with its time."""

    def __init__(self, source):
        self.source, self.samples, self.going = source, [], True
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()

    def watch(self):
        last = None
        while self.going:
            try:
                value = self.source.read()
            except OSError:
                value = None  # A gap; too few readings give no power.
            if value is not None and (self.source.kind == "power" or value != last):
                self.samples.append((time.perf_counter(), value))
                last = value
            time.sleep(0.005)

    def stop(self):
        self.going = False
        self.thread.join()


def open_source(torch, device):
    """The best energy source of the device, or None and the reason."""
    if device.type != "cuda":
        return None, "the yardstick ran on the CPU, whose energy this program does not read"
    properties = torch.cuda.get_device_properties(device)
    uuid = f"GPU-{properties.uuid}" if getattr(properties, "uuid", None) else None
    reasons = []
    for source in (Nvml, Smi):
        try:
            return source(device.index or 0, uuid), None
        except (OSError, AttributeError) as error:
            reasons.append(str(error))
    return None, "; ".join(reasons)


# ---- kernels -------------------------------------------------------------------------------------------------------


def build(torch, problem, s, element, device):
    """A function that launches one execution, and a note on how it differs from wattmark's definition (or None)."""
    functional = torch.nn.functional
    if element not in ("f32", "f16", "f16-f32") and (problem, element) != ("gemm", "i8"):
        raise RuntimeError(f"PyTorch has no {problem} in {element}")
    kind = torch.float32 if element == "f32" else torch.float16
    # PyTorch rounds a product of f16 matrices to f16, after accumulating in f32.
    rounded = "the result is rounded to f16" if element == "f16-f32" else None

    def normal(*extents):
        return torch.randn(*extents, dtype=kind, device=device)

    if problem == "gemm" and element == "i8":
        a, b = (torch.randint(-127, 128, (rows, s["k"]), dtype=torch.int8, device=device) for rows in (s["m"], s["n"]))
        return lambda: torch._int_mm(a, b.t()), "on the tensor units, which WGSL does not reach for integers"
    if problem == "gemm":
        a, b, c = normal(s["m"], s["k"]), normal(s["k"], s["n"]), torch.empty(s["m"], s["n"], dtype=kind, device=device)
        return lambda: torch.mm(a, b, out=c), rounded
    if problem == "gemm-batched":
        a, b = normal(s["batch"], s["m"], s["k"]), normal(s["batch"], s["k"], s["n"])
        return lambda: torch.bmm(a, b), rounded
    if problem == "conv2d":
        x = normal(s["batch"], s["channels"], s["height"], s["width"])
        w = normal(s["filters"], s["channels"], s["kernel"], s["kernel"])
        return lambda: functional.conv2d(x, w, stride=s["stride"], padding=s["pad"]), rounded
    if problem in ("add", "silu-mul", "gelu"):
        a, b, c = normal(s["n"]), normal(s["n"]), torch.empty(s["n"], dtype=kind, device=device)
        return {
            "add": (lambda: torch.add(a, b, out=c), None),
            "silu-mul": (lambda: functional.silu(a) * b, "two element-wise kernels"),
            "gelu": (lambda: functional.gelu(a, approximate="tanh"), None),
        }[problem]
    if problem == "layernorm":
        x, weight, bias = normal(s["rows"], s["cols"]), normal(s["cols"]), normal(s["cols"])
        return lambda: functional.layer_norm(x, (s["cols"],), weight, bias, eps=1e-5), None
    if problem == "embedding":
        table = normal(s["vocab"], s["dim"])
        ids = torch.randint(0, s["vocab"], (s["tokens"],), device=device)
        return lambda: functional.embedding(ids, table), None
    if problem == "gemv":
        a, x, y = normal(s["m"], s["k"]), normal(s["k"]), torch.empty(s["m"], dtype=kind, device=device)
        return lambda: torch.mv(a, x, out=y), None if element == "f32" else "the vectors are f16 too"
    if problem == "memory-copy":
        a, c = normal(s["n"]), torch.empty(s["n"], dtype=kind, device=device)
        return lambda: c.copy_(a), None
    if problem == "memory-triad":
        b, c, a = normal(s["n"]), normal(s["n"]), torch.empty(s["n"], dtype=kind, device=device)
        return lambda: torch.add(b, c, alpha=0.42, out=a), None
    if problem == "softmax":
        x = normal(s["rows"], s["cols"])
        return lambda: torch.softmax(x, dim=1), None
    if problem == "rmsnorm":
        x, weight = normal(s["rows"], s["cols"]), normal(s["cols"])
        return lambda: functional.rms_norm(x, (s["cols"],), weight, eps=1e-5), None
    if problem in ("attention-prefill", "attention-decode"):
        causal = problem == "attention-prefill"
        length = s["seq"] if causal else s["context"]
        group = s["heads"] // s["kv_heads"]
        q = normal(s["batch"], s["heads"], length if causal else 1, s["dim"])
        k, v = (normal(s["batch"], s["kv_heads"], length, s["dim"]).repeat_interleave(group, dim=1) for _ in range(2))
        note = "keys and values are repeated for each query head beforehand" if group > 1 else None
        return lambda: functional.scaled_dot_product_attention(q, k, v, is_causal=causal), note
    if problem == "swiglu":
        x, gate, up = normal(s["tokens"], s["d"]), normal(s["d"], s["f"]), normal(s["d"], s["f"])
        return lambda: functional.silu(x @ gate) * (x @ up), "two products and two element-wise kernels"
    raise RuntimeError(f"there is no counterpart of {problem} here")


def worst_row_error(torch, extent, device):
    """Largest error of a row of a float32 product against float64, over the largest value: about 1e-3 would be TF32."""
    a, b = (torch.randn(extent, extent, device=device) for _ in range(2))
    row, exact = (a @ b)[0].double(), a[0].double() @ b.double()
    return float((row - exact).abs().max() / exact.abs().max())


class Stopwatch:
    """Keeps a device busy with batches of launches, at most three in flight, and times them on the device."""

    def __init__(self, torch, device):
        self.torch, self.on_gpu = torch, device.type == "cuda"

    def mark(self):
        if not self.on_gpu:
            return time.perf_counter()
        event = self.torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def wait(self, mark):
        if self.on_gpu:
            mark.synchronize()

    def between(self, start, end):
        return start.elapsed_time(end) / 1e3 if self.on_gpu else end - start

    def batch_of(self, launch):
        """Launches that take about 50 ms."""
        count = 1
        while True:
            start = self.mark()
            for _ in range(count):
                launch()
            end = self.mark()
            self.wait(end)
            seconds = self.between(start, end)
            if seconds > 0.02 or count > 1 << 20:
                return max(1, round(count * 0.05 / max(seconds, 1e-9)))
            count *= 4

    def run(self, launch, batch, seconds):
        """(executions, device seconds, host instants of the first and last completion)."""
        executions, in_flight, first_done, begun = 0, [], None, time.perf_counter()
        start = end = self.mark()
        while time.perf_counter() - begun < seconds:
            for _ in range(batch):
                launch()
            executions += batch
            end = self.mark()
            in_flight.append(end)
            if len(in_flight) > 2:
                self.wait(in_flight.pop(0))
                first_done = first_done or time.perf_counter()
        for mark in in_flight:
            self.wait(mark)
        return executions, self.between(start, end), first_done or begun, time.perf_counter()


def measure(torch, device, source, case, seconds):
    problem, shape, element, (flop, traffic) = case
    launch, note = build(torch, problem, shape, element, device)
    watch = Stopwatch(torch, device)
    launch()
    batch = watch.batch_of(launch)
    watch.run(launch, batch, min(1.5, seconds))
    meter = Meter(source) if source else None
    executions, busy, start, end = watch.run(launch, batch, seconds)
    if meter:
        meter.stop()
    watts = mean_power(source.kind, meter.samples, start, end) if meter else None
    return {
        "problem": problem,
        "shape": shape,
        "element": element,
        "flop": flop,
        "bytes": traffic,
        "executions": executions,
        "busy_s": busy,
        "power_w": watts,
        "power_samples": len(meter.samples) if meter else 0,
        "note": note,
    }


# ---- output --------------------------------------------------------------------------------------------------------


def table(result, rates):
    rows = [["problem", "shape", "type", "unit", "torch", "W", "G/J", "wattmark", "of torch", "variant"]]
    for case in result["cases"]:
        amount, unit, scale = (case["flop"], "TFLOP/s", 1e12) if counts_flop(case) else (case["bytes"], "GB/s", 1e9)
        per_second = case["executions"] / case["busy_s"]
        watts = case["power_w"]
        ours, variant = rates.get(key(case["problem"], case["shape"], case["element"]), (None, ""))
        rows.append([
            case["problem"],
            " ".join(f"{axis}={extent}" for axis, extent in sorted(case["shape"].items())),
            case["element"],
            unit,
            f"{amount * per_second / scale:.4g}",
            f"{watts:.1f}" if watts else "-",
            f"{amount * per_second / watts / 1e9:.4g}" if watts else "-",
            f"{amount * ours / scale:.4g}" if ours else "-",
            f"{ours / per_second:.0%}" if ours else "-",
            variant,
        ])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
    lines += [f"skipped: {skip['problem']} {skip['element']}: {skip['reason']}" for skip in result["skips"]]
    lines.append(f"torch: {result['library']}; power: {result['power']}; G/J is GFLOP or GB per joule, gross")
    return "\n".join(lines)


def counts_flop(case):
    return case["problem"] in ("gemm", "gemm-batched", "conv2d", "attention-prefill", "swiglu")


def write(path, result):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1)
        file.write("\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="peers.json", help="file to write")
    parser.add_argument("--record", action="append", default=[],
                        help="run.json whose shapes are run and whose rates are shown beside; may be repeated")
    parser.add_argument("--seconds", type=float, default=6.0, help="length of one case's window")
    parser.add_argument("--limit", type=float, default=150.0, help="seconds after which no further case is begun")
    parser.add_argument("--smoke", action="store_true", help="tiny shapes, also on the CPU")
    parser.add_argument("--self-test", action="store_true", help="check this program's arithmetic; needs nothing")
    options = parser.parse_args()
    if options.self_test:
        return self_test()
    result = {"schema": "wattmark/peers", "version": 1, "library": None, "power": None, "cases": [], "skips": []}
    record = None
    for path in options.record:
        with open(path, encoding="utf-8") as file:
            more = json.load(file)
        record = {"measurements": (record["measurements"] if record else []) + more["measurements"]}
    try:
        import torch
    except ImportError as error:
        result["library"] = f"none ({error})"
        write(options.out, result)
        print(f"peers: no PyTorch here ({error}); nothing to compare with")
        return 0
    if not torch.cuda.is_available() and not options.smoke:
        result["library"] = f"PyTorch {torch.__version__}, without a CUDA device"
        write(options.out, result)
        print(f"peers: {result['library']}; nothing to compare with")
        return 0
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.manual_seed(1)
    device = torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    result["library"] = f"PyTorch {torch.__version__}, CUDA {torch.version.cuda}, {name}"
    source, reason = open_source(torch, device)
    result["power"] = source.note if source else f"none ({reason})"
    result["gemm_f32_worst_row_error"] = worst_row_error(torch, 256 if options.smoke else 4096, device)
    begun = time.perf_counter()
    with torch.inference_mode():
        for case in cases_of(record, options.smoke):
            run_case(torch, device, source, case, options, begun, result)
            write(options.out, result)
    print(table(result, rates_of(record)))
    return 0


def run_case(torch, device, source, case, options, begun, result):
    reason = None
    if time.perf_counter() - begun > options.limit:
        reason = f"the limit of {options.limit:.0f} s was reached"
    else:
        try:
            result["cases"].append(measure(torch, device, source, case, 0.2 if options.smoke else options.seconds))
        except (RuntimeError, AttributeError, TypeError) as error:  # Out of memory, or a function this version lacks.
            reason = str(error).splitlines()[0]
        if device.type == "cuda":
            torch.cuda.empty_cache()
    if reason:
        result["skips"].append({"problem": case[0], "shape": case[1], "element": case[2], "reason": reason})


# ---- test ----------------------------------------------------------------------------------------------------------


def self_test():
    def expect(what, actual, wanted):
        print(f"ok {what}" if actual == wanted else f"FAILED {what}: {actual!r} is not {wanted!r}")
        return actual == wanted

    windows = [
        {"kind": "preheat", "start_ns": 0, "end_ns": 10**9, "dispatches": 900},
        {"kind": "measure", "start_ns": 10**9, "end_ns": 3 * 10**9, "dispatches": 30},
        {"kind": "measure", "start_ns": 3 * 10**9, "end_ns": 5 * 10**9, "dispatches": 10},
    ]
    case = {"problem": "gemm", "shape": cube(1024), "element": "f32", "variant": "gemm/tiled-f32",
            "work": {"flop": 2 * 1024**3, "bytes": 12 * 1024**2}}
    other = dict(case, problem="fma", shape={"n": 4, "steps": 2}, variant="fma/chains-f32")
    passed, failed = {"status": "passed"}, {"status": "failed"}
    record = {"measurements": [
        {"case": case, "verification": passed, "windows": windows},
        {"case": dict(case, variant="gemm/wrong"), "verification": failed,
         "windows": [dict(windows[1], dispatches=999)]},
        {"case": other, "verification": passed, "windows": windows},
    ]}
    name = key("gemm", cube(1024), "f32")
    result = {"library": "PyTorch", "power": "none", "skips": [], "cases": [
        {"problem": "gemm", "shape": cube(1024), "element": "f32", "flop": 2 * 1024**3, "bytes": 12 * 1024**2,
         "executions": 40, "busy_s": 2.0, "power_w": 100.0}]}
    row = table(result, rates_of(record)).splitlines()[1].split()
    checks = [
        expect("work of a product", work("gemm", {"m": 2, "n": 3, "k": 5}, "f32"), (60, 4 * (10 + 15 + 6))),
        expect("work of causal attention", work("attention-prefill",
               {"batch": 1, "heads": 2, "kv_heads": 1, "seq": 3, "dim": 4}, "f32"), (2 * 2 * 3 * 4 * 4, 8 * 3 * 4 * 3)),
        expect("every built-in case has work", all(work(*c)[1] > 0 for c in BUILT_IN + SMOKE), True),
        expect("a wider result weighs in the bytes", work("gemm", cube(2), "f16-f32"), (16, 2 * 8 + 4 * 4)),
        expect("rate of the verified variant, without the preheat", rates_of(record)[name], (10.0, "gemm/tiled-f32")),
        expect("the record's cases are added once with their work, probes are left out",
               [c[1].get("m") for c in cases_of(record, False)], [4096, 8192, 8192, None, 1024]),
        expect("the record's work is taken over", cases_of(record, False)[-1][3], (2 * 1024**3, 12 * 1024**2)),
        expect("watts between ticks inside the period",
               mean_power("counter", [(0, 0), (1, 50), (2, 150), (3, 250), (9, 251)], 0.5, 3.5), 100.0),
        expect("two ticks are too few", mean_power("counter", [(1, 50), (2, 150)], 0, 3), None),
        expect("a frozen counter gives no watts", mean_power("counter", [(1, 5), (2, 5), (3, 5)], 0, 4), None),
        expect("mean of power readings", mean_power("power", [(0, 9), (1, 1), (2, 2), (3, 3)], 0.5, 4), 2.0),
        expect("the table's row", row[4:],
               ["f32", "TFLOP/s", "0.04295", "100.0", "0.4295", "0.02147", "50%", "gemm/tiled-f32"]),
    ]
    return 0 if all(checks) else 1


if __name__ == "__main__":
    sys.exit(main())
