{% set acc, mode, hint = "f32", "prefetch", 0 %}
{% include "coop-gemm.wgsl" %}
