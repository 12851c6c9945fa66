enable f16;

// y = (x - mean) / sqrt(variance + 1e-5) * weight + bias, row by row: {{ LANES }} lane(s) per row.
{% set half = true %}
{% include "layernorm-rows.wgsl" %}
