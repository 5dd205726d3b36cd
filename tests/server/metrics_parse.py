# SPDX-License-Identifier: Apache-2.0
# Reads /metrics of the host at the URL given with the parser of Prometheus' own Python client, and holds what it is
# strict about itself: each name has one type, no sample comes twice, buckets only rise and end in +Inf, the count.
import sys
import urllib.request

from prometheus_client.parser import text_string_to_metric_families

text = urllib.request.urlopen(sys.argv[1] + "/metrics").read().decode()
families = list(text_string_to_metric_families(text))
names = [family.name for family in families]
assert len(names) == len(set(names)), "a family comes twice"
samples = set()
for family in families:
    assert family.type in ("counter", "gauge", "histogram"), f"{family.name}: type {family.type}"
    assert family.documentation, f"{family.name}: no help"
    rising = {}
    for sample in family.samples:
        key = (sample.name, tuple(sorted(sample.labels.items())))
        assert key not in samples, f"{key} comes twice"
        samples.add(key)
        assert sample.value >= 0, f"{key} is {sample.value}"
        if family.type == "counter":
            assert sample.name.endswith("_total"), sample.name
        if sample.name.endswith("_bucket"):
            labels = {name: value for name, value in sample.labels.items() if name != "le"}
            rising.setdefault(tuple(sorted(labels.items())), []).append((float(sample.labels["le"]), sample.value))
        if sample.name.endswith("_count"):
            buckets = rising[tuple(sorted(sample.labels.items()))]
            assert buckets == sorted(buckets), f"{key}: buckets out of order"
            assert [value for _, value in buckets] == sorted(value for _, value in buckets), f"{key}: buckets fall"
            assert buckets[-1] == (float("inf"), sample.value), f"{key}: the last bucket is not the count"
for wanted in sys.argv[2:]:
    assert wanted in text, f"{wanted} is missing in\n{text}"
print(len(families), "families,", len(samples), "samples")
