{% set size, ab, acc = 16, "f16", "f16" %}
{% include "matrix-chains.wgsl" %}
