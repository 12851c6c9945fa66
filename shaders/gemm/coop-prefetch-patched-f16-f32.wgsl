{% set acc, mode, hint = "f32", "prefetch", UNROLL %}
{% include "coop-gemm.wgsl" %}
