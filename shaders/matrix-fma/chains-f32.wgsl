{% set size, ab, acc = 8, "f32", "f32" %}
{% include "matrix-chains.wgsl" %}
