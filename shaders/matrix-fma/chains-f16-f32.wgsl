{% set size, ab, acc = 16, "f16", "f32" %}
{% include "matrix-chains.wgsl" %}
