# SPDX-License-Identifier: GPL-2.0-only
"""A strict reader of OpenMetrics text 1.0, as far as tls-handoff writes it.

    exposition = { family } "# EOF" LF
    family     = { "# TYPE " name SP type LF | "# UNIT " name SP unit LF
                   | "# HELP " name SP text LF } { sample }
    sample     = name [ "{" label { "," label } "}" ] SP number LF
    label      = label-name "=" DQUOTE { character | "\\\\" | "\\n" | "\\" DQUOTE } DQUOTE

Each kind of metadata is there at most once, before the samples; TYPE is required here; a
family is in one piece and so are the samples of one set of labels of a histogram. A
unit is the end of the family's name. A counter's samples end with _total, an info's with
_info and are 1, a gauge's have the family's name; a histogram has for each set of labels
buckets with increasing le, the last one "+Inf", that do not decrease, a _count that is the
last bucket's, and a _sum. Counters, buckets and counts are not negative. No sample is there
twice, and no two families could have a sample of the same name."""
import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\n|\\")*)"'
META = re.compile(rf"# (TYPE|UNIT|HELP) ({NAME}) (.+)")
SAMPLE = re.compile(rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*)\}})? ([0-9]+(?:\.[0-9]+)?)")
LE = re.compile(r"[0-9]+\.[0-9]+|\+Inf")
SUFFIXES = {"counter": ["_total"], "gauge": [""], "info": ["_info"],
            "histogram": ["_bucket", "_count", "_sum"]}


class Malformed(Exception):
    """What is wrong, and the line."""


def need(condition, what, line):
    if not condition:
        raise Malformed(f"{what}: {line}")


class Family:
    def __init__(self, name):
        self.name = name
        self.meta = {}
        self.samples = {}  # (suffix, labels as sorted tuples) -> number

    @property
    def type(self):
        return self.meta.get("TYPE")

    def add_meta(self, kind, value, line):
        need(kind not in self.meta, "twice", line)
        need(not self.samples, "metadata behind samples", line)
        if kind == "TYPE":
            need(value in SUFFIXES, "unknown type", line)
        if kind == "UNIT":
            need(self.name.endswith("_" + value), "the unit is not the name's end", line)
        self.meta[kind] = value

    def add_sample(self, name, labels, number, line):
        suffix = name[len(self.name):]
        need(self.type and suffix in SUFFIXES[self.type], "not of its family's type", line)
        key = (suffix, tuple(sorted(labels.items())))
        need(len(labels) == line.count('="'), "a label twice", line)
        need(key not in self.samples, "twice", line)
        need(self.type != "info" or number == 1, "an info is 1", line)
        need((suffix == "_bucket") == ("le" in labels), "le belongs to buckets", line)
        self.samples[key] = number

    def check(self):
        need(self.type, "no TYPE", self.name)
        need("HELP" in self.meta, "no HELP", self.name)
        if self.type == "histogram":
            self.check_histogram()

    def check_histogram(self):
        histograms = {}
        for (suffix, labels), number in self.samples.items():
            rest = tuple(label for label in labels if label[0] != "le")
            parts = histograms.setdefault(rest, {"buckets": []})
            if suffix == "_bucket":
                le = dict(labels)["le"]
                need(LE.fullmatch(le), "no canonical number", le)
                parts["buckets"].append((float(le), number))
            else:
                parts[suffix] = number
        for labels, parts in histograms.items():
            buckets = parts["buckets"]
            need(buckets and buckets[-1][0] == float("inf"), "no last bucket", labels)
            need(buckets == sorted(buckets) and len(dict(buckets)) == len(buckets),
                 "buckets out of order", labels)
            numbers = [number for _, number in buckets]
            need(numbers == sorted(numbers), "buckets that decrease", labels)
            need(parts.get("_count") == buckets[-1][1], "count is not the last bucket's", labels)
            need("_sum" in parts, "no sum", labels)


def parse(text):
    """The families by name; Malformed if the text is not as above."""
    need(text.endswith("# EOF\n"), "no end", text[-20:])
    families, current = {}, None
    for line in text[:-len("# EOF\n")].split("\n")[:-1]:
        meta, sample = META.fullmatch(line), SAMPLE.fullmatch(line)
        need(meta or sample, "neither metadata nor sample", line)
        if meta:
            kind, name, value = meta.groups()
            if not current or current.name != name:
                need(name not in families, "a family in two pieces", line)
                current = families[name] = Family(name)
            current.add_meta(kind, value, line)
            continue
        need(current and sample[1].startswith(current.name), "outside of its family", line)
        labels = dict(re.findall(LABEL, sample[2] or ""))
        current.add_sample(sample[1], labels, float(sample[7]), line)
    names = [name + suffix for name, family in families.items()
             for suffix in SUFFIXES[family.type or "gauge"]]
    for family in families.values():
        family.check()
    need(len(names) == len(set(names)), "names that clash", sorted(names))
    return families
